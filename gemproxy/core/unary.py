"""Unary answers: which may be passed on, and after which the call is made again.

A unary answer is judged before its first byte goes out, so asking again shows the client
nothing twice. What is asked again, each within its own bound:

- what broke or was refused in a way that the same request may survive: no connection, a
  reset, a 5xx, a 429 whose RetryInfo fits (once), JSON that is cut short;
- a generation that says nothing, or thoughts only, unless it answers a functionResponse;
- a generation whose finishReason is to be replayed, by the operator's table.

Policy endings and blocked prompts pass at once. A finishReason that a stream would be
resumed after passes too once there is text: a whole answer has no seam to resume at.
"""

import enum
from typing import Any

import attrs

from gemproxy.core.chunk import Chunk, Undecodable, read
from gemproxy.core.events import Cause, How, Resume
from gemproxy.core.policy import Policy
from gemproxy.core.request import StreamRequest, look_up
from gemproxy.core.usage import Billed, billed, parse_usage
from gemproxy.core.verdict import (
    Verdict,
    error_status,
    is_transient,
    retry_delay,
    retry_delay_of_body,
)

_ERRORS = 400
_TOO_MANY_REQUESTS = 429
_CAUSES = {
    How.UNREACHABLE: Cause.UNREACHABLE,
    How.NO_FIRST_BYTE: Cause.STALL,
    How.STALLED: Cause.STALL,
    How.GARBLED: Cause.GARBLED,
}


class Look(enum.Enum):
    """How closely the answer of a method is looked at."""

    STATUS = "status"  # its status alone
    DOCUMENT = "document"  # whether it is whole JSON, too
    GENERATION = "generation"  # whether it is an answer to the prompt, too


@attrs.define
class Judge:
    """Judges the answers to one call; ``causes`` are why it was made again.

    ``billed`` adds up what the generations cost, ``finish_reason`` is that of the last one.
    """

    request: StreamRequest
    policy: Policy
    look: Look = Look.STATUS
    causes: list[Cause] = attrs.field(factory=list)
    billed: Billed = attrs.field(factory=Billed)
    finish_reason: str | None = None
    _last: Billed = attrs.field(factory=Billed)
    _waited: bool = False

    def answered(
        self, status: int, body: bytes | None, retry_after: float | None = None
    ) -> Resume | None:
        """Return the wish to make the call again, or None when the answer is to be passed on.

        ``body`` is the JSON of the answer, None for anything else. ``retry_after`` is the
        Retry-After header in seconds.
        """
        if status >= _ERRORS:
            delay = retry_delay_of_body(body or b"")
            return self._refused(Cause.STATUS, status, retry_after if delay is None else delay)
        if self.look is Look.STATUS or body is None:
            return None
        try:
            chunk = read(body)
        except Undecodable:
            return self._again(Cause.GARBLED)
        if chunk.error is not None:
            status = error_status(chunk.error)
            return self._refused(Cause.ERROR_FRAME, status, retry_delay(chunk.error))
        return self._weigh(chunk) if self.look is Look.GENERATION else None

    def broke(self, how: How) -> Resume | None:
        """Return the same for an attempt that brought no answer, or not all of it."""
        return self._again(_CAUSES.get(how, Cause.DROP))

    def report(self) -> dict[str, Any]:
        """Return what the log line says: figures, no content."""
        report: dict[str, Any] = {
            "causes": [cause.value for cause in self.causes],
            "repair": self.policy.repair,
        }
        if self.look is Look.GENERATION:
            report["finish_reason"] = self.finish_reason
            report["tokens"] = self.billed.report()
            report["extra_tokens"] = self.extra_tokens
        return report

    @property
    def extra_tokens(self) -> int:
        """What the generations cost that were not passed on."""
        return self.billed.total - self._last.total

    def _refused(self, cause: Cause, status: int, after: float | None) -> Resume | None:
        if not is_transient(status):
            return None
        if status != _TOO_MANY_REQUESTS:
            return self._again(cause)
        if after is None or self._waited or after > self.policy.retry_after_limit:
            return None
        self._waited = True
        return self._again(cause, after)

    def _again(self, cause: Cause, after: float | None = None) -> Resume | None:
        if not self.policy.repair:
            return None
        self.causes.append(cause)
        return Resume(cause, after)

    def _weigh(self, chunk: Chunk) -> Resume | None:
        self.finish_reason = chunk.finish_reason
        self._last = billed(parse_usage(chunk.usage))
        self.billed += self._last
        cause, limit = self._fault(chunk)
        if cause is None or self.causes.count(cause) >= limit or not self._affordable():
            return None
        return self._again(cause)

    def _fault(self, chunk: Chunk) -> tuple[Cause | None, int]:
        """Return what is wrong with a generation, and how often that is worth another try."""
        visible = bool(chunk.text or chunk.call or chunk.opaque or chunk.candidates)
        reason = chunk.finish_reason
        verdict = Verdict.ACCEPT if reason is None else self.policy.finish.of(reason)
        if chunk.block_reason is not None or (verdict is Verdict.RESUME and visible):
            return None, 0
        if verdict is Verdict.REROLL:
            return Cause.BAD_FINISH, 1
        if verdict in (Verdict.RESUME, Verdict.REPLAY):
            return Cause.BAD_FINISH, self.policy.bad_finish_replays
        if reason in (None, "STOP") and not visible and not self.request.answers_a_call:
            return Cause.EMPTY, self.policy.empty_stop_retries
        return None, 0

    def _affordable(self) -> bool:
        """Tell whether one more try stays below the cap on extra tokens."""
        cap = self.policy.max_extra_tokens
        return cap is None or self.billed.total + self._last.prompt <= cap


def gains_by_streaming(request: StreamRequest) -> bool:
    """Tell a generation that could be resumed if it were a stream: text of one candidate."""
    if request.document is None or request.several:
        return False
    modalities = look_up(request.config, "responseModalities") or []
    return all(str(modality).upper() == "TEXT" for modality in modalities)
