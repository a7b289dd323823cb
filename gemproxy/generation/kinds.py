"""What differs between kinds of answers: a row of a table for each.

A generation runs Gemini's streams and interactions alike. Of each kind an ``AnswerKind`` says which
replies of the upstream are read, when the client gets the head, and what the record says.

*Streams.* A 2xx is read, and anything else is a refusal. The head waits for the first frame,
because up to there another attempt may take the place of a refused one. When a client would give
up on the silence, the head goes out without a frame.

*Interactions.* An event stream is read. An error is a refusal where the request may be repeated,
and so is one in the middle of the client's stream. Any other reply to the client's own request is
passed on as it came (a resource in JSON, an error that creates nothing). The head of a stream
goes out as soon as it has come: an SDK without a response head yet retries a failed request,
which could create the interaction twice.
"""

import enum
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import attrs

from gemproxy.core.answer.chunk import Named
from gemproxy.core.answer.counted import counted
from gemproxy.core.answer.usage import Billed, parse_usage
from gemproxy.core.interactions import reading as interaction_reading
from gemproxy.core.interactions.machine import InteractionMachine
from gemproxy.core.repair import reading as stream_reading
from gemproxy.core.repair.attempt import Attempt
from gemproxy.core.repair.engine import Machine, State
from gemproxy.core.repair.intake import Intake
from gemproxy.core.repair.machine import StreamMachine
from gemproxy.core.repair.reading import Reading
from gemproxy.core.wire.frame import Decoder
from gemproxy.exchange.account import (
    Entry,
    Glimpse,
    InteractionResult,
    Result,
    Spent,
    StreamResult,
    Wait,
)
from gemproxy.generation.reader import Reader
from gemproxy.relay.headers import is_event_stream as of_events
from gemproxy.relay.upstream import Reply

M = TypeVar("M", bound=Machine[Any])

_OK = 200
_MULTIPLE_CHOICES = 300
_ERRORS = 400


@attrs.define(eq=False)
class Course:
    """How a generation went, besides what its machine knows.

    ``began`` and ``seam_seconds`` count seconds of the monotonic clock. ``passed`` says that an
    answer was passed on as it came, ``unsaid`` that its client cannot be told its end.
    """

    attempts: int = 0
    began: float = attrs.field(factory=time.monotonic)
    first_byte_ms: float | None = None
    seam_seconds: list[float] = attrs.field(factory=list)
    passed: bool = False
    unsaid: bool = False


class Use(enum.Enum):
    """What a reply of the upstream is used for."""

    READ = "read"  # its frames belong to the answer
    REFUSAL = "refusal"  # the machine says whether another attempt is made
    NOTHING = "nothing"  # the attempt got no answer that could be used
    AS_IT_IS = "as it is"  # the client gets it as it came


@attrs.frozen
class AnswerKind(Generic[M]):
    """A row of the table.

    ``reading`` is the row for the same kind in the core. ``use`` says what a reply is used for.
    ``head_at_once`` says that the head goes out with the upstream's, no sooner and no later.
    ``passes``: a document that is no answer of this kind is passed on as it came.
    ``tried`` returns what the machine knows of the attempt that is made now. ``tell`` writes that
    into the last of the account's entries, while the attempt runs, and ``note`` again with its
    usage when it has just ended.
    ``name`` returns what the answer of that attempt, or of one that is left, calls itself.
    ``finish`` returns the finishReason with which the answer ended, None where it has none.
    ``repairs`` returns whether an attempt that breaks is followed by another one.
    ``result`` returns what became of a generation, ``glimpse`` what it is doing, given what it
    waits for: figures, no content.
    """

    reading: Reading
    use: Callable[[M, Reply, Reader], Use]
    head_at_once: bool
    tried: Callable[[M], Attempt | None]
    tell: Callable[[M, Attempt | None, Sequence[Entry]], None]
    note: Callable[[M, Attempt | None, Sequence[Entry]], None]
    name: Callable[[M], Named]
    finish: Callable[[M], str | None]
    repairs: Callable[[M], bool]
    result: Callable[[M, Course], Result]
    glimpse: Callable[[M, Wait], Glimpse]
    passes: bool = True

    def intake(self, machine: M, new_decoder: Callable[[], Decoder]) -> Intake[M]:
        """Return what feeds ``machine``; the decoders are of the framing that was asked for."""
        return Intake(machine, new_decoder, self.reading)


def _use_for_a_stream(_machine: StreamMachine, reply: Reply, _reader: Reader) -> Use:
    return Use.READ if reply.status < _MULTIPLE_CHOICES else Use.REFUSAL


def _tried(machine: StreamMachine) -> Attempt:
    return machine.attempt


def _tell(machine: StreamMachine, attempt: Attempt | None, entries: Sequence[Entry]) -> None:
    entry = entries[-1]
    said = sum(earlier.characters or 0 for earlier in entries[:-1])
    entry.characters = max(machine.transcript.chars - said, 0)
    if attempt is None:
        return
    entry.plan, entry.form, entry.anchor = attempt.plan, attempt.form, attempt.anchor
    rewriter = attempt.holdback.rewriter
    if rewriter is not None:
        entry.dropped, entry.swallowed = rewriter.dropped, rewriter.swallowed


