"""The composition of traces: settings in, the tracer of the application out.

``gemproxy.tracing`` needs the packages of the extra ``otel``, so it is imported only where traces
are wanted. Whoever ends a request sees the tracer by the protocol below.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Protocol
from urllib.parse import unquote

import attrs
from aiohttp import web
from yarl import URL

from gemproxy.config.settings import Settings
from gemproxy.exchange.exchange import Exchange
from gemproxy.metering.ending import ending_of
from gemproxy.routes.parts import EXCHANGE, IN_FLIGHT
from gemproxy.tracing.attempts import Served

_LEAST, _MOST = 1.0, 5.0
"""Seconds that the last spans may take at the end of the process."""

_HEADERS = (
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
)
_SHORTEST = 6
"""Characters of a value that may be a secret; masking a shorter one would spoil the log."""


class Tracer(Protocol):
    """Traces requests."""

    def begin(self, exchange: Exchange) -> None:
        """Give a request its trace."""

    def end(self, served: Served) -> None:
        """Make the spans of a request that was begun; never raises."""


TRACER: web.AppKey[Tracer] = web.AppKey("tracer")
"""Only there if requests are traced."""


async def open_tracing(settings: Settings, app: web.Application) -> AsyncIterator[None]:
    """Trace the requests of ``app`` between startup and cleanup, if the settings want it."""
    tracing = settings.tracing
    if not tracing.enabled:
        yield
        return
    from gemproxy.tracing import tracer as of_requests  # noqa: PLC0415 - of an extra

    plan = of_requests.Plan(
        endpoint=tracing.endpoint,
        conventions=tracing.conventions,
        metrics=tracing.metrics,
        share=tracing.sample,
        accept=tracing.accept_parent,
        onward=tracing.propagate_upstream,
        drain=min(max(settings.server.drain_timeout, _LEAST), _MOST),
    )
    async with of_requests.tracing(plan, URL(settings.upstream.url_base)) as opened:
        if opened is not None:
            app[TRACER] = opened
        yield


def collectors_secrets(environ: Mapping[str, str]) -> list[str]:
    """Return the values of the headers for the collector, which are often credentials."""
    found: list[str] = []
    for name in _HEADERS:
        for pair in environ.get(name, "").split(","):
            value = pair.partition("=")[2].strip()
            found += dict.fromkeys([value, unquote(value)])
    return [value for value in found if len(value) >= _SHORTEST]


@attrs.frozen
class Took:
    """When a request began and ended (monotonic clock), its status, the bytes of its answer."""

    began: float
    ended: float
    status: int
    size: int


def trace(request: web.Request, tracer: Tracer, took: Took) -> None:
    """Have ``tracer`` make the spans of a request that is over."""
    exchange, task = request[EXCHANGE], asyncio.current_task()
    ending = ending_of(
        exchange.account,
        took.status,
        cancelled=task is not None and task.cancelling() > 0,
        expired=request.app[IN_FLIGHT].expired,
    )
    tracer.end(
        Served(
            exchange, took.status, took.size, took.began, took.ended, ending.value, request.scheme
        )
    )
