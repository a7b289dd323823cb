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

The end is judged when the body ends, not at the first finishReason: Gemini emits
intermediate ones around its built-in tools. A frame that carries one is *held*, its reason
*stands* (``ending``), and frames that bring no content queue behind it. Content that comes
after it releases what is held, as it came, and revokes the reason. A function call holds
everything behind it until the end, so that a broken turn with calls can be asked for again
and each call arrives once.

At the end each candidate's standing reason is looked up in the finish table. Where one of them
has none the stream was dropped, however politely it was closed. What then can be done depends
only on what the client already has (``attempt.next_attempt``).

A resumed attempt has to bring something new: until it does, its frames wait. STOP behind nothing
new is asked again in another form, and believed only when two forms agree and the text ends
where an answer may end (``closed``).

A JSON answer goes out when it is whole (``document``); what cut attempts have brought of it waits
(``ahead``). To judge it can take long, so it is done in slices: each `Turn` does one, as long as
``judging`` says so.

An ending that is not accepted is *kept*. When no attempt betters it, and nothing more went out,
the client gets it as Gemini gave it. Behind a policy reason no attempt is made.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, ClassVar, TypeVar

import attrs

from gemproxy.core.answer.chunk import Chunk, read
from gemproxy.core.answer.rewrite import Rewriter, without_content, without_reason
from gemproxy.core.answer.transcript import Transcript
from gemproxy.core.answer.usage import Ledger, counts_output, parse_usage
from gemproxy.core.errors import (
    Blocked,
    ContinuationRefused,
    GemproxyError,
    NoFirstByte,
    NotContinuable,
    Unreachable,
    Unrepaired,
    UpstreamRejection,
    upstream_error,
)
from gemproxy.core.repair.ahead import Ahead, Waiting
from gemproxy.core.repair.attempt import Attempt, Plan, Told, Way, next_attempt
from gemproxy.core.repair.closed import is_closed
from gemproxy.core.repair.continuation import Form
from gemproxy.core.repair.ending import Ending
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
)
from gemproxy.core.repair.forms import Forms
from gemproxy.core.repair.policy import Policy
from gemproxy.core.repair.refusals import AT_OUR_OWN_PACE, Again, Refusals
from gemproxy.core.repair.request import StreamRequest
from gemproxy.core.repair.verdict import Verdict, error_status, is_transient
from gemproxy.core.seam.choice import Choice
from gemproxy.core.seam.document import Document
from gemproxy.core.seam.seam import Cut, Joint, Seam
from gemproxy.core.seam.splice import Decision, Swallow
from gemproxy.core.wire.flow import Flow
from gemproxy.core.wire.frame import Frame

T = TypeVar("T")

_AFTER_AN_ATTEMPT = (State.CONNECTING, State.DONE, State.FAILED)
_BAD_REQUEST = 400
_CLIENT_ERRORS = range(400, 500)
_SILENT_HOPS = 20
"""How often in a row Gemini's wish to be called again is followed that brings no text."""

_SOME = 40
"""How many frames of a document are told at once: each takes some 20 microseconds."""

_TWO = 2
"""In how many forms a model has to say STOP behind nothing new before it is believed."""

_NOTHING = re.compile(r"(?:[.\u3002\s]|[>\]\u27e7]{2,}+|</reply_so_far>)*+")
"""What a model adds to a text that it only repeats: a full stop, or marks of our notice.

It never goes back on what it took, for a row of marks can be divided in more ways than can be
tried.
"""


@attrs.frozen
class Kept:
    """An ending that was not accepted, and what the client had then.

    ``progress`` counts it, ``started`` says whether any frame had gone out.
    """

    attempt: Attempt
    progress: int
    started: bool


