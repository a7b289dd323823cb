"""The record of one request: an entry for each attempt, and the outcome of the whole.

The handler writes its own fields while the request runs: the model, a client that left, an upstream
without a whole answer. The code that ran the answer leaves one ``result`` of its kind. The access
log's line is one rendering of the record (``exchange.line``); a row in a ledger, a span and a page
can be others.

The record contains only figures and words of our own vocabularies, never a key or content.
"""

import enum
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from msgspec import structs

from gemproxy.core.answer.chunk import NAMELESS, Named
from gemproxy.core.answer.usage import Billed
from gemproxy.core.repair.attempt import Plan
from gemproxy.core.repair.blame import Fault, blame
from gemproxy.core.repair.continuation import Form
from gemproxy.core.repair.events import Cause, How
from gemproxy.core.repair.verdict import error_status, retry_delay
from gemproxy.core.seam.seam import Joint
from gemproxy.exchange.trace import Trace

_ERRORS = 400


def word_of(one: enum.Enum | None) -> str:
    """Return the word of a vocabulary, empty for none."""
    return "" if one is None else str(one.value)


@attrs.define(eq=False)
class Entry:
    """One attempt: its key, its answer, its ending, and its content in figures.

    Times are those of ``time.monotonic``, in seconds. ``key`` is a name for the credential, empty
    for the client's own, and ``project`` is its project. ``status`` is None before the head has
    come. ``how`` is None for an attempt that was left before its end. ``error`` is the
    google.rpc.Status in the answer, if it was read, and ``retry_after`` its Retry-After in seconds;
    no rendering shows them. ``cause`` is why it broke off, so that another attempt was wanted.
    ``first`` is when the first bytes went to the client, in the attempt that brought them.
    ``characters`` counts those that the attempt added to the client's text, None where nobody
    counts. ``plan`` is what the attempt asked for, ``form`` in which form it asked for the rest of
    a text, and ``anchor`` how many characters it asked to be repeated. ``joint`` is how its text
    was joined, after ``seam`` seconds in which the text was held; ``dropped`` counts the characters
    that the client did not get, repeated ones most of all, and ``swallowed`` those of thoughts.
    ``span_id`` is its id in a trace, 0 until one is needed. ``named`` is what its answer calls
    itself.
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
    plan: Plan | None = None
    form: Form | None = None
    anchor: int = 0
    joint: Joint | None = None
    usage: Billed | None = None
    project: str = ""
    first: float | None = None
    characters: int | None = None
    dropped: int = 0
    swallowed: int = 0
    seam: float = 0.0
    span_id: int = 0
    named: Named = NAMELESS

    @property
    def fault(self) -> Fault | None:
        """Whose fault the refusal is; None if the upstream refused nothing.

        Without an answer, the connection to the service is at fault.
        """
        status = self.status
        if status is None:
            return None if self.how is None else blame(None, None)
        if status < _ERRORS:  # an error in a stream that had begun
            return blame(error_status(self.error), self.error) if self.error else None
        return blame(status, self.error)

    @property
    def asked(self) -> str:
        """How it asked again: a form of continuation, or its plan; empty for the first time."""
        return word_of(self.form) or word_of(None if self.plan is Plan.FIRST else self.plan)

    @property
    def delay(self) -> float | None:
        """The seconds that the upstream asked to wait: RetryInfo, else Retry-After."""
        asked = retry_delay(self.error)
        return self.retry_after if asked is None else asked


@attrs.frozen
class Spent:
    """What an answer cost, as far as the upstream counted it.

    ``bills`` has the cost of each attempt. ``own`` is the client's part: the cost of one
    undisturbed answer, as far as it was delivered; the rest is what repair cost. ``estimated``:
    output was counted by its characters. ``unread``: nothing says what the input was.
    """

    bills: tuple[Billed, ...] = ()
    own: Billed = attrs.field(factory=Billed)
    estimated: bool = False
    unread: bool = False

    @classmethod
    def told(cls, usage: Billed | None, output: int) -> "Spent":
        """Return what an answer cost that told ``usage``, and was delivered as far as it came.

        ``output`` counts the tokens of its output by its characters, where that is needed.
        """
        if usage is not None and (usage.output or not output):
            return cls((usage,), usage)
        known = usage or Billed()
        written = structs.replace(known, output=output, total=known.total + output)
        return cls((written,), written, estimated=output > 0, unread=usage is None)


@attrs.frozen
class StreamResult:
    """The outcome of a generation that ran as a stream; ``seam_ms`` has an item per joint.

    ``ending`` is the machine's last state, or a word for an answer that passed unchanged.
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
    spent: Spent | None = None


@attrs.frozen
class InteractionResult:
    """The outcome of an interaction; ``ending`` is None if it was not a stream."""

    ending: str | None
    attempts: int
    causes: list[Cause]
    events: int
    status: str | None
    first_byte_ms: float | None
    repair: bool
    spent: Spent | None = None


@attrs.frozen
class GenerationCost:
    """The ending of a unary generation, and its cost with retries."""

    finish_reason: str | None
    billed: Billed
    extra_tokens: int


@attrs.frozen
class CallResult:
    """The outcome of a unary call; ``generation`` is None if it was not a generation."""

    attempts: int
    causes: list[Cause]
    repair: bool
    generation: GenerationCost | None = None
    upstream: How | None = None
    spent: Spent | None = None


@attrs.frozen
class Farewell:
    """The ending of a session of WebSockets: the peer, the manner, and the close code."""

    by: str
    how: str
    code: int


@attrs.frozen
class SessionResult:
    """The counts of a session of WebSockets; ``farewell`` is None while it runs."""

    frames_up: int
    bytes_up: int
    frames_down: int
    bytes_down: int
    farewell: Farewell | None = None
    spent: Spent | None = None


