"""Unary answers: which are passed on, and after which the call is repeated.

A unary answer is judged before its first byte goes out, so a repeated call shows the client no
content twice. A call is repeated, each time within its own limit, after

- a temporary failure or refusal: no connection, a reset, a 5xx, a 429 with a short RetryInfo
  (once), truncated JSON;
- a generation with content and without a finishReason: a cut that a gateway presents as a whole
  answer. It is never passed on, because every SDK would accept it;
- a generation without content, or with thoughts only, unless it answers a functionResponse;
- a generation whose finishReason means replay in the operator's table.

Policy endings and blocked prompts pass at once. A finishReason that resumes a stream also passes if
there is text, because a whole answer has no seam.
"""

import enum
from collections.abc import Mapping
from typing import Any

import attrs
import msgspec

from gemproxy.core.answer.chunk import NAMELESS, Chunk, Named, Undecodable, read
from gemproxy.core.answer.usage import Billed, billed, parse_usage
from gemproxy.core.errors import upstream_error
from gemproxy.core.repair.events import CAUSE_OF, Cause, How, Resume
from gemproxy.core.repair.policy import Policy
from gemproxy.core.repair.refusals import AT_OUR_OWN_PACE, Again, Refusals
from gemproxy.core.repair.request import StreamRequest, look_up
from gemproxy.core.repair.verdict import Verdict, error_status, is_policy

_ERRORS = 400
_UNFINISHED = (None, "", "FINISH_REASON_UNSPECIFIED", 0)


class Look(enum.Enum):
    """The depth of the check of a method's answer."""

    STATUS = "status"  # only its status
    DOCUMENT = "document"  # also whether it is whole JSON
    GENERATION = "generation"  # also whether it is an answer to the prompt


@attrs.define
class Judge:
    """Judges the answers to one call; ``causes`` are the reasons for repeating it.

    ``billed`` is the cost of all answers, ``bills`` that of each. ``finish_reason`` is that of the
    last generation, and ``named`` what it calls itself. ``whole`` is False after an answer that
    must not be passed on. ``error`` is the google.rpc.Status in the last answer.
    """

    request: StreamRequest
    policy: Policy
    look: Look = Look.STATUS
    causes: list[Cause] = attrs.field(factory=list)
    billed: Billed = attrs.field(factory=Billed)
    bills: list[Billed] = attrs.field(factory=list)
    finish_reason: str | None = None
    named: Named = NAMELESS
    whole: bool = True
    error: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    _last: Billed = attrs.field(factory=Billed)
    _refusals: Refusals = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._refusals = Refusals(self.policy.retry_after_limit)

    def answered(
        self,
        status: int,
        body: bytes | None,
        retry_after: float | None = None,
        *,
        another: bool = False,
    ) -> Resume | None:
        """Return how to repeat the call, or None to pass the answer on.

        ``body`` is the JSON of the answer, None for anything else. ``retry_after`` is the
        Retry-After header in seconds. ``another``: another key could be used.
        """
        self.whole = True
        self.error = None
        self._last, self.named = _NOTHING, NAMELESS
        if status >= _ERRORS:
            error = self.error = upstream_error(body or b"")
            again = self._refusals.judge(status, error, retry_after, another=another)
            return self._refused(Cause.STATUS, again)
        if self.look is Look.STATUS or body is None:
            return None
        try:
            chunk = read(body)
        except Undecodable:
            return self._again(Cause.GARBLED)
        if chunk.error is not None:
            self.error, status = chunk.error, error_status(chunk.error)
            again = self._refusals.judge(status, chunk.error, retry_after, another=another)
            return self._refused(Cause.ERROR_FRAME, again)
        self._last = _cost_of(chunk, body)
        self.named = Named(chunk.response_id, chunk.model_version)
        self.bills.append(self._last)
        self.billed += self._last
        return self._weigh(chunk, body) if self.look is Look.GENERATION else None

    def broke(self, how: How) -> Resume | None:
        """Return the same for an attempt without an answer, or with an incomplete one.

        An attempt that was given up before its answer began is not repeated: the model may be
        working on it, and the connection may be alive.
        """
        cause = CAUSE_OF[how]
        if how is How.NO_FIRST_BYTE:
            self.causes.append(cause)
            return None
        return self._again(cause)

    @property
    def usage(self) -> Billed:
        """The cost of the last generation."""
        return self._last

    @property
    def extra_tokens(self) -> int:
        """The cost of the generations that were not passed on."""
        return self.billed.total - self._last.total

    def _refused(self, cause: Cause, again: Again | None) -> Resume | None:
        return self._again(cause, again) if again is not None else None

    def _again(self, cause: Cause, again: Again = AT_OUR_OWN_PACE) -> Resume | None:
        if not self.policy.repair:
            return None
        self.causes.append(cause)
        return Resume(cause, again.after, again.at_once, again.elsewhere)

    def _weigh(self, chunk: Chunk, body: bytes) -> Resume | None:
        self.finish_reason = chunk.finish_reason
        self.whole = _is_refused(chunk) or not _is_cut(body)
        if not self.whole:
            return self._again(Cause.DROP) if self._affordable() else None
        cause, limit = self._fault(chunk)
        if cause is None or self.causes.count(cause) >= limit or not self._affordable():
            return None
        return self._again(cause)

    def _fault(self, chunk: Chunk) -> tuple[Cause | None, int]:
        """Return the flaw of a generation, and how often to repeat the call for it."""
        visible = bool(chunk.text or chunk.call or chunk.opaque or chunk.candidates)
        reason = chunk.finish_reason
        verdict = Verdict.ACCEPT if reason is None else self.policy.finish.of(reason)
        if _is_refused(chunk) or (verdict is Verdict.RESUME and visible):
            return None, 0
        if verdict is Verdict.REROLL:
            return Cause.BAD_FINISH, 1
        if verdict in (Verdict.RESUME, Verdict.REPLAY):
            return Cause.BAD_FINISH, self.policy.bad_finish_replays
        if reason in (None, "STOP") and not visible and not self.request.answers_a_call:
            return Cause.EMPTY, self.policy.empty_stop_retries
        return None, 0

    def _affordable(self) -> bool:
        """Return whether one more try stays below the limit of extra tokens."""
        cap = self.policy.max_extra_tokens
        return cap is None or self.billed.total + self._last.prompt <= cap