@attrs.define
class StreamMachine:
    """One client stream; see the module's theory of operation."""

    request: StreamRequest
    policy: Policy = attrs.field(factory=Policy)
    state: State = State.CONNECTING
    transcript: Transcript = attrs.field(factory=Transcript)
    ledger: Ledger = attrs.field(factory=Ledger)
    causes: list[Cause] = attrs.field(factory=list)
    joints: list[Joint] = attrs.field(factory=list)
    finish_reason: str | None = None
    grace_ran_out: bool = False
    _attempt: Attempt = attrs.field(init=False)
    _forms: Forms = attrs.field(init=False)
    _natively: bool = True
    _replayed: bool = False
    _empty_stops: int = 0
    _empty_forms: set[Plan | Form] = attrs.field(factory=set)
    _bad_finishes: int = 0
    _hops: int = 0
    _silent_hops: int = 0
    _refusals: Refusals = attrs.field(init=False)
    _spent: bool = False
    _kept: Kept | None = None
    _ahead: Ahead = attrs.field(factory=Ahead)
    _anew: int = 0
    _todo: Callable[[], Actions] | None = None
    _error: GemproxyError | None = None
    _progress_before: int = 0

    def __attrs_post_init__(self) -> None:
        self._attempt = Attempt(self.request.body)
        self._forms = Forms(self.request, self.policy.first_form)
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
        return self._forms.lesson if self.joints else None

    @property
    def started(self) -> bool:
        """Whether a frame with data went out."""
        return self.transcript.started

    @property
    def flowing(self) -> bool:
        """Whether plain events may come as a Flow: nothing is held, nothing left to drop."""
        attempt = self._attempt
        return self.state is State.STREAMING and not (
            attempt.held or attempt.skip or attempt.marked or attempt.proving
        )

    @property
    def joining(self) -> bool:
        """Whether it is not yet known where the attempt joins, or that it brings anything."""
        return self.state is State.SPLICING or self._attempt.proving

    @property
    def progress(self) -> int:
        """A count that grows whenever the client gets something new and visible.

        It grows with each checkpoint too that Gemini asks to be called again with, and with text
        of a JSON answer that waits until it is whole.
        """
        return self._visible + len(self._ahead.text) + self._hops

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
        return self._todo is not None

    @property
    def holding(self) -> bool:
        """Whether text of a resumed attempt is held at the seam."""
        return any(received.chunk.text for received in self._attempt.pending)

    def waiting(self, delivered: int) -> int:
        """Return the bytes of frames that wait, where ``delivered`` bytes went out before."""
        return self._attempt.waiting(delivered) + self._ahead.size()

    @property
    def patience(self) -> Patience:
        """How long silence is normal now."""
        attempt = self._attempt
        if self.state is State.CONNECTING:
            return Patience.FIRST_BYTE
        if not attempt.ended:
            if attempt.spoke:
                return Patience.CHUNK
            return Patience.THINKING_ON if attempt.shown else Patience.THINKING
        ending = attempt.ending
        due = not ending.blocked and ending.missing(self.request.candidates)
        if ending.revoked or due:
            return Patience.CHUNK  # a reason says little where one was revoked, or one is due
        if ending.reason == "STOP" and not attempt.content:
            return Patience.EMPTY_FINISH
        tools = self.request.server_tools or self.transcript.opaque
        return Patience.TOOL_FINISH if tools else Patience.FINISH

    # -- connecting ------------------------------------------------------------------------

    def _open(self, _: Opened) -> Actions:
        self.state = State.SPLICING if self._attempt.joiner else State.STREAMING
        return ()

    def _reject(self, event: Rejected) -> Actions:
        plan, status = self._attempt.plan, event.status
        if plan is Plan.TEXT and status == _BAD_REQUEST:
            return self._refused_form(event.body)
        if plan is Plan.NATIVE and status in _CLIENT_ERRORS and not is_transient(status):
            self._natively = False
            return self._interrupt(Cause.REFUSED)
        error = UpstreamRejection(status, event.body)
        again = self._refusals.judge(
            status, upstream_error(event.body), event.retry_after, another=event.another
        )
        return self._upstream_error(Cause.STATUS, error, again)

    def _refused_form(self, body: bytes) -> Actions:
        if self._forms.refused(body):
            return self._interrupt(Cause.REFUSED, error=self._error)
        return self._fail(ContinuationRefused(body))

    def _never_opened(self, event: Ended) -> Actions:
        if event.how is How.NO_FIRST_BYTE:
            return self._too_late()
        return self._interrupt(
            Cause.UNREACHABLE, error=Unreachable("The upstream cannot be reached.")
        )

    def _too_late(self) -> Actions:
        """Ask no more: the model may be at work, and the connection is not known to be dead."""
        self.causes.append(Cause.STALL)
        return self._fail(self._error or NoFirstByte("The upstream did not answer in time."))

    def _give_up(self, event: GaveUp) -> Actions:
        """Make no further attempt; an ending that stands is judged first."""
        self._spent = True
        gave_up = self._error or Unrepaired(f"The stream broke: {event.reason}.")
        if self.state is State.CONNECTING or not self._attempt.ended:
            return self._fail(gave_up)
        self._error = gave_up
        return self._over(Ended(How.EOF))

    # -- streaming -------------------------------------------------------------------------

    def _stream(self, event: Received) -> Actions:
        chunk, attempt = event.chunk, self._attempt
        if chunk.plain and attempt.rewriter is None and not attempt.held and not attempt.marked:
            if self.transcript.response_id is None:
                self.transcript.begin(chunk.response_id, chunk.model_version)
            self.transcript.add_text(chunk.text)
            attempt.spoke = True
            if chunk.usage:
                attempt.usage = chunk.usage
            return (Frames((event.frame,)),)
        if self._todo is not None:  # the attempt is over, and a large document is being told
            return ()
        if chunk.error is not None:
            return self._error_frame(chunk.error)
        return _passing(self._weigh(event))

    def _flow(self, event: Flow) -> Actions:
        if not self.flowing:
            raise IllegalInput("can't take Flow in a stream that is disturbed")
        attempt = self._attempt
        rewriter = attempt.rewriter
        raw = event.raw if rewriter is None else rewriter.flow(event)
        if raw is None:
            return _passing(chain.from_iterable(map(self._weigh, _one_by_one(event))))
        attempt.spoke = True
        attempt.usage = event.usage or attempt.usage
        if self.transcript.response_id is None:
            for said in event.events:
                self.transcript.begin(said.response_id, said.model_version)
                if said.response_id is not None:
                    break
        self.transcript.add_texts(event.texts)
        return (Run(raw, event.count, event.separator, rewriter is not None),)

    def _weigh(self, event: Received) -> list[Frame]:
        """Take a frame that may have to be held; return what goes out now."""
        attempt, chunk = self._attempt, event.chunk
        freed = chunk.news and attempt.ended and not (attempt.holds_calls or attempt.proving)
        out = self._release() if freed else []  # that reason was an intermediate one
        self._note(chunk)
        told = self._told(event)
        if attempt.proving:
            self._prove(told)
        if self.policy.repair and self._has_to_wait(event):
            attempt.held.append(told)
            return out
        return out + self._release() + self._tell(told)

    def _has_to_wait(self, event: Received) -> bool:
        """Tell a frame that is held; one without data is, while it may be a gateway's page."""
        attempt = self._attempt
        unproved = event.frame.data is None and not self.transcript.started
        return attempt.holds_calls or attempt.proving or attempt.ended or unproved

    def _prove(self, told: Told) -> None:
        """Look whether a resumed attempt has brought something new by now."""
        attempt, chunk = self._attempt, told.received.chunk
        attempt.proof += told.text
        attempt.proving = not (chunk.call or chunk.opaque or not _NOTHING.fullmatch(attempt.proof))

    def _note(self, chunk: Chunk) -> None:
        attempt = self._attempt
        if chunk.usage:
            attempt.usage = chunk.usage
        attempt.note_ending(chunk)
        attempt.shown |= attempt.spoke
        attempt.spoke = bool(chunk.text) or (attempt.spoke and not chunk.thought)
        attempt.holds_calls |= chunk.call and self.policy.hold_calls

    def _told(self, event: Received) -> Told:
        drop = min(self._attempt.skip, len(event.chunk.text))
        self._attempt.skip -= drop
        return Told(event, drop)

    def _release(self) -> list[Frame]:
        held, self._attempt.held = self._attempt.held, []
        return list(chain.from_iterable(map(self._tell, held)))

    def _tell(
        self, told: Told, data: bytes | None = None, rewriter: Rewriter | None = None
    ) -> list[Frame]:
        """Note a frame as delivered and return what goes out; ``data`` replaces its JSON."""
        frame, chunk = told.received.frame, told.received.chunk
        rewriter = rewriter or self._attempt.rewriter
        if frame.data is None:
            return [frame] if rewriter is None and frame.raw else []
        if rewriter is not None:
            data = rewriter.rewrite(data or frame.data, told.drop)
        own = [frame] if rewriter is None else []
        shown = rewriter.shown if rewriter is not None and rewriter.continued else None
        self.transcript.add(chunk, told.text, shown)
        return own if data is None else [Frame(b"", data)]

    def _error_frame(self, error: Mapping[str, Any]) -> Actions:
        if self._attempt.ended:
            return self._over(Ended(How.RESET))
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
        self._note(chunk)
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
        return _passing(chain.from_iterable(self._told_from(decision)))

    def _told_from(self, cut: Cut) -> Iterator[list[Frame]]:
        """Return what goes out where an attempt joins: what has waited, then its own frames."""
        waiting, pending = self._ahead.take(), self._joined(cut)
        return chain(map(self._tell_waiting, waiting), map(self._weigh, pending))

    def _joined(self, cut: Cut) -> list[Received]:
        """Note where the attempt joins; return its frames, which are to be told from there."""
        attempt = self._attempt
        self.joints.append(cut.kind)
        self.state = State.STREAMING
        whole = isinstance(attempt.joiner, Document | Choice)  # and that is proof enough
        attempt.proving &= not whole
        pending, attempt.pending = attempt.pending, []
        attempt.skip, attempt.joiner = cut.drop, None
        attempt.ending, attempt.marked, attempt.holds_calls = Ending(), False, False
        return pending

    def _diverge(self) -> Actions:
        """Drop an attempt that does not join, unless Gemini has made a decision about content."""
        attempt = self._attempt
        if attempt.ending.policy or attempt.ending.blocked:
            attempt.joiner = Swallow()
            return ()
        self._natively &= attempt.plan is not Plan.NATIVE
        if attempt.plan is Plan.TEXT:
            self._forms.failed()
        if isinstance(attempt.joiner, Document):
            return self._refuse(attempt.joiner)
        return self._interrupt(Cause.DIVERGED)

    def _end_splicing(self, event: Ended) -> Actions:
        """Judge an attempt that is over before it was known where it joins."""
        joiner = self._attempt.joiner
        if self.judging:
            return ()
        if isinstance(joiner, Document):
            return self._end_document(event)
        if not self._is_over(event) or joiner is None:
            return self._drop(event)
        return self._end_joining(joiner.close(), event)

    def _end_joining(self, decision: Decision, event: Ended) -> Actions:
        attempt = self._attempt
        if isinstance(decision, Cut) and not self._is_undecided(decision):
            joined = self._join(decision)
            return joined + self._judge(event.tail) if self.state is State.STREAMING else joined
        if self._verdict() in (Verdict.RESUME, Verdict.CONTINUE):
            return self._interrupt(Cause.BAD_FINISH)
        if isinstance(decision, Cut):
            return self._drop_undecided(event.tail)
        ending = attempt.ending
        if ending.reason == "STOP" and not (ending.policy or ending.blocked):
            return self._diverge()
        return self._drop_undecided(event.tail)

    def _is_undecided(self, decision: Cut) -> bool:
        """Tell text that may still be half a repetition; behind STOP, only if it looks like one."""
        joiner = self._attempt.joiner
        if not isinstance(joiner, Seam) or decision.kind is not Joint.PLAIN:
            return False
        return joiner.begun or self._attempt.ending.reason != "STOP"

    def _drop_undecided(self, tail: Frame | None) -> Actions:
        """Drop text that may be half a repetition, and judge the ending behind it."""
        attempt = self._attempt
        attempt.held = [_without_text(Told(received)) for received in attempt.pending]
        attempt.pending, attempt.joiner, attempt.proving = [], None, True
        self.state = State.STREAMING
        return self._judge(tail)

    # -- documents -------------------------------------------------------------------------

    def _end_document(self, event: Ended) -> Actions:
        """Judge a part of a JSON answer: it makes it whole, or brings it forward, or neither."""
        if not self._is_over(event):
            return self._read(lambda decision: self._go_ahead(decision, self._drop, event))
        if self._verdict() in (Verdict.RESUME, Verdict.CONTINUE):
            return self._read(
                lambda decision: self._go_ahead(decision, self._interrupt, Cause.BAD_FINISH)
            )
        return self._read(lambda decision: self._end_whole(decision, event), whole=True)

    def _error_in_splicing(self, error: Mapping[str, Any]) -> Actions:
        if self._attempt.ended or not isinstance(self._attempt.joiner, Document):
            return self._error_frame(error)
        return self._read(lambda decision: self._go_ahead(decision, self._error_frame, error))

    def _read(self, then: Callable[[Decision], Actions], *, whole: bool = False) -> Actions:
        """Begin to judge a document, and do with the decision what ``then`` says."""
        joiner = self._attempt.joiner
        assert isinstance(joiner, Document)  # noqa: S101 - the caller has seen it
        joiner.end(whole=whole)
        self._todo = lambda: self._advance(joiner, then)
        return self._todo()

    def _turn(self, _: Turn) -> Actions:
        """Do another slice of what takes long."""
        if self._todo is None:
            raise IllegalInput("can't take Turn when there is nothing to go on with")
        return self._todo()

    def _advance(self, joiner: Document, then: Callable[[Decision], Actions]) -> Actions:
        decision = joiner.advance()
        if decision is None:
            return ()
        self._todo = None
        return then(decision)

    def _go_ahead(self, decision: Decision, then: Callable[[T], Actions], argument: T) -> Actions:
        """Keep the text that an attempt has brought for the next one, then end it.

        With a call or a picture among it the next one would bring that again.
        """
        pending = self._attempt.pending
        more = any(received.chunk.call or received.chunk.opaque for received in pending)
        if isinstance(decision, Cut) and not more:
            self.joints.append(decision.kind)
            self._ahead.add(self._attempt, decision.drop, self.ledger.delivered_tokens)
            self._anew = 0
        return then(argument)

    def _end_whole(self, decision: Decision, event: Ended) -> Actions:
        """Tell a document that is whole, with what has waited for that."""
        if not isinstance(decision, Cut):
            return self._end_joining(decision, event)
        frames = self._told_from(decision)
        self._todo = lambda: self._tell_some(frames, event.tail)
        return self._todo()

    def _tell_some(self, frames: Iterator[list[Frame]], tail: Frame | None) -> Actions:
        told = list(islice(frames, _SOME))
        if len(told) == _SOME:
            return _passing(chain.from_iterable(told))
        self._todo = None
        return _passing(chain.from_iterable(told)) + self._judge(tail)

    def _tell_waiting(self, waiting: Waiting) -> list[Frame]:
        told, rewriter = waiting.told, waiting.rewriter
        data = told.received.frame.data
        assert data is not None  # noqa: S101 - a frame with text has data
        reason = told.received.chunk.finish_reason
        out = self._tell(told, without_reason(data) if reason else None, rewriter)
        self._attempt.begins_at = self.transcript.chars
        return out

    def _refuse(self, joiner: Document) -> Actions:
        """Go on without an attempt that made no document, and without what waits."""
        self._withdraw()
        self._anew = self._anew + 1 if joiner.anew else 0
        if self._anew >= _TWO:
            anew = "The stream broke, and the model tells another document each time."
            return self._fail(Unrepaired(anew))
        return self._interrupt(Cause.INVALID)

    def _withdraw(self) -> None:
        """Drop what waits, and count it no more as delivered."""
        if self._ahead.take():
            self.ledger = attrs.evolve(self.ledger, delivered_tokens=self._ahead.tokens)

    # -- the end of an attempt -------------------------------------------------------------

    def _end(self, event: Ended) -> Actions:
        if self.judging:
            return ()
        return self._judge(event.tail) if self._is_over(event) else self._drop(event)

    def _over(self, event: Ended) -> Actions:
        """Take the end of an attempt in the state that it is in."""
        return self._end_splicing(event) if self.state is State.SPLICING else self._end(event)

    def _is_over(self, event: Ended) -> bool:
        """Tell an end from a drop: each candidate that was seen has a reason.

        Where the body has no clean end, those that were asked for count, too.
        """
        attempt = self._attempt
        self.grace_ran_out |= attempt.ended and event.how is How.STALLED
        clean = event.how is How.EOF
        return attempt.marked and attempt.ending.is_over(1 if clean else self.request.candidates)

    def _drop(self, event: Ended) -> Actions:
        cause = _DROP_CAUSES.get(event.how, Cause.DROP)
        return self._interrupt(cause)

    def _judge(self, tail: Frame | None) -> Actions:
        """Judge a body that is over and has said how the answer ends."""
        ending = self._attempt.ending
        visible = self.transcript.visible or self._attempt.content
        nothing = ending.reason == "STOP" and self._attempt.proving
        refused = ending.blocked or (ending.policy and nothing)
        if refused and visible and (nothing or ending.missing()):
            return self._end_refused()
        verdict = self._verdict()
        if verdict is Verdict.ACCEPT and ending.reason == "STOP":
            return self._judge_stop(tail)
        if verdict in (Verdict.RESUME, Verdict.CONTINUE):
            return self._go_on(verdict, tail)
        if verdict in (Verdict.REPLAY, Verdict.REROLL) and self._may_replay(verdict):
            self._bad_finishes += 1
            return self._again(Cause.BAD_FINISH)
        return self._finish(tail)

    def _end_refused(self) -> Actions:
        """End loudly: Gemini refused to go on behind text that has no ending of its own."""
        out = self._release() if self._attempt.rewriter is None else []
        refused = Blocked("The answer was cut off: Gemini refused to go on.")
        return _passing(out) + self._fail(refused)

    def _verdict(self) -> Verdict:
        """Return what the ending of this attempt means; without repair every ending passes."""
        if not self.policy.repair:
            return Verdict.POLICY
        return self._attempt.ending.verdict(self.policy.finish)

    def _judge_stop(self, tail: Frame | None) -> Actions:
        if self._attempt.proving:
            return self._judge_repetition(tail)
        if self._may_ask_again_after_nothing():
            self._empty_stops += 1
            return self._again(Cause.EMPTY)
        return self._finish(tail)

    def _may_ask_again_after_nothing(self) -> bool:
        """Tell an empty STOP that is a fault: after a functionResponse it can be right."""
        held = self._attempt.held
        return (
            not self.transcript.visible
            and not any(t.text or t.received.chunk.call or t.received.chunk.opaque for t in held)
            and self._empty_stops < self.policy.empty_stop_retries
            and not self.request.answers_a_call
        )

    def _judge_repetition(self, tail: Frame | None) -> Actions:
        """Judge a STOP of a resumed attempt that brought nothing new.

        It means that the answer was complete when two forms agree, and the text allows it. Else
        another form is asked, as often as an empty STOP is asked again.
        """
        attempt, limit = self._attempt, self.policy.empty_stop_retries
        self._empty_stops += 1
        self._empty_forms.add(self._forms.present if attempt.plan is Plan.TEXT else attempt.plan)
        agree = len(self._empty_forms) >= _TWO or self._empty_stops >= _TWO > self._forms.ways
        if (agree or self._empty_stops > limit) and is_closed(self.transcript.text):
            if attempt.proof.strip():  # white space is the answer's own
                attempt.held = list(map(_without_text, attempt.held))
            return self._finish(tail)
        if self._empty_stops > limit:
            nothing = "The stream broke, and the model does not go on with it."
            return self._fail(Unrepaired(nothing))
        if attempt.plan is Plan.TEXT:
            self._forms.failed()
        self._natively &= attempt.plan is not Plan.NATIVE
        return self._interrupt(Cause.EMPTY)

    def _may_replay(self, verdict: Verdict) -> bool:
        limit = 1 if verdict is Verdict.REROLL else self.policy.bad_finish_replays
        return not self.transcript.visible and self._bad_finishes < limit

    def _again(self, cause: Cause) -> Actions:
        """Ask again, and keep this ending: it is passed on when no better one comes."""
        self._keep()
        return self._interrupt(cause)

    def _keep(self) -> None:
        """Keep the present ending, unless an earlier one stands at the same place."""
        if self._kept is None or self._kept.progress != self._visible:
            self._kept = Kept(self._attempt, self._visible, self.transcript.started)

    def _pass_kept(self, kept: Kept) -> Actions:
        """End as an earlier attempt did, under the names that the client has seen by now."""
        attempt, told = kept.attempt, self.transcript
        if attempt.rewriter is None and not kept.started and told.started:
            attempt.rewriter = Rewriter(Ledger(), told.response_id, told.model_version)
        self._attempt = attempt
        attempt.settled = True
        return self._finish(None)

    def _go_on(self, verdict: Verdict, tail: Frame | None) -> Actions:
        """Let the text of an ending that is none go out without its reason, and go on.

        A call is asked for again with all that stands behind it. Where no attempt can follow,
        the frames pass as they came.
        """
        attempt = self._attempt
        held = list(map(_without_text, attempt.held)) if attempt.proving else attempt.held
        calls = [i for i, told in enumerate(held) if told.received.chunk.call]
        shown = held[: calls[0]] if calls else held
        came = [told.received.frame for told in held]
        attempt.held = []
        told = [self._tell_without_reason(told) for told in shown if _says_anything(told)]
        attempt.held = [*filter(None, map(self._ending_of, shown)), *held[len(shown) :]]
        self._keep()
        self._count_hop(verdict)
        cause = Cause.CONTINUATION if verdict is Verdict.CONTINUE else Cause.BAD_FINISH
        actions = self._interrupt(cause)
        if self.state is State.DONE and attempt.rewriter is None:
            return (*_passing(came), Finish(tail))
        return _passing(chain.from_iterable(told)) + actions

    def _count_hop(self, verdict: Verdict) -> None:
        """Count Gemini's wishes to be called again: thinking goes on behind a token."""
        if verdict is not Verdict.CONTINUE or self.transcript.checkpoint is None:
            return
        silent = self.transcript.chars == self._attempt.begins_at
        self._silent_hops = self._silent_hops + 1 if silent else 0
        self._hops += 1
        self._spent |= self._silent_hops > _SILENT_HOPS

    def _tell_without_reason(self, told: Told) -> list[Frame]:
        data = told.received.frame.data
        assert data is not None  # noqa: S101 - a frame that says anything has data
        return self._tell(told, without_reason(data))

    @staticmethod
    def _ending_of(told: Told) -> Told | None:
        """Return what is left to pass on of a frame whose content went out."""
        frame, chunk = told.received.frame, told.received.chunk
        if frame.data is None or not (chunk.news or chunk.token):
            return told
        if not chunk.ends:
            return None
        data = without_content(frame.data)
        return Told(Received(Frame(b"", data), read(data)))

    def _finish(self, tail: Frame | None) -> Actions:
        attempt = self._attempt
        if attempt.rewriter is not None:
            attempt.rewriter.last_usage = parse_usage(attempt.usage)
        out = self._release()
        self.finish_reason = attempt.ending.reason
        self._settle()
        self.state = State.DONE
        return (*_passing(out), Finish(tail if attempt.rewriter is None else None))

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
        ending = self._attempt.ending
        if ending.policy:
            self._kept = None  # no earlier ending takes the place of a decision about content
        if not self.policy.repair or self._spent or ending.policy or ending.blocked:
            broke = Unrepaired(f"The stream broke ({cause.value}).")
            return self._fail(error or (self._spent and self._error) or broke)
        self._error = error
        self._settle()
        way = Way(
            self._forms.present,
            self._forms.last,
            self._natively,
            not self._replayed,
            self._ahead.text,
        )
        try:
            self._attempt = next_attempt(
                self.request, self.transcript, self.ledger, self.policy, way
            )
        except NotContinuable as exc:
            return self._fail(error or Unrepaired(f"The stream broke. {exc.message}"))
        self._replayed |= self._attempt.plan is Plan.REPLAY and self.transcript.visible
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

    def _settle(self) -> None:
        attempt = self._attempt
        if attempt.settled:
            return
        attempt.settled = True
        delivered = self.transcript.chars - attempt.begins_at + len(attempt.kept)
        usage = parse_usage(attempt.usage)
        text = self.transcript.text[attempt.begins_at :] + attempt.kept
        text = "" if counts_output(usage) else text
        self.ledger = self.ledger.settled(
            usage, received=delivered + attempt.undelivered(), delivered=delivered, text=text
        )

    def _fail(self, error: GemproxyError) -> Actions:
        """End loudly, unless Gemini gave an ending at this place that can be passed on."""
        self._settle()
        self._withdraw()
        self._error = error
        kept = self._kept
        if kept is not None and kept.progress == self._visible:
            return self._pass_kept(kept)
        self.state = State.FAILED
        return (Fail(error),)

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


_DROP_CAUSES = {
    How.STALLED: Cause.STALL,
    How.GARBLED: Cause.GARBLED,
    How.OVERSIZED: Cause.GARBLED,
}


def _without_text(told: Told) -> Told:
    """Return a frame none of whose text goes out."""
    return Told(told.received, len(told.received.chunk.text))


def _says_anything(told: Told) -> bool:
    """Tell a frame with content, or with a token to go on from."""
    chunk = told.received.chunk
    return told.received.frame.data is not None and bool(chunk.news or chunk.token)


def _one_by_one(flow: Flow) -> list[Received]:
    return [Received(Frame(raw, data), read(data)) for raw, data in flow.frames()]


def _passing(frames: Iterable[Frame]) -> Actions:
    frames = tuple(frames)
    return (Frames(frames),) if frames else ()
