"""Ends: what is done when an attempt is over: end as it did, ask again, or fail.

``judge`` asks what the end means (``ending.meaning``) and looks up in a table what to do about it.
All ways lead to one of three: ``interrupt`` prepares the next attempt, the stream ends as the
upstream ended it, or ``fail`` ends it loudly, unless an ending is kept that can be passed on.

These are parts of the stream machine: they take the machine and what has ended.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from gemproxy.core.answer.usage import parse_usage
from gemproxy.core.errors import (
    BadEnding,
    Blocked,
    GemproxyError,
    NotContinuable,
    Unrepaired,
    UpstreamRejection,
)
from gemproxy.core.repair.attempt import Plan, next_attempt
from gemproxy.core.repair.closed import is_closed
from gemproxy.core.repair.ending import End, Meaning, meaning
from gemproxy.core.repair.engine import Actions, State
from gemproxy.core.repair.events import CAUSE_OF, Cause, Ended, Fail, Finish, How, Resume, passing
from gemproxy.core.repair.refusals import AT_OUR_OWN_PACE, Again
from gemproxy.core.repair.verdict import rejection_of

if TYPE_CHECKING:
    from gemproxy.core.repair.machine import StreamMachine

GOES_ON = frozenset({Meaning.RESUME, Meaning.CONTINUE})
"""Endings that are none: the answer goes on from the text."""


def meaning_of(machine: "StreamMachine", event: Ended) -> Meaning:
    """Return what the end of this attempt means."""
    attempt, request = machine.attempt, machine.request
    machine.grace_ran_out |= event.how is How.STALLED and attempt.ended
    end = End(
        attempt.ending,
        event.how is How.EOF,
        request.candidates,
        attempt.holdback.proving,
        machine.transcript.visible or attempt.content,
    )
    return meaning(end, machine.policy.finish if machine.policy.repair else None)


def judge(machine: "StreamMachine", event: Ended) -> Actions:
    """Do what the end of an attempt calls for, in a stream that is joined."""
    means = meaning_of(machine, event)
    return _ENDS[means](machine, means, event)


def _ask_after_nothing(machine: "StreamMachine", means: Meaning, event: Ended) -> Actions:
    """Ask again after a STOP that said nothing; behind a functionResponse it can be right."""
    may = not machine.request.answers_a_call and machine.tries.may_ask_after_nothing()
    return _again(machine, Cause.EMPTY) if may else _finish(machine, means, event)


def _replay(machine: "StreamMachine", means: Meaning, event: Ended) -> Actions:
    may = not machine.transcript.visible and machine.tries.may_replay(means)
    return _again(machine, Cause.BAD_FINISH) if may else _finish(machine, means, event)


def _drop(machine: "StreamMachine", _: Meaning, event: Ended) -> Actions:
    return interrupt(machine, CAUSE_OF[event.how])


def _end_refused(machine: "StreamMachine", _: Meaning, __: Ended) -> Actions:
    """End loudly: Gemini refused to go on behind text that has no ending of its own."""
    holdback = machine.attempt.holdback
    out = holdback.release() if holdback.rewriter is None else []
    refused = Blocked("The answer was cut off: Gemini refused to go on.")
    return passing(out) + fail(machine, refused)


def _judge_repetition(machine: "StreamMachine", means: Meaning, event: Ended) -> Actions:
    """Judge a STOP of a resumed attempt that brought nothing new.

    It means that the answer was complete when two forms agree, and the text allows it. Else
    another form is asked, as often as an empty STOP is asked again.
    """
    attempt, tries = machine.attempt, machine.tries
    tries.brings_nothing(attempt.plan)
    believed = tries.believes_nothing(machine.transcript.chars)
    if believed and is_closed(machine.transcript.text):
        if attempt.holdback.proof.strip():  # white space is the answer's own
            attempt.holdback.drop_text()
        return _finish(machine, means, event)
    return ask_otherwise(machine)


def ask_otherwise(machine: "StreamMachine") -> Actions:
    """Ask in another form after a STOP that cannot be believed, or fail after enough of them."""
    attempt, tries = machine.attempt, machine.tries
    if tries.nothing_left:
        nothing = "The stream broke, and the model does not go on with it."
        return fail(machine, Unrepaired(nothing))
    tries.fails(attempt.plan)
    return interrupt(machine, Cause.EMPTY)


def _again(machine: "StreamMachine", cause: Cause) -> Actions:
    """Ask again, and keep this ending: it is passed on when no better one comes."""
    _keep(machine)
    return interrupt(machine, cause)


def _keep(machine: "StreamMachine") -> None:
    machine.kept.keep(machine.attempt, machine.visible, started=machine.transcript.started)


def _go_on(machine: "StreamMachine", means: Meaning, event: Ended) -> Actions:
    """Let the text of an ending that is none go out without its reason, and go on.

    A call is asked for again with all that stands behind it. Where no attempt can follow,
    the frames pass as they came.
    """
    attempt = machine.attempt
    came = [trimmed.received.frame for trimmed in attempt.holdback.held]
    out = attempt.holdback.deliver_without_reasons()
    _keep(machine)
    if means is Meaning.CONTINUE and machine.transcript.checkpoint is not None:
        machine.tries.hop(silent=machine.transcript.chars == attempt.begins_at)
    cause = Cause.CONTINUATION if means is Meaning.CONTINUE else Cause.BAD_FINISH
    actions = interrupt(machine, cause)
    if machine.state is State.DONE and attempt.holdback.rewriter is None:
        return (*passing(came), Finish(event.tail))
    return passing(out) + actions


def _finish(machine: "StreamMachine", _: Meaning, event: Ended) -> Actions:
    """End as the upstream did, unless the client's dialect has no word for that."""
    attempt = machine.attempt
    machine.finish_reason = attempt.ending.reason
    if machine.finish_reason in machine.policy.failures:
        return _end_badly(machine, machine.finish_reason)
    rewriter = attempt.holdback.rewriter
    if rewriter is not None:
        rewriter.last_usage = parse_usage(attempt.usage)
    out = attempt.holdback.release()
    machine.tally = attempt.settle(machine.tally, final=True)
    machine.state = State.DONE
    return (*passing(out), Finish(event.tail if rewriter is None else None))