_NOTHING = Billed()
_BEGINNING = 256


class _Predicted(msgspec.Struct):
    predictions: list[msgspec.Raw] = []


def _cost_of(chunk: Chunk, body: bytes) -> Billed:
    """Return what an answer cost; Imagen tells no tokens, and makes a picture a prediction."""
    if chunk.usage or b'"predictions"' not in body[:_BEGINNING]:
        return billed(parse_usage(chunk.usage))
    try:
        return Billed(pictures=len(msgspec.json.decode(body, type=_Predicted).predictions))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _NOTHING


class _Candidate(msgspec.Struct):
    content: dict[str, Any] | None = None
    finish_reason: str | int | None = msgspec.field(default=None, name="finishReason")


class _Answer(msgspec.Struct):
    candidates: list[_Candidate] = []


def _is_refused(chunk: Chunk) -> bool:
    """Return whether an answer has any decision about content, so it passes unchanged."""
    reasons = (chunk.finish_reason, *(said.finish_reason for said in chunk.candidates))
    return chunk.block_reason is not None or any(is_policy(reason or "") for reason in reasons)


def _is_cut(body: bytes) -> bool:
    """Return whether a candidate of an answer has content and no finishReason."""
    try:
        candidates = msgspec.json.decode(body, type=_Answer).candidates
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return any(
        candidate.finish_reason in _UNFINISHED and (candidate.content or {}).get("parts")
        for candidate in candidates
    )


def gains_by_streaming(request: StreamRequest) -> bool:
    """Return whether a stream of this generation could be resumed: text of one candidate."""
    if request.document is None or request.several:
        return False
    modalities = look_up(request.config, "responseModalities") or []
    return all(str(modality).upper() == "TEXT" for modality in modalities)
