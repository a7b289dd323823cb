"""The tracer: gives each request its trace, and makes spans and figures of it when it is over."""

import contextlib
import logging
import os
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

import attrs
from opentelemetry.sdk.environment_variables import OTEL_SDK_DISABLED
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.util.types import AnyValue
from yarl import URL

from gemproxy import __version__
from gemproxy.exchange.exchange import Exchange
from gemproxy.observe.logs import unsaid
from gemproxy.tracing.attempts import Served, Upstream, attempts_of
from gemproxy.tracing.attributes import Conventions
from gemproxy.tracing.context import Entrance
from gemproxy.tracing.delivery import deliver, quiet, wants_delta
from gemproxy.tracing.spans import Spans
from gemproxy.tracing.totals import Totals

_SCHEMA = "https://opentelemetry.io/schemas/1.41.0"
_VERTEX = "aiplatform.googleapis.com"
_SECURE = 443

_log = logging.getLogger("gemproxy.tracing")


class Sink(Protocol):
    """Takes spans that are over."""

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span."""


@attrs.define(eq=False)
class Tracer:
    """Traces requests. ``totals`` is None where no metrics are sent."""

    entrance: Entrance
    upstream: Upstream
    spans: Spans
    sink: Sink
    totals: Totals | None = None

    def begin(self, exchange: Exchange) -> None:
        """Give a request its trace."""
        exchange.account.trace = self.entrance.trace(exchange.headers)

    def end(self, served: Served) -> None:
        """Make the spans and the figures of a request that was begun; never raises."""
        try:
            self._end(served)
        except Exception as error:  # noqa: BLE001 - a request must not fail for its trace
            _log.error("a request was not traced", exc_info=unsaid(error))

    def _end(self, served: Served) -> None:
        trace, totals = served.account.trace, self.totals
        if trace is None or not (trace.sampled or totals):
            return
        attempts = attempts_of(served, self.upstream)
        if totals is not None:
            for attempt in attempts:
                if attempt.operation:
                    totals.observe(attempt)
        if trace.sampled:
            for span in self.spans.of(served, trace, attempts):
                self.sink.on_end(span)


def upstream_at(base: URL) -> Upstream:
    """Return where attempts go, by the upstream's base URL."""
    host = base.host or ""
    provider = "gcp.vertex_ai" if host.endswith(_VERTEX) else "gcp.gemini"
    return Upstream(provider, host, base.port or _SECURE)


def resource_of_process() -> Resource:
    """Return who sends spans: this process of gemproxy, unless OTEL_* say otherwise."""
    own: dict[str, AnyValue] = {
        "service.name": "gemproxy",
        "service.version": __version__,
        "service.instance.id": str(uuid.uuid4()),
        "process.pid": os.getpid(),
    }
    return Resource.create({**own, **OTELResourceDetector().detect().attributes})


@attrs.frozen(kw_only=True)
class Plan:
    """What the operator wants of traces; see ``context.Entrance``, ``attributes`` and ``delivery``.

    ``drain`` counts the seconds that the last spans may take at the end.
    """

    endpoint: str = ""
    conventions: Conventions = "new"
    metrics: bool = True
    share: float = 1.0
    accept: bool = True
    onward: bool = False
    drain: float = 5.0


def is_disabled(environ: Mapping[str, str]) -> bool:
    """Return whether the environment turns OpenTelemetry off."""
    return environ.get(OTEL_SDK_DISABLED, "").strip().lower() == "true"


@contextlib.asynccontextmanager
async def tracing(plan: Plan, base: URL) -> AsyncIterator[Tracer | None]:
    """Trace requests to the upstream at ``base`` until the exit; None where the SDK is off."""
    if is_disabled(os.environ):
        yield None
        return
    upstream = upstream_at(base)
    resource, scope = resource_of_process(), InstrumentationScope("gemproxy", __version__, _SCHEMA)
    totals = None
    if plan.metrics:
        shared: dict[str, str | int] = {
            "gen_ai.provider.name": upstream.provider,
            "server.address": upstream.address,
            "server.port": upstream.port,
        }
        totals = Totals(resource, scope, shared, plan.conventions, wants_delta(os.environ))
    with quiet():
        delivery = deliver(plan.endpoint, totals)
        try:
            spans = Spans(resource, scope, plan.conventions)
            entrance = Entrance(plan.share, plan.accept, plan.onward)
            yield Tracer(entrance, upstream, spans, delivery.processor, totals)
        finally:
            await delivery.close(plan.drain)