def _end_badly(machine: "StreamMachine", reason: str) -> Actions:
    """End loudly where the upstream's own ending cannot be told; what is held stays untold."""
    machine.tally = machine.attempt.settle(machine.tally, final=True)
    machine.error = BadEnding(reason)
    machine.state = State.FAILED
    return (Fail(machine.error),)


def error_frame(machine: "StreamMachine", error: Mapping[str, Any]) -> Actions:
    """Take an error inside a stream; behind an accepted reason it is an end like any other."""
    if machine.attempt.ended:
        return machine.receive(Ended(How.RESET))
    rejection = rejection_of(error)
    another = machine.attempt.another
    again = machine.refusals.judge(rejection.rejected_with, error, another=another)
    return upstream_error(machine, Cause.ERROR_FRAME, rejection, again)


def upstream_error(
    machine: "StreamMachine", cause: Cause, error: UpstreamRejection, again: Again | None
) -> Actions:
    """Try again after an error answer, before the stream or in it, or pass it on."""
    if again is None:
        return fail(machine, error)
    return interrupt(machine, cause, again, error=error)


def interrupt(
    machine: "StreamMachine",
    cause: Cause,
    again: Again = AT_OUR_OWN_PACE,
    *,
    error: GemproxyError | None = None,
) -> Actions:
    """End the attempt and prepare the next one, or fail when there can be none."""
    machine.causes.append(cause)
    ending, tries = machine.attempt.ending, machine.tries
    if ending.policy:
        machine.kept.forget()
    if not machine.policy.repair or tries.spent or ending.policy or ending.blocked:
        broke = Unrepaired(f"The stream broke ({cause.value}).")
        return fail(machine, error or (tries.spent and machine.error) or broke)
    machine.error = error
    machine.tally, machine.left = machine.attempt.settle(machine.tally), machine.attempt.named
    way = tries.way(machine.documents.ahead.text)
    try:
        machine.attempt = next_attempt(
            machine.request, machine.transcript, machine.tally, machine.policy, way
        )
    except NotContinuable as exc:
        return fail(machine, error or Unrepaired(f"The stream broke. {exc.message}"))
    tries.replayed |= machine.attempt.plan is Plan.REPLAY and machine.transcript.visible
    machine.state = State.CONNECTING
    at_once = _follows(machine, cause) or again.at_once
    return (Resume(cause, again.after, at_once, again.elsewhere, error),)


def _follows(machine: "StreamMachine", cause: Cause) -> bool:
    """Tell whether the next attempt follows from the last one, so that nothing is paced.

    Another form of the same request does, of which there are few, and Gemini's own wish to be
    called again with its token, as long as that brings anything.
    """
    before, machine.progress_before = machine.progress_before, machine.progress
    natively = cause is Cause.CONTINUATION and machine.attempt.plan is Plan.NATIVE
    return cause is Cause.REFUSED or (natively and machine.progress > before)


def fail(machine: "StreamMachine", error: GemproxyError) -> Actions:
    """End loudly, unless Gemini gave an ending at this place that can be passed on."""
    machine.tally, machine.left = machine.attempt.settle(machine.tally), machine.attempt.named
    withdraw(machine)
    machine.error = error
    kept = machine.kept.attempt(machine.visible, machine.transcript)
    if kept is not None:
        machine.attempt = kept
        return _finish(machine, Meaning.OVER, Ended(How.EOF))
    machine.state = State.FAILED
    return (Fail(error),)


def withdraw(machine: "StreamMachine") -> None:
    """Drop what waits, and count it no more as delivered."""
    ahead = machine.documents.ahead
    if ahead.take():
        machine.tally = attrs.evolve(machine.tally, delivered_tokens=ahead.tokens)


_ENDS: Mapping[Meaning, Callable[["StreamMachine", Meaning, Ended], Actions]] = {
    Meaning.OVER: _finish,
    Meaning.DROP: _drop,
    Meaning.EMPTY_STOP: _ask_after_nothing,
    Meaning.NOTHING_NEW: _judge_repetition,
    Meaning.REFUSED: _end_refused,
    Meaning.REPLAY: _replay,
    Meaning.REROLL: _replay,
    Meaning.RESUME: _go_on,
    Meaning.CONTINUE: _go_on,
}
"""What is done about the end of an attempt in a stream that is joined."""
