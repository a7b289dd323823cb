"""The spans of a request that is over: its own, and a child for each attempt.

They are made with the times of the account. Its clock is monotonic; both clocks are read once for
a request, so its spans agree with each other whatever the clock of the day did meanwhile.

A span is OpenTelemetry's ``ReadableSpan``: the record that a tracer would leave, without the locks
and checks of a span that is filled while it runs.
"""

import time
from collections.abc import Sequence
from typing import Any

import attrs
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from gemproxy.exchange.trace import Trace, new_span_id
from gemproxy.tracing.attempts import Attempt, Served
from gemproxy.tracing.attributes import (
    ATTEMPT,
    GEN_AI,
    ROUTES,
    SERVER,
    Chosen,
    Conventions,
    chosen,
    method_of,
    shown,
    values,
)

_UNSET, _ERROR = Status(StatusCode.UNSET), Status(StatusCode.ERROR)
_NOTHING = TraceState()
_NANO = 1_000_000_000


def _name_of(method: str) -> str:
    known = method_of(method)
    return "HTTP" if known == "_OTHER" else known


@attrs.define(eq=False)
class Spans:
    """Makes spans; ``resource`` and ``scope`` say whose they are."""

    resource: Resource
    scope: InstrumentationScope
    conventions: Conventions = "new"
    _server: Chosen[Served] = attrs.field(init=False)
    _attempt: Chosen[Attempt] = attrs.field(init=False)
    _gen_ai: Chosen[Attempt] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._server = chosen(SERVER, self.conventions)
        self._attempt = chosen(ATTEMPT, self.conventions)
        self._gen_ai = [*chosen(GEN_AI, self.conventions), *self._attempt]

    def of(self, served: Served, trace: Trace, attempts: Sequence[Attempt]) -> list[ReadableSpan]:
        """Return the spans of a request, its own first."""
        shift = time.time_ns() - time.monotonic_ns()
        flags = TraceFlags(trace.flags)
        state = TraceState.from_header([trace.state]) if trace.state else _NOTHING
        own = SpanContext(trace.trace_id, trace.span_id, False, flags, state)
        parent = None
        if trace.parent_id:
            parent = SpanContext(trace.trace_id, trace.parent_id, True, flags, state)
        ended = served.ended
        spans = [self._of_request(served, own, parent, shift)]
        for attempt in attempts:
            entry = attempt.entry
            span_id = entry.span_id or new_span_id()
            context = SpanContext(trace.trace_id, span_id, False, flags, state)
            span = self._made(
                _name_of_attempt(attempt),
                context,
                own,
                values(self._gen_ai if attempt.operation else self._attempt, attempt),
                SpanKind.CLIENT,
                _ERROR if attempt.error else _UNSET,
                int(entry.began * _NANO) + shift,
                int((ended if entry.ended is None else entry.ended) * _NANO) + shift,
            )
            spans.append(span)
        return spans

    def _of_request(
        self, served: Served, own: SpanContext, parent: SpanContext | None, shift: int
    ) -> ReadableSpan:
        exchange = served.exchange
        route, method = ROUTES.get(exchange.family), _name_of(exchange.method)
        return self._made(
            f"{method} {route}" if route else method,
            own,
            parent,
            values(self._server, served),
            SpanKind.SERVER,
            _ERROR if served.error else _UNSET,
            int(served.began * _NANO) + shift,
            int(served.ended * _NANO) + shift,
        )

    def _made(  # noqa: PLR0913, PLR0917 - the fields of a span
        self,
        name: str,
        context: SpanContext,
        parent: SpanContext | None,
        attributes: dict[str, Any],
        kind: SpanKind,
        status: Status,
        began: int,
        ended: int,
    ) -> ReadableSpan:
        return ReadableSpan(
            name,
            context,
            parent,
            self.resource,
            attributes,
            kind=kind,
            status=status,
            start_time=began,
            end_time=ended,
            instrumentation_scope=self.scope,
        )


def _name_of_attempt(attempt: Attempt) -> str:
    if not attempt.operation:
        return _name_of(attempt.served.exchange.method)
    model = attempt.model
    return f"{attempt.operation} {shown(model)}" if model else attempt.operation