Result = StreamResult | InteractionResult | CallResult | SessionResult


@attrs.frozen
class Wait:
    """What an answer waits for at one moment, and for how long (seconds).

    ``what`` is a word: ``key`` for the loan of one, ``pause`` for the time of the next attempt,
    ``client`` for a client who reads more slowly than the upstream writes, or a patience of the
    machine (``core.repair.engine.Patience``) while the upstream is awaited. ``silence`` counts from
    the upstream's last byte, or from when it was asked; None while nothing is awaited from it.
    After ``patience`` in all, ``left`` from now, it is over; None where that is not known.
    """

    what: str = ""
    silence: float | None = None
    patience: float | None = None
    left: float | None = None


@attrs.frozen
class Glimpse:
    """What a running answer is doing at one moment; it is read when an operator asks.

    ``state`` is the machine's, by its name. ``characters`` counts what the client has of the text,
    ``events`` what it has of an interaction or a session.
    """

    state: str
    characters: int = 0
    events: int = 0
    wait: Wait = Wait()


@attrs.frozen
class Charge:
    """The tokens and the nano-dollars of one request; the fields are those of a ledger's row.

    Those without ``extra`` and ``operator`` are what its user pays, the others what repair cost
    beyond that. ``cached_tokens`` are a part of ``input_tokens``. ``thought_tokens`` are no part of
    ``output_tokens``; thoughts that the operator pays are in ``extra_output_tokens``. Money is None
    where the model, or a kind of its tokens, has no price. ``estimated``: the upstream did not
    count all of it.
    """

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    thought_tokens: int = 0
    extra_input_tokens: int = 0
    extra_output_tokens: int = 0
    cost_nano_usd: int | None = None
    operator_cost_nano_usd: int | None = None
    estimated: bool = False

    @property
    def tokens(self) -> int:
        """All tokens that the user pays for."""
        return self.input_tokens + self.output_tokens + self.thought_tokens


@attrs.define(eq=False)
class Times:
    """When a request came in, and when its key had been checked, by the monotonic clock."""

    began: float
    admitted: float | None = None


@attrs.define(eq=False)
class Account:
    """The record of one request, shared by all exchanges that are derived for it.

    ``access`` is the name of the access key with which the client was let in, empty for a client
    with its own Gemini key. ``model`` is None for a request without a model. ``answers`` counts the
    generations that the request is sent up for, and ``calls`` the attempts that an undisturbed
    answer takes. ``upstream`` is the
    upstream's failure in a request whose answer is not judged. ``memo`` is what the source of
    credentials keeps about the request, and ``metered`` what the meter does: others only ask
    whether it is there. ``expected`` is the input of the request as it was judged before it went
    up, None if nobody asked; it counts where the upstream says nothing. ``passed`` is the cost of
    an answer without a result of its own, or of one that was given up. ``charge`` says who pays,
    once that is known. ``injected``: the operator's prompt is in the request. ``trace`` has the ids
    of the request's spans, None where nothing is traced. ``times`` is there where its answer says
    how long things took. ``cancelled``: an operator ended the request. ``glance`` reads what its
    answer is doing, while that runs, and ``interrupt`` closes its attempt as if the connection had
    dropped, and returns whether there was one to close. ``parts`` are the accounts of several
    answers that run side by side (``exchange.parting``). ``stream`` is the id of the stream that
    outlives its connection, empty for every other request. ``followers`` counts who reads it; it is
    None for a request that only follows the stream that another one made.
    """

    access: str = ""
    model: str | None = None
    answers: int = 1
    calls: int = 1
    client_gone: bool = False
    upstream: How | None = None
    entries: list[Entry] = attrs.field(factory=list)
    result: Result | None = None
    memo: object = attrs.field(default=None, repr=False)
    metered: object = attrs.field(default=None, repr=False)
    expected: Billed | None = None
    passed: Spent | None = None
    charge: Charge | None = None
    injected: bool = False
    trace: Trace | None = None
    times: Times | None = None
    cancelled: bool = False
    glance: Callable[[], Glimpse] | None = attrs.field(default=None, repr=False)
    interrupt: Callable[[], bool] | None = attrs.field(default=None, repr=False)
    parts: "list[Account]" = attrs.field(factory=list, repr=False)
    stream: str = ""
    followers: Callable[[], int] | None = attrs.field(default=None, repr=False)

    @property
    def follows(self) -> bool:
        """Whether the request only reads what another one had made."""
        return bool(self.stream) and self.followers is None

    @property
    def spent(self) -> Spent | None:
        """What the answer cost; None if nobody counted.

        What was spent on an answer that was given up for another one is the operator's.
        """
        last = None if self.result is None else self.result.spent
        if last is None or self.passed is None:
            return last or self.passed
        return attrs.evolve(last, bills=self.passed.bills + last.bills)

    @property
    def attempts(self) -> int:
        """The number of requests to the upstream, as far as it is recorded.

        A request with an access key may have none, and one more for each key that was refused.
        """
        if self.access:
            return len(self.entries)
        counted = None if isinstance(self.result, SessionResult) else self.result
        return 1 if counted is None else counted.attempts

    @property
    def rounds(self) -> int:
        """The number of attempts, where all that an undisturbed answer takes count as one."""
        return max(self.attempts - self.calls + 1, min(self.attempts, 1))

    def give_up(self) -> None:
        """Note that the client got nothing of an answer, so that it pays nothing for it."""
        result = self.result
        if isinstance(result, StreamResult) and result.spent is not None:
            self.result = attrs.evolve(result, spent=Spent(result.spent.bills))
