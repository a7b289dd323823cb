"""The trace of a request that comes in (W3C Trace Context, levels 1 and 2).

A valid ``traceparent`` makes the request a part of its client's trace; ``tracestate`` counts only
beside one, and is kept unchanged. OpenTelemetry's own propagator reads both. Anything else, such as
two of them, begins a new trace.

``share`` of the traces that begin here get spans, chosen by the trace id as OpenTelemetry's
``TraceIdRatioBased`` does, so services with the same share choose the same traces. A client that
does not record its trace gets no spans here either. One that records it gets them for ``share`` of
its traces, chosen by a keyed hash of the trace id: neither the client's flag nor an id that it
chose can cost more than the operator allowed.
"""

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

import attrs
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import SpanContext, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gemproxy.exchange.trace import RANDOM, SAMPLED, Trace, new_span_id, new_trace_id

_PARENT = "traceparent"
_LONGEST = 512
_WORD = 1 << 64

_propagator = TraceContextTextMapPropagator()


class _Headers(Getter[Mapping[str, str]]):
    """Reads headers; the values of one name stay apart."""

    def get(self, carrier: Mapping[str, str], key: str) -> list[str] | None:
        """Return all values of a header."""
        every: Any = carrier
        return list(every.getall(key, ())) or None

    def keys(self, carrier: Mapping[str, str]) -> list[str]:
        """Return the names of the headers."""
        return list(carrier)


_HEADERS = _Headers()


@attrs.frozen
class Entrance:
    """Gives each request its trace.

    ``share`` is the part of the requests that get spans, from 0 to 1. ``accept``: the traces of
    clients go on here. ``onward``: attempts tell the upstream their trace.
    """

    share: float = 1.0
    accept: bool = True
    onward: bool = False
    _key: bytes = attrs.field(factory=lambda: secrets.token_bytes(16), repr=False)

    def trace(self, headers: Mapping[str, str]) -> Trace:
        """Return the trace of a request with these headers (a multidict)."""
        parent = self._parent(headers) if self.accept and _PARENT in headers else None
        if parent is None:
            trace_id = new_trace_id()
            sampled = trace_id % _WORD < self.share * _WORD
            return Trace(trace_id, new_span_id(), RANDOM | sampled, onward=self.onward)
        flags = parent.trace_flags & RANDOM
        if parent.trace_flags.sampled and self._chooses(parent.trace_id):
            flags |= SAMPLED
        return Trace(
            parent.trace_id,
            new_span_id(),
            flags,
            parent.span_id,
            parent.trace_state.to_header(),
            onward=self.onward,
        )

    def _parent(self, headers: Mapping[str, str]) -> SpanContext | None:
        values = _HEADERS.get(headers, _PARENT) or []
        if len(values) != 1 or len(values[0]) > _LONGEST:
            return None
        context = _propagator.extract(headers, getter=_HEADERS)
        parent = get_current_span(context).get_span_context()
        return parent if parent.is_valid else None

    def _chooses(self, trace_id: int) -> bool:
        if self.share >= 1:
            return True
        name = trace_id.to_bytes(16, "big")
        drawn = hashlib.blake2b(name, key=self._key, digest_size=8).digest()
        return int.from_bytes(drawn, "big") < self.share * _WORD