def _note(machine: StreamMachine, attempt: Attempt | None, entries: Sequence[Entry]) -> None:
    _tell(machine, attempt, entries)
    entry, usage = entries[-1], machine.tally.billed
    for earlier in entries[:-1]:
        usage -= earlier.usage or Billed()
    entry.usage = usage
    entry.dropped = 0 if attempt is None else attempt.undelivered()


def _finish(machine: StreamMachine) -> str | None:
    return machine.finish_reason


def _stream_result(machine: StreamMachine, course: Course) -> StreamResult:
    machine.tally = machine.attempt.settle(machine.tally)  # an attempt that the client has left
    return StreamResult(
        ending=_ending(machine, course),
        finish_reason=machine.finish_reason,
        attempts=course.attempts,
        causes=machine.causes,
        joints=machine.joints,
        seam_ms=[round(seconds * 1000, 1) for seconds in course.seam_seconds],
        first_byte_ms=course.first_byte_ms,
        characters=machine.transcript.chars,
        billed=machine.tally.billed,
        extra_tokens=machine.tally.extra() if machine.causes else 0,
        repair=machine.policy.repair,
        grace_ran_out=machine.grace_ran_out,
        missing_candidates=machine.missing_candidates,
        spent=_spent_on(machine, failed=course.unsaid or machine.state is State.FAILED),
    )


def _stream_glimpse(machine: StreamMachine, wait: Wait) -> Glimpse:
    return Glimpse(machine.state.value, machine.transcript.chars, 0, wait)


def _ending(machine: StreamMachine, course: Course) -> str:
    if course.unsaid:
        return State.FAILED.value
    return "passed" if course.passed else machine.state.value


def _spent_on(machine: StreamMachine, *, failed: bool) -> Spent:
    """Return what a stream cost; its client pays nothing for one that failed with nothing shown."""
    tally, transcript = machine.tally, machine.transcript
    shown = transcript.visible or transcript.thoughts
    if failed and not shown:
        return Spent(tally.bills)
    begun = shown or machine.state is not State.CONNECTING
    return Spent(tally.bills, tally.own, tally.estimated, begun and tally.own.prompt == 0)


def _use_for_an_interaction(machine: InteractionMachine, reply: Reply, reader: Reader) -> Use:
    refused = reply.status >= _ERRORS
    if is_event_stream(reply):
        return Use.READ
    if refused and (reader.committed or not machine.origin.creates):
        return Use.REFUSAL
    return Use.NOTHING if reader.committed else Use.AS_IT_IS


def is_event_stream(reply: Reply) -> bool:
    """Tell an answer whose events can be read."""
    coding = reply.headers.get("Content-Encoding", "identity").strip().lower()
    return reply.status == _OK and of_events(reply.headers) and coding == "identity"


def _not_tried(_machine: InteractionMachine) -> None:
    """Return that an interaction is read on, and nothing is known of a part alone."""


def _note_nothing(_machine: InteractionMachine, _: Attempt | None, __: Sequence[Entry]) -> None:
    """Leave the entry as it is: a part of an interaction has no usage of its own."""


def _name_of_interaction(machine: InteractionMachine) -> Named:
    return Named(machine.interaction_id)


def _no_finish(_machine: InteractionMachine) -> None:
    """Return that an interaction has a status in place of a finishReason."""


def _interaction_result(machine: InteractionMachine, course: Course) -> InteractionResult:
    return InteractionResult(
        ending=None if machine.state is State.CONNECTING else machine.state.value,
        attempts=course.attempts,
        causes=machine.causes,
        events=machine.progress,
        status=machine.status,
        first_byte_ms=course.first_byte_ms,
        repair=machine.repair,
        spent=None if course.passed else _spent_on_interaction(machine),
    )


def _interaction_glimpse(machine: InteractionMachine, wait: Wait) -> Glimpse:
    characters = machine.written.plain + machine.written.others
    return Glimpse(machine.state.value, characters, machine.progress, wait)


def _spent_on_interaction(machine: InteractionMachine) -> Spent:
    """Return what an interaction cost; Google counts it once, however often it is read."""
    if not machine.started:
        return Spent()
    return Spent.told(counted(parse_usage(machine.usage)), machine.written.tokens)


STREAM = AnswerKind(
    stream_reading.STREAM,
    _use_for_a_stream,
    head_at_once=False,
    tried=_tried,
    tell=_tell,
    note=_note,
    name=StreamMachine.take_name,
    finish=_finish,
    repairs=lambda machine: machine.policy.repair,
    result=_stream_result,
    glimpse=_stream_glimpse,
)
TRANSLATED = attrs.evolve(STREAM, passes=False)
"""A stream whose client reads another dialect."""
INTERACTION = AnswerKind(
    interaction_reading.INTERACTION,
    _use_for_an_interaction,
    head_at_once=True,
    tried=_not_tried,
    tell=_note_nothing,
    note=_note_nothing,
    name=_name_of_interaction,
    finish=_no_finish,
    repairs=lambda machine: machine.repair,
    result=_interaction_result,
    glimpse=_interaction_glimpse,
)
