"""The record of one request: an entry for each attempt, and what became of the whole.

The handler's own fields are written while the request runs: the model, a client that left, an
upstream that gave no whole answer. Whoever ran the answer leaves one ``result`` of its kind. An
access log's line is one rendering of it (``exchange.line``); a row in a ledger, a span and a
page can be others.

Figures and words of our own vocabularies only: never a key, never content.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from gemproxy.core.answer.usage import Billed
from gemproxy.core.repair.blame import Fault, blame
from gemproxy.core.repair.continuation import Form
from gemproxy.core.repair.events import Cause, How
from gemproxy.core.repair.verdict import error_status, retry_delay
from gemproxy.core.seam.seam import Joint

_ERRORS = 400


@attrs.define(eq=False)
class Entry:
    """One attempt: with which key, how it was answered, how it ended, and what it brought.

    Times are those of ``time.monotonic``, in seconds. ``key`` is a name for the credential, empty
    for the client's own. ``status`` is None while no head has come. ``how`` is None for an attempt
    that was left before its end. ``error`` is the google.rpc.Status in the answer, if anybody has
    read one, and ``retry_after`` its Retry-After in seconds; no rendering shows them. ``cause``
    says why another attempt was wanted.
    """

    began: float
    key: str = ""
    status: int | None = None
    how: How | None = None
    error: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    retry_after: float | None = None
    answered: float | None = None
    ended: float | None = None
    bytes: int = 0
    cause: Cause | None = None
    form: Form | None = None
    joint: Joint | None = None
    usage: Billed | None = None

    @property
    def fault(self) -> Fault | None:
        """Whose fault the refusal is; None where the upstream refused nothing.

        Where no answer came, the way to the service is at fault.
        """
        status = self.status
        if status is None:
            return None if self.how is None else blame(None, None)
        if status < _ERRORS:  # an error in a stream that had begun
            return blame(error_status(self.error), self.error) if self.error else None
        return blame(status, self.error)

    @property
    def delay(self) -> float | None:
        """The seconds that the upstream asked to wait: RetryInfo, else Retry-After."""
        asked = retry_delay(self.error)
        return self.retry_after if asked is None else asked


@attrs.frozen
class StreamResult:
    """What became of a generation that was run as a stream; ``seam_ms`` has an item for a joint.

    ``ending`` is the machine's last state, or that the answer was passed on as it came.
    """

    ending: str
    finish_reason: str | None
    attempts: int
    causes: list[Cause]
    joints: list[Joint]
    seam_ms: list[float]
    first_byte_ms: float | None
    characters: int
    billed: Billed
    extra_tokens: int
    repair: bool
    grace_ran_out: bool
    missing_candidates: int


@attrs.frozen
class InteractionResult:
    """What became of an interaction; ``ending`` is None where it was no stream."""

    ending: str | None
    attempts: int
    causes: list[Cause]
    events: int
    status: str | None
    first_byte_ms: float | None
    repair: bool


@attrs.frozen
class GenerationCost:
    """How a generation that was answered as a whole ended, and what it cost with its retries."""

    finish_reason: str | None
    billed: Billed
    extra_tokens: int


@attrs.frozen
class CallResult:
    """What became of a unary call; ``generation`` is None where it was no generation."""

    attempts: int
    causes: list[Cause]
    repair: bool
    generation: GenerationCost | None = None
    upstream: How | None = None


@attrs.frozen
class Farewell:
    """Who ended a session of WebSockets, how, and with which close code."""

    by: str
    how: str
    code: int


@attrs.frozen
class SessionResult:
    """What passed through a session of WebSockets; ``farewell`` is None while it runs."""

    frames_up: int
    bytes_up: int
    frames_down: int
    bytes_down: int
    farewell: Farewell | None = None


Result = StreamResult | InteractionResult | CallResult | SessionResult


@attrs.define(eq=False)
class Account:
    """The record of one request, shared by all exchanges that are derived for it.

    ``model`` is None for a request that is not about one. ``upstream`` says how the upstream
    failed a request that is not judged.
    """

    model: str | None = None
    client_gone: bool = False
    upstream: How | None = None
    entries: list[Entry] = attrs.field(factory=list)
    result: Result | None = None

    @property
    def attempts(self) -> int:
        """How often the upstream was asked, as far as that is told; at least once."""
        counted = None if isinstance(self.result, SessionResult) else self.result
        return 1 if counted is None else counted.attempts
