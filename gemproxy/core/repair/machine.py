"""The stream machine: whether a stream is whole, and what to do when it is not.

Theory of operation
===================

One machine serves one client stream, which may take several upstream attempts. It is told
what the world did (`Input`) and answers with what to do (`Action`); it never waits, reads a
clock or rolls dice. It decides *whether* to try again; *when* is the pacing's affair.

Everything that moves the machine stands in `StreamMachine.TRANSITIONS`, the table at the end of
the class; ``engine`` says how it is used and what the states are. Here they mean:

    CONNECTING  an attempt is being made; nothing of it has come yet
    STREAMING   its frames go to the client, raw in an undisturbed stream, rewritten after
                an interruption
    SPLICING    its first text is held until it is known how much of it the client has
    DONE        the answer ended as the upstream ended it
    FAILED      it could not be completed; the client was told loudly

The machine knows what is tried next. It leaves to other modules:

    attempt    what an attempt sends, and what is known of its answer while it runs
    holdback   which of its frames go out, which wait, and how much of them the client has
    ending     what the end of its body means for the answer
    tries      what was tried for the stream, and what is left to try
    documents  JSON answers, which go out when they are whole, judged in slices
    kept       an ending that was not accepted, for when no attempt betters it

The end is judged when the body ends, not at the first finishReason: Gemini emits intermediate ones
around its built-in tools. What then can be done depends only on what the client already has
(``attempt.next_attempt``).

A resumed attempt has to bring something new. STOP behind nothing new is asked again in another
form, and believed only when two forms agree and the text ends where an answer may end
(``closed``). Behind a policy reason no attempt is made.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any, ClassVar, TypeVar

import attrs

from gemproxy.core.answer.chunk import read
from gemproxy.core.answer.rewrite import without_reason
from gemproxy.core.answer.transcript import Transcript
from gemproxy.core.answer.usage import Tally, parse_usage
from gemproxy.core.errors import (
    Blocked,
    ContinuationRefused,
    GemproxyError,
    NotContinuable,
    Unrepaired,
    UpstreamRejection,
    upstream_error,
)
from gemproxy.core.repair.ahead import Waiting
from gemproxy.core.repair.attempt import Attempt, Plan, next_attempt
from gemproxy.core.repair.closed import is_closed
from gemproxy.core.repair.continuation import Form
from gemproxy.core.repair.documents import Documents
from gemproxy.core.repair.ending import End, Meaning, meaning
from gemproxy.core.repair.engine import (
    Actions,
    IllegalInput,
    Patience,
    State,
    Table,
    checked,
    to,
)
from gemproxy.core.repair.events import (
    CAUSE_OF,
    Cause,
    Ended,
    Fail,
    Finish,
    Frames,
    GaveUp,
    How,
    Input,
    Opened,
    Received,
    Rejected,
    Resume,
    Run,
    Turn,
    passing,
)
from gemproxy.core.repair.forms import Forms
from gemproxy.core.repair.holdback import HoldBack
from gemproxy.core.repair.kept import KeptEnding
from gemproxy.core.repair.policy import Policy
from gemproxy.core.repair.refusals import AT_OUR_OWN_PACE, Again, Refusals
from gemproxy.core.repair.request import StreamRequest
from gemproxy.core.repair.tries import Tries
from gemproxy.core.repair.unanswered import unanswered
from gemproxy.core.repair.verdict import error_status, is_transient
from gemproxy.core.seam.document import Document
from gemproxy.core.seam.seam import Cut, Joint, Seam
from gemproxy.core.seam.splice import Decision, Swallow
from gemproxy.core.wire.flow import Flow
from gemproxy.core.wire.frame import Frame

T = TypeVar("T")

_AFTER_AN_ATTEMPT = (State.CONNECTING, State.DONE, State.FAILED)
_BAD_REQUEST = 400
_CLIENT_ERRORS = range(400, 500)


@attrs.define
class StreamMachine:
    """One client stream; see the module's theory of operation."""

    request: StreamRequest
    policy: Policy = attrs.field(factory=Policy)
    state: State = State.CONNECTING
    transcript: Transcript = attrs.field(factory=Transcript)
    tally: Tally = attrs.field(factory=Tally)
    causes: list[Cause] = attrs.field(factory=list)
    joints: list[Joint] = attrs.field(factory=list)
    finish_reason: str | None = None
    grace_ran_out: bool = False
    _attempt: Attempt = attrs.field(init=False)
    _tries: Tries = attrs.field(init=False)
    _refusals: Refusals = attrs.field(init=False)
    _documents: Documents = attrs.field(factory=Documents)
    _kept: KeptEnding = attrs.field(factory=KeptEnding)
    _error: GemproxyError | None = None
    _progress_before: int = 0

    def __attrs_post_init__(self) -> None:
        self._attempt = Attempt(self.request.body, HoldBack(self.transcript, self.policy))
        self._tries = Tries(self.policy, Forms(self.request, self.policy.first_form))
        self._refusals = Refusals(self.policy.retry_after_limit)

    # -- what the relay asks ---------------------------------------------------------------

    @property
    def next_request(self) -> bytes:
        """The request body of the next attempt, or of the one that is being made."""
        return self._attempt.body

    @property
    def plan(self) -> Plan:
        """What the present attempt is."""
        return self._attempt.plan

    @property
    def lesson(self) -> Form | None:
        """The form of continuation that is worth remembering for the model, if any."""
        return self._tries.forms.lesson if self.joints else None

    @property
    def started(self) -> bool:
        """Whether a frame with data went out."""
        return self.transcript.started

    @property
    def flowing(self) -> bool:
        """Whether plain events may come as a Flow: nothing is held, nothing left to drop."""
        attempt = self._attempt
        holdback = attempt.holdback
        return self.state is State.STREAMING and not (
            holdback.held or holdback.skip or attempt.marked or holdback.proving
        )

    @property
    def joining(self) -> bool:
        """Whether it is not yet known where the attempt joins, or that it brings anything."""
        return self.state is State.SPLICING or self._attempt.holdback.proving

    @property
    def progress(self) -> int:
        """A count that grows whenever the client gets something new and visible.

        It grows with each checkpoint too that Gemini asks to be called again with, and with text
        of a JSON answer that waits until it is whole.
        """
        return self._visible + len(self._documents.ahead.text) + self._tries.hops

    @property
    def _visible(self) -> int:
        return self.transcript.chars + self.transcript.opaque

    @property
    def missing_candidates(self) -> int:
        """How many candidates were asked for and did not come."""
        if not self.request.several:
            return 0
        return len(set(range(self.request.candidates)) - self._attempt.ending.reasons.keys())

    @property
    def judging(self) -> bool:
        """Whether the machine has more to do before it answers: it is waiting for a Turn."""
        return self._documents.judging

    @property
    def holding(self) -> bool:
        """Whether text of a resumed attempt is held at the seam."""
        return any(received.chunk.text for received in self._attempt.pending)

    def waiting(self, delivered: int) -> int:
        """Return the bytes of frames that wait, where ``delivered`` bytes went out before."""
        return self._attempt.waiting(delivered) + self._documents.ahead.size()

    @property
    def patience(self) -> Patience:
        """How long silence is normal now."""
        if self.state is State.CONNECTING:
            return Patience.FIRST_BYTE
        attempt = self._attempt
        if attempt.spoke and not attempt.marked:  # nearly always, and asked for each read
            return Patience.CHUNK
        return attempt.patience(self.request)

    # -- connecting ------------------------------------------------------------------------

    def _open(self, _: Opened) -> Actions:
        self.state = State.SPLICING if self._attempt.joiner else State.STREAMING
        return ()

    def _reject(self, event: Rejected) -> Actions:
        plan, status = self._attempt.plan, event.status
        if plan is Plan.TEXT and status == _BAD_REQUEST:
            return self._refused_form(event.body)
        if plan is Plan.NATIVE and status in _CLIENT_ERRORS and not is_transient(status):
            self._tries.natively = False
            return self._interrupt(Cause.REFUSED)
        error = UpstreamRejection(status, event.body)
        again = self._refusals.judge(
            status, upstream_error(event.body), event.retry_after, another=event.another
        )
        return self._upstream_error(Cause.STATUS, error, again)

    def _refused_form(self, body: bytes) -> Actions:
        if self._tries.forms.refused(body):
            return self._interrupt(Cause.REFUSED, error=self._error)
        return self._fail(ContinuationRefused(body))

    def _never_opened(self, event: Ended) -> Actions:
        if event.how is How.NO_FIRST_BYTE:
            return self._too_late()
        return self._interrupt(Cause.UNREACHABLE, error=unanswered(How.UNREACHABLE))

    def _too_late(self) -> Actions:
        """Ask no more: the model may be at work, and the connection is not known to be dead."""
        self.causes.append(Cause.STALL)
        return self._fail(self._error or unanswered(How.NO_FIRST_BYTE))

    def _give_up(self, event: GaveUp) -> Actions:
        """Make no further attempt; an ending that stands is judged first."""
        self._tries.spent = True
        gave_up = self._error or Unrepaired(f"The stream broke: {event.reason}.")
        if self.state is State.CONNECTING or not self._attempt.ended:
            return self._fail(gave_up)
        self._error = gave_up
        return self._end_in_any_state(Ended(How.EOF))

    # -- streaming -------------------------------------------------------------------------

    def _stream(self, event: Received) -> Actions:
        chunk, attempt = event.chunk, self._attempt
        holdback = attempt.holdback
        if chunk.plain and holdback.rewriter is None and not holdback.held and not attempt.marked:
            if self.transcript.response_id is None:
                self.transcript.begin(chunk.response_id, chunk.model_version)
            self.transcript.add_text(chunk.text)
            attempt.spoke = True
            if chunk.usage:
                attempt.usage = chunk.usage
            return (Frames((event.frame,)),)
        if self.judging:  # the attempt is over, and a large document is passed on
            return ()
        if chunk.error is not None:
            return self._error_frame(chunk.error)
        return passing(self._take(event))

    def _flow(self, event: Flow) -> Actions:
        if not self.flowing:
            raise IllegalInput("can't take Flow in a stream that is disturbed")
        attempt = self._attempt
        rewriter = attempt.holdback.rewriter
        raw = event.raw if rewriter is None else rewriter.flow(event)
        if raw is None:
            return passing(chain.from_iterable(map(self._take, _one_by_one(event))))
        attempt.spoke = True
        attempt.usage = event.usage or attempt.usage
        if self.transcript.response_id is None:
            for said in event.events:
                self.transcript.begin(said.response_id, said.model_version)
                if said.response_id is not None:
                    break
        self.transcript.add_texts(event.texts)
        return (Run(raw, event.count, event.separator, rewriter is not None),)

    def _take(self, event: Received) -> list[Frame]:
        """Take a frame that may have to be held; return what goes out now."""
        attempt, chunk = self._attempt, event.chunk
        more = chunk.news and attempt.ended  # that reason was an intermediate one
        out = attempt.holdback.free() if more else []
        attempt.note(chunk)
        return out + attempt.holdback.take(event, ended=attempt.ended)

    def _error_frame(self, error: Mapping[str, Any]) -> Actions:
        if self._attempt.ended:
            return self._end_in_any_state(Ended(How.RESET))
        status = error_status(error)
        rejection = UpstreamRejection(status, json.dumps({"error": error}).encode())
        again = self._refusals.judge(status, error)
        return self._upstream_error(Cause.ERROR_FRAME, rejection, again)

    # -- splicing --------------------------------------------------------------------------

    def _splice(self, event: Received) -> Actions:
        attempt, chunk = self._attempt, event.chunk
        if self.judging:  # the attempt is over: this is what came behind an error frame
            return ()
        if chunk.error is not None:
            return self._error_in_splicing(chunk.error)
        attempt.note(chunk)
        attempt.pending.append(event)
        joiner = attempt.joiner
        assert joiner is not None  # noqa: S101 - the state says so
        decision = joiner.feed(chunk.text) if chunk.text else None
        more = chunk.call or chunk.opaque  # a document is judged at its end, in slices
        if decision is None and more and not isinstance(joiner, Document):
            decision = joiner.close()
        return self._join(decision) if decision is not None else ()

    def _join(self, decision: Decision) -> Actions:
        if not isinstance(decision, Cut):
            return self._diverge()
        return passing(chain.from_iterable(self._joined(decision)))

    def _joined(self, cut: Cut) -> Iterator[list[Frame]]:
        """Return what goes out where an attempt joins: what has waited, then its own frames."""
        self.joints.append(cut.kind)
        self.state = State.STREAMING
        waiting, pending = self._documents.ahead.take(), self._attempt.joined(cut.drop)
        return chain(map(self._deliver_waiting, waiting), map(self._take, pending))

    def _deliver_waiting(self, waiting: Waiting) -> list[Frame]:
        """Return a frame of an earlier attempt that has waited; its reason was no end."""
        trimmed, rewriter = waiting.frame, waiting.rewriter
        frame, chunk = trimmed.received.frame, trimmed.received.chunk
        assert frame.data is not None  # noqa: S101 - a frame with text has data
        data = without_reason(frame.data) if chunk.finish_reason else None
        out = self._attempt.holdback.deliver(trimmed, data, rewriter)
        self._attempt.begins_at = self.transcript.chars
        return out

    def _diverge(self) -> Actions:
        """Drop an attempt that does not join, unless Gemini has made a decision about content."""
        attempt = self._attempt
        if attempt.ending.policy or attempt.ending.blocked:
            attempt.joiner = Swallow()
            return ()
        self._tries.fails(attempt.plan)
        if isinstance(attempt.joiner, Document):
            return self._refuse(attempt.joiner)
        return self._interrupt(Cause.DIVERGED)

    def _end_splicing(self, event: Ended) -> Actions:
        """Judge an attempt that is over before it was known where it joins."""
        joiner = self._attempt.joiner
        if self.judging:
            return ()
        if isinstance(joiner, Document):
            return self._end_document(joiner, event)
        if self._meaning(event) is Meaning.DROP or joiner is None:
            return self._interrupt(CAUSE_OF[event.how])
        return self._end_joining(joiner.close(), event)

    def _end_joining(self, decision: Decision, event: Ended) -> Actions:
        if isinstance(decision, Cut) and not self._is_undecided(decision):
            joined = self._join(decision)
            return joined + self._judge(event) if self.state is State.STREAMING else joined
        if self._meaning(event) in _GOES_ON:
            return self._interrupt(Cause.BAD_FINISH)
        ending = self._attempt.ending
        stopped = ending.reason == "STOP" and not (ending.policy or ending.blocked)
        if stopped and not isinstance(decision, Cut):
            return self._diverge()
        return self._drop_undecided(event)

    def _is_undecided(self, decision: Cut) -> bool:
        """Tell text that may still be half a repetition; behind STOP, only if it looks like one."""
        joiner = self._attempt.joiner
        if not isinstance(joiner, Seam) or decision.kind is not Joint.PLAIN:
            return False
        return joiner.begun or self._attempt.ending.reason != "STOP"

    def _drop_undecided(self, event: Ended) -> Actions:
        """Drop text that may be half a repetition, and judge the ending behind it."""
        attempt = self._attempt
        attempt.holdback.hold_without_text(attempt.pending)
        attempt.pending, attempt.joiner = [], None
        self.state = State.STREAMING
        return self._judge(event)

    # -- documents -------------------------------------------------------------------------

    def _turn(self, _: Turn) -> Actions:
        """Do another slice of what takes long."""
        return self._documents.turn()

    def _end_document(self, joiner: Document, event: Ended) -> Actions:
        """Judge a part of a JSON answer: it makes it whole, or brings it forward, or neither."""
        means = self._meaning(event)
        if means is Meaning.DROP:
            return self._end_in_part(joiner, self._interrupt, CAUSE_OF[event.how])
        if means in _GOES_ON:
            return self._end_in_part(joiner, self._interrupt, Cause.BAD_FINISH)
        return self._documents.judge(
            joiner, lambda found: self._end_whole(found, event), whole=True
        )

    def _error_in_splicing(self, error: Mapping[str, Any]) -> Actions:
        joiner = self._attempt.joiner
        if self._attempt.ended or not isinstance(joiner, Document):
            return self._error_frame(error)
        return self._end_in_part(joiner, self._error_frame, error)

    def _end_in_part(self, joiner: Document, then: Callable[[T], Actions], argument: T) -> Actions:
        """Keep the text that an attempt has brought for the next one, then end it."""

        def keep(decision: Decision) -> Actions:
            tokens = self.tally.delivered_tokens
            if self._documents.keep(self._attempt, decision, tokens):
                assert isinstance(decision, Cut)  # noqa: S101 - else there is nothing to keep
                self.joints.append(decision.kind)
            return then(argument)

        return self._documents.judge(joiner, keep, whole=False)

    def _end_whole(self, decision: Decision, event: Ended) -> Actions:
        """Pass on a document that is whole, with what has waited for that."""
        if not isinstance(decision, Cut):
            return self._end_joining(decision, event)
        return self._documents.pass_on(self._joined(decision), lambda: self._judge(event))

    def _refuse(self, joiner: Document) -> Actions:
        """Go on without an attempt that made no document, and without what waits."""
        self._withdraw()
        if self._documents.strays(joiner):
            anew = "The stream broke, and the model tells another document each time."
            return self._fail(Unrepaired(anew))
        return self._interrupt(Cause.INVALID)

    def _withdraw(self) -> None:
        """Drop what waits, and count it no more as delivered."""
        ahead = self._documents.ahead
        if ahead.take():
            self.tally = attrs.evolve(self.tally, delivered_tokens=ahead.tokens)

    # -- the end of an attempt -------------------------------------------------------------

    def _end(self, event: Ended) -> Actions:
        return () if self.judging else self._judge(event)

    def _end_in_any_state(self, event: Ended) -> Actions:
        return self._end_splicing(event) if self.state is State.SPLICING else self._end(event)

    def _meaning(self, event: Ended) -> Meaning:
        """Return what the end of this attempt means."""
        attempt, request = self._attempt, self.request
        self.grace_ran_out |= event.how is How.STALLED and attempt.ended
        end = End(
            attempt.ending,
            event.how is How.EOF,
            request.candidates,
            attempt.holdback.proving,
            self.transcript.visible or attempt.content,
        )
        return meaning(end, self.policy.finish if self.policy.repair else None)

    def _judge(self, event: Ended) -> Actions:
        """Do what the end of an attempt calls for, in a stream that is joined."""
        means = self._meaning(event)
        return self.ENDS[means](self, means, event)

    def _ask_after_nothing(self, means: Meaning, event: Ended) -> Actions:
        """Ask again after a STOP that said nothing; behind a functionResponse it can be right."""
        may = not self.request.answers_a_call and self._tries.may_ask_after_nothing()
        return self._again(Cause.EMPTY) if may else self._finish(means, event)

    def _replay(self, means: Meaning, event: Ended) -> Actions:
        may = not self.transcript.visible and self._tries.may_replay(means)
        return self._again(Cause.BAD_FINISH) if may else self._finish(means, event)

    def _drop(self, _: Meaning, event: Ended) -> Actions:
        return self._interrupt(CAUSE_OF[event.how])

    def _end_refused(self, _: Meaning, __: Ended) -> Actions:
        """End loudly: Gemini refused to go on behind text that has no ending of its own."""
        holdback = self._attempt.holdback
        out = holdback.release() if holdback.rewriter is None else []
        refused = Blocked("The answer was cut off: Gemini refused to go on.")
        return passing(out) + self._fail(refused)

    def _judge_repetition(self, means: Meaning, event: Ended) -> Actions:
        """Judge a STOP of a resumed attempt that brought nothing new.

        It means that the answer was complete when two forms agree, and the text allows it. Else
        another form is asked, as often as an empty STOP is asked again.
        """
        attempt, tries = self._attempt, self._tries
        tries.brings_nothing(attempt.plan)
        if (tries.agree or tries.nothing_left) and is_closed(self.transcript.text):
            if attempt.holdback.proof.strip():  # white space is the answer's own
                attempt.holdback.drop_text()
            return self._finish(means, event)
        if tries.nothing_left:
            nothing = "The stream broke, and the model does not go on with it."
            return self._fail(Unrepaired(nothing))
        tries.fails(attempt.plan)
        return self._interrupt(Cause.EMPTY)

    def _again(self, cause: Cause) -> Actions:
        """Ask again, and keep this ending: it is passed on when no better one comes."""
        self._keep()
        return self._interrupt(cause)

    def _keep(self) -> None:
        self._kept.keep(self._attempt, self._visible, started=self.transcript.started)

    def _go_on(self, means: Meaning, event: Ended) -> Actions:
        """Let the text of an ending that is none go out without its reason, and go on.

        A call is asked for again with all that stands behind it. Where no attempt can follow,
        the frames pass as they came.
        """
        attempt = self._attempt
        came = [trimmed.received.frame for trimmed in attempt.holdback.held]
        out = attempt.holdback.deliver_without_reasons()
        self._keep()
        if means is Meaning.CONTINUE and self.transcript.checkpoint is not None:
            self._tries.hop(silent=self.transcript.chars == attempt.begins_at)
        cause = Cause.CONTINUATION if means is Meaning.CONTINUE else Cause.BAD_FINISH
        actions = self._interrupt(cause)
        if self.state is State.DONE and attempt.holdback.rewriter is None:
            return (*passing(came), Finish(event.tail))
        return passing(out) + actions

    def _finish(self, _: Meaning, event: Ended) -> Actions:
        """End as the upstream did."""
        attempt = self._attempt
        rewriter = attempt.holdback.rewriter
        if rewriter is not None:
            rewriter.last_usage = parse_usage(attempt.usage)
        out = attempt.holdback.release()
        self.finish_reason = attempt.ending.reason
        self.tally = attempt.settle(self.tally)
        self.state = State.DONE
        return (*passing(out), Finish(event.tail if rewriter is None else None))

    # -- after an interruption -------------------------------------------------------------

    def _upstream_error(
        self, cause: Cause, error: UpstreamRejection, again: Again | None
    ) -> Actions:
        """Try again after an error answer, before the stream or in it, or pass it on."""
        if again is None:
            return self._fail(error)
        return self._interrupt(cause, again, error=error)

    def _interrupt(
        self,
        cause: Cause,
        again: Again = AT_OUR_OWN_PACE,
        *,
        error: GemproxyError | None = None,
    ) -> Actions:
        """End the attempt and prepare the next one, or fail when there can be none."""
        self.causes.append(cause)
        ending, tries = self._attempt.ending, self._tries
        if ending.policy:
            self._kept.forget()
        if not self.policy.repair or tries.spent or ending.policy or ending.blocked:
            broke = Unrepaired(f"The stream broke ({cause.value}).")
            return self._fail(error or (tries.spent and self._error) or broke)
        self._error = error
        self.tally = self._attempt.settle(self.tally)
        way = tries.way(self._documents.ahead.text)
        try:
            self._attempt = next_attempt(
                self.request, self.transcript, self.tally, self.policy, way
            )
        except NotContinuable as exc:
            return self._fail(error or Unrepaired(f"The stream broke. {exc.message}"))
        tries.replayed |= self._attempt.plan is Plan.REPLAY and self.transcript.visible
        self.state = State.CONNECTING
        return (Resume(cause, again.after, self._follows(cause), again.elsewhere),)

    def _follows(self, cause: Cause) -> bool:
        """Tell whether the next attempt follows from the last one, so that nothing is paced.

        Another form of the same request does, of which there are few, and Gemini's own wish to be
        called again with its token, as long as that brings anything.
        """
        before, self._progress_before = self._progress_before, self.progress
        natively = cause is Cause.CONTINUATION and self._attempt.plan is Plan.NATIVE
        return cause is Cause.REFUSED or (natively and self.progress > before)

    def _fail(self, error: GemproxyError) -> Actions:
        """End loudly, unless Gemini gave an ending at this place that can be passed on."""
        self.tally = self._attempt.settle(self.tally)
        self._withdraw()
        self._error = error
        kept = self._kept.attempt(self._visible, self.transcript)
        if kept is not None:
            self._attempt = kept
            return self._finish(Meaning.OVER, Ended(How.EOF))
        self.state = State.FAILED
        return (Fail(error),)

    ENDS: ClassVar[Mapping[Meaning, Callable[[Any, Meaning, Ended], Actions]]] = {
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

    # -- what moves the machine ------------------------------------------------------------

    TRANSITIONS: ClassVar[Table] = {
        (State.CONNECTING, Opened): to(_open, State.STREAMING, State.SPLICING),
        (State.CONNECTING, Rejected): to(_reject, *_AFTER_AN_ATTEMPT),
        (State.CONNECTING, Ended): to(_never_opened, *_AFTER_AN_ATTEMPT),
        (State.CONNECTING, GaveUp): to(_give_up, State.DONE, State.FAILED),
        (State.STREAMING, Received): to(_stream, *_AFTER_AN_ATTEMPT),
        (State.STREAMING, Turn): to(_turn, *_AFTER_AN_ATTEMPT),
        (State.STREAMING, Flow): to(_flow),
        (State.STREAMING, Ended): to(_end, *_AFTER_AN_ATTEMPT),
        (State.STREAMING, GaveUp): to(_give_up, State.DONE, State.FAILED),
        (State.SPLICING, Received): to(_splice, State.STREAMING, *_AFTER_AN_ATTEMPT),
        (State.SPLICING, Turn): to(_turn, State.STREAMING, *_AFTER_AN_ATTEMPT),
        (State.SPLICING, Ended): to(_end_splicing, State.STREAMING, *_AFTER_AN_ATTEMPT),
        (State.SPLICING, GaveUp): to(_give_up, State.STREAMING, State.DONE, State.FAILED),
    }
    receive: ClassVar[Callable[[Any, Input], Actions]] = checked(TRANSITIONS)


_GOES_ON = frozenset({Meaning.RESUME, Meaning.CONTINUE})


def _one_by_one(flow: Flow) -> list[Received]:
    return [Received(Frame(raw, data), read(data)) for raw, data in flow.frames()]
