"""The trace that a request belongs to: the ids that are needed before its spans are made.

Spans are made when a request is over. The access log's line and a ``traceparent`` for the upstream
need the ids earlier, so they are chosen when the request comes in. The forms of the headers are
those of W3C Trace Context (https://www.w3.org/TR/trace-context-2/).
"""

import random
from collections.abc import Mapping

import attrs

SAMPLED = 1
"""The bit of ``flags`` by which a trace is recorded."""
RANDOM = 2
"""The bit of ``flags`` that says that the trace id was chosen at random."""

_dice = random.Random()  # noqa: S311 (ids of traces are no secrets)


def new_trace_id() -> int:
    """Return a random id of 128 bits, which is never 0."""
    return _dice.getrandbits(128) or 1


def new_span_id() -> int:
    """Return a random id of 64 bits, which is never 0."""
    return _dice.getrandbits(64) or 1


@attrs.frozen
class Trace:
    """The ids of one request in a trace.

    ``span_id`` is that of the request's own span, ``parent_id`` that of the client's, 0 for a trace
    that begins here. ``state`` is the client's tracestate, unchanged. ``onward``: attempts tell the
    upstream which trace they belong to.
    """

    trace_id: int
    span_id: int
    flags: int
    parent_id: int = 0
    state: str = ""
    onward: bool = False

    @property
    def sampled(self) -> bool:
        """Whether the request gets spans."""
        return bool(self.flags & SAMPLED)

    def fields(self) -> Mapping[str, str]:
        """Return the ids for a log line."""
        return {"trace_id": f"{self.trace_id:032x}", "span_id": f"{self.span_id:016x}"}

    def headers(self, span_id: int) -> Mapping[str, str]:
        """Return the headers of a request that is the span ``span_id`` of this trace."""
        headers = {"traceparent": f"00-{self.trace_id:032x}-{span_id:016x}-{self.flags:02x}"}
        if self.state:
            headers["tracestate"] = self.state
        return headers
