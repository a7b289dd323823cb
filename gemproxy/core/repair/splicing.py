"""Splicing: where a resumed attempt goes on from, and what is done until that is known.

While a machine is SPLICING, the first frames of an attempt are compared with what the client has
(``seam``, ``choice``, ``document``). Once it is known where the attempt joins, its frames are taken
from there and the machine is STREAMING. An attempt that tells another story is dropped. A document
joins at its end, and is judged in slices (``documents``).

These are handlers of the stream machine: they take the machine and an input.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from gemproxy.core.answer.rewrite import without_reason
from gemproxy.core.errors import Unrepaired
from gemproxy.core.repair import ends
from gemproxy.core.repair.ahead import Waiting
from gemproxy.core.repair.ending import Meaning
from gemproxy.core.repair.engine import Actions, State
from gemproxy.core.repair.events import CAUSE_OF, Cause, Ended, Received, passing
from gemproxy.core.seam.document import Document
from gemproxy.core.seam.seam import Cut, Joint, Seam
from gemproxy.core.seam.splice import Decision, Swallow
from gemproxy.core.seam.tail import UNASKED_MIN
from gemproxy.core.wire.frame import Frame

if TYPE_CHECKING:
    from gemproxy.core.repair.machine import StreamMachine


def splice(machine: "StreamMachine", event: Received) -> Actions:
    """Take a frame of an attempt of which it is not yet known where it joins."""
    attempt, chunk = machine.attempt, event.chunk
    if machine.judging:  # the attempt is over: this is what came behind an error frame
        return ()
    if chunk.error is not None:
        return _error_in_splicing(machine, chunk.error)
    attempt.note(chunk)
    attempt.pending.append(event)
    joiner = attempt.joiner
    assert joiner is not None  # noqa: S101 - the state says so
    decision = joiner.feed(chunk.text) if chunk.text else None
    more = chunk.call or chunk.opaque  # a document is judged at its end, in slices
    if decision is None and more and not isinstance(joiner, Document):
        decision = joiner.close()
    return _join(machine, decision) if decision is not None else ()


def _join(machine: "StreamMachine", decision: Decision) -> Actions:
    if not isinstance(decision, Cut):
        return _diverge(machine)
    return passing(chain.from_iterable(_joined(machine, decision)))


def _joined(machine: "StreamMachine", cut: Cut) -> Iterator[list[Frame]]:
    """Return what goes out where an attempt joins: what has waited, then its own frames."""
    machine.joints.append(cut.kind)
    machine.state = State.STREAMING
    waiting, pending = machine.documents.ahead.take(), machine.attempt.joined(cut.drop)
    return chain(
        map(partial(_deliver_waiting, machine), waiting), map(machine.attempt.take, pending)
    )


def _deliver_waiting(machine: "StreamMachine", waiting: Waiting) -> list[Frame]:
    """Return a frame of an earlier attempt that has waited; its reason was no end."""
    trimmed, rewriter = waiting.frame, waiting.rewriter
    frame, chunk = trimmed.received.frame, trimmed.received.chunk
    assert frame.data is not None  # noqa: S101 - a frame with text has data
    data = without_reason(frame.data) if chunk.finish_reason else None
    out = machine.attempt.holdback.deliver(trimmed, data, rewriter)
    machine.attempt.begins_at = machine.transcript.chars
    return out


def _diverge(machine: "StreamMachine") -> Actions:
    """Drop an attempt that does not join, unless Gemini has made a decision about content."""
    attempt = machine.attempt
    if attempt.ending.policy or attempt.ending.blocked:
        attempt.joiner = Swallow()
        return ()
    machine.tries.fails(attempt.plan)
    if isinstance(attempt.joiner, Document):
        return _refuse(machine, attempt.joiner)
    return ends.interrupt(machine, Cause.DIVERGED)


def end(machine: "StreamMachine", event: Ended) -> Actions:
    """Judge an attempt that is over before it was known where it joins."""
    joiner = machine.attempt.joiner
    if machine.judging:
        return ()
    if isinstance(joiner, Document):
        return _end_document(machine, joiner, event)
    if ends.meaning_of(machine, event) is Meaning.DROP or joiner is None:
        return ends.interrupt(machine, CAUSE_OF[event.how])
    return _end_joining(machine, joiner.close(), event)


def _end_joining(machine: "StreamMachine", decision: Decision, event: Ended) -> Actions:
    if isinstance(decision, Cut) and not _is_undecided(machine, decision):
        joined = _join(machine, decision)
        return joined + ends.judge(machine, event) if machine.state is State.STREAMING else joined
    means = ends.meaning_of(machine, event)
    if means in ends.GOES_ON:
        return ends.interrupt(machine, Cause.BAD_FINISH)
    if means is Meaning.NOTHING_NEW and isinstance(decision, Cut):
        return _judge_remainder(machine, decision, event)
    ending = machine.attempt.ending
    stopped = ending.reason == "STOP" and not (ending.policy or ending.blocked)
    if stopped and not isinstance(decision, Cut):
        return _diverge(machine)
    return _drop_undecided(machine, event)


def _is_undecided(machine: "StreamMachine", decision: Cut) -> bool:
    """Tell text that may still be half a repetition; behind STOP, only if it looks like one."""
    joiner = machine.attempt.joiner
    if not isinstance(joiner, Seam) or decision.kind is not Joint.PLAIN:
        return False
    return joiner.begun or machine.attempt.ending.reason != "STOP"


def _judge_remainder(machine: "StreamMachine", cut: Cut, event: Ended) -> Actions:
    """Judge a STOP behind text that is half a repetition, or the rest of the answer.

    A short text can begin like the anchor by chance. It is the rest when two forms agree on it.
    Else another form is asked, and no STOP behind nothing new is believed at this place any more.
    """
    attempt = machine.attempt
    text = "".join(received.chunk.text for received in attempt.pending)
    agreed = machine.tries.brings_remainder(attempt.plan, machine.transcript.chars, text)
    if agreed and len(text.strip()) < UNASKED_MIN:
        return _join(machine, cut) + ends.judge(machine, event)
    return ends.ask_otherwise(machine)


def _drop_undecided(machine: "StreamMachine", event: Ended) -> Actions:
    """Drop text that may be half a repetition before an ending that passes."""
    attempt = machine.attempt
    attempt.holdback.hold_without_text(attempt.pending)
    attempt.pending, attempt.joiner = [], None
    machine.state = State.STREAMING
    return ends.judge(machine, event)


def _end_document(machine: "StreamMachine", joiner: Document, event: Ended) -> Actions:
    """Judge a part of a JSON answer: it makes it whole, or brings it forward, or neither."""
    means = ends.meaning_of(machine, event)
    if means is Meaning.DROP:
        cause = CAUSE_OF[event.how]
        return _end_in_part(machine, joiner, lambda: ends.interrupt(machine, cause))
    if means in ends.GOES_ON:
        return _end_in_part(machine, joiner, lambda: ends.interrupt(machine, Cause.BAD_FINISH))
    return machine.documents.judge(
        joiner, lambda found: _end_whole(machine, found, event), whole=True
    )


def _error_in_splicing(machine: "StreamMachine", error: Mapping[str, Any]) -> Actions:
    joiner = machine.attempt.joiner
    if machine.attempt.ended or not isinstance(joiner, Document):
        return ends.error_frame(machine, error)
    return _end_in_part(machine, joiner, lambda: ends.error_frame(machine, error))


def _end_in_part(
    machine: "StreamMachine", joiner: Document, then: Callable[[], Actions]
) -> Actions:
    """Keep the text that an attempt has brought for the next one, then end it."""

    def keep(decision: Decision) -> Actions:
        tokens = machine.tally.delivered_tokens
        if machine.documents.keep(machine.attempt, decision, tokens):
            assert isinstance(decision, Cut)  # noqa: S101 - else there is nothing to keep
            machine.joints.append(decision.kind)
        return then()

    return machine.documents.judge(joiner, keep, whole=False)


def _end_whole(machine: "StreamMachine", decision: Decision, event: Ended) -> Actions:
    """Pass on a document that is whole, with what has waited for that."""
    if not isinstance(decision, Cut):
        return _end_joining(machine, decision, event)
    return machine.documents.pass_on(_joined(machine, decision), lambda: ends.judge(machine, event))


def _refuse(machine: "StreamMachine", joiner: Document) -> Actions:
    """Go on without an attempt that made no document, and without what waits."""
    ends.withdraw(machine)
    if machine.documents.strays(joiner):
        anew = "The stream broke, and the model tells another document each time."
        return ends.fail(machine, Unrepaired(anew))
    return ends.interrupt(machine, Cause.INVALID)
