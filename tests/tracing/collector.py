"""A collector of OTLP over HTTP on a real socket, which decodes what it is sent."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator
from typing import Any

import attrs
from aiohttp import web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span


def value_of(value: AnyValue) -> Any:
    """Return the value of an attribute."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(item) for item in value.array_value.values]
    return None if kind is None else getattr(value, kind)


def attributes_of(pairs: Any) -> dict[str, Any]:
    """Return attributes by name."""
    return {pair.key: value_of(pair.value) for pair in pairs}


@attrs.define(eq=False)
class Collector:
    """The collector; ``status`` is what it answers."""

    url: str = ""
    status: int = 200
    headers: list[dict[str, str]] = attrs.field(factory=list)
    spans: list[tuple[Span, dict[str, Any]]] = attrs.field(factory=list)
    metrics: dict[str, Any] = attrs.field(factory=dict)
    resources: list[dict[str, Any]] = attrs.field(factory=list)
    bodies: list[bytes] = attrs.field(factory=list)
    asked: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def traces(self, request: web.Request) -> web.Response:
        """Take spans."""
        sent = ExportTraceServiceRequest.FromString(await self._body(request))
        for of_resource in sent.resource_spans:
            self.resources.append(attributes_of(of_resource.resource.attributes))
            for scope in of_resource.scope_spans:
                assert scope.scope.name == "gemproxy"
                self.spans += [(span, attributes_of(span.attributes)) for span in scope.spans]
        return web.Response(status=self.status)

    async def figures(self, request: web.Request) -> web.Response:
        """Take metrics."""
        sent = ExportMetricsServiceRequest.FromString(await self._body(request))
        for of_resource in sent.resource_metrics:
            for scope in of_resource.scope_metrics:
                for metric in scope.metrics:
                    self.metrics[metric.name] = metric
        return web.Response(status=self.status)

    async def _body(self, request: web.Request) -> bytes:
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self.asked.set()
        body = await request.read()
        body = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        self.bodies.append(body)
        return body


@contextlib.asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """Run a collector until the exit."""
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.traces)
    app.router.add_post("/v1/metrics", collector.figures)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    collector.url = f"http://127.0.0.1:{site.port}"
    try:
        yield collector
    finally:
        await runner.cleanup()
