"""The stream machine: whether a stream is whole, and what to do when it is not.

Theory of operation
===================

One machine serves one client stream, which may take several upstream attempts. It is told
what the world did (`Input`) and answers with what to do (`Action`); it never waits, reads a
clock or rolls dice. It decides *whether* to try again; *when* is the pacing's affair.

Everything that moves the machine stands in `TRANSITIONS`, the table at the end of this file:
(State, type of Input) -> the handler, and the states it may lead to. A pair that is not
there raises `IllegalInput`, and a handler that leads elsewhere raises `IllegalTransition`.
The diagram in ARCHITECTURE.md is drawn from the table.

    CONNECTING  an attempt is being made; nothing of it has come yet
    STREAMING   its frames go to the client, raw in an undisturbed stream, rewritten after
                an interruption
    SPLICING    its first text is held until it is known how much of it the client has
    DONE        the answer ended as the upstream ended it
    FAILED      it could not be completed; the client was told loudly

The end is judged when the body ends, not at the first finishReason: Gemini emits
intermediate ones around its built-in tools. A frame that carries one is *held*, its reason
is the *standing* one, and frames that bring no content queue behind it. Content that comes
after it releases what is held, as it came, and clears the standing. A function call holds
everything behind it until the end, so that a broken turn with calls can be asked for again
and each call arrives once.

At the end the standing reason is looked up in the finish table. Without one the stream was
dropped, however politely it was closed. What then can be done depends only on what the
client already has:

    nothing visible         replay the request as it came
    text                    continue it: natively from a checkpoint, else in the text form
    anything else           nothing honest is left: fail
"""

import enum
import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from gemproxy.core.attempt import Attempt, Plan, Told, next_attempt
from gemproxy.core.chunk import Chunk, read
from gemproxy.core.continuation import Form, next_form
from gemproxy.core.document import Document
from gemproxy.core.errors import (
    GemproxyError,
    NoFirstByte,
    NotContinuable,
    Unreachable,
    Unrepaired,
    UpstreamRejection,
)
from gemproxy.core.events import (
    Action,
    Cause,
    Emit,
    Ended,
    Fail,
    Finish,
    GaveUp,
    How,
    Input,
    Opened,
    Received,
    Rejected,
    Resume,
)
from gemproxy.core.flow import Flow
from gemproxy.core.frame import Encoder, Frame
from gemproxy.core.policy import Policy
from gemproxy.core.request import StreamRequest
from gemproxy.core.rewrite import Rewriter, without_reason
from gemproxy.core.seam import Cut, Joint, Seam
from gemproxy.core.splice import Decision
from gemproxy.core.transcript import Transcript
from gemproxy.core.usage import Ledger, counts_output, parse_usage
from gemproxy.core.verdict import (
    Verdict,
    error_status,
    is_transient,
    retry_delay,
    retry_delay_of_body,
)

Actions = tuple[Action, ...]

_BAD_REQUEST = 400
_TOO_MANY_REQUESTS = 429
_CLIENT_ERRORS = range(400, 500)


class State(enum.Enum):
    """Where a stream stands."""

    CONNECTING = "connecting"
    STREAMING = "streaming"
    SPLICING = "splicing"
    DONE = "done"
    FAILED = "failed"

    transitions: "Mapping[type[Input], Transition]"
    """The state's row of `TRANSITIONS`: an enum hashes too slowly for a look-up per event."""


class Patience(enum.Enum):
    """How long silence is normal at this moment; the relay knows the seconds."""

    FIRST_BYTE = "first_byte"
    THINKING = "thinking"
    CHUNK = "chunk"
    FINISH = "finish"
    TOOL_FINISH = "tool_finish"


class IllegalInput(RuntimeError):
    """The world cannot do this in this state: a bug in the caller."""


class IllegalTransition(RuntimeError):
    """A handler led to a state that the table does not name: a bug in the machine."""


@attrs.define
class StreamMachine:
    """One client stream; see the module's theory of operation."""

    request: StreamRequest
    encoder: Encoder
    policy: Policy = attrs.field(factory=Policy)
    state: State = State.CONNECTING
    transcript: Transcript = attrs.field(factory=Transcript)
    ledger: Ledger = attrs.field(factory=Ledger)
    causes: list[Cause] = attrs.field(factory=list)
    joints: list[Joint] = attrs.field(factory=list)
    finish_reason: str | None = None
    _attempt: Attempt = attrs.field(init=False)
    _form: Form = attrs.field(init=False)
    _natively: bool = True
    _empty_stops: int = 0
    _bad_finishes: int = 0
    _waited: bool = False
    _last_words: tuple[Attempt, Ledger] | None = None
    _error: GemproxyError | None = None
    _framed: bool = False

    def __attrs_post_init__(self) -> None:
        self._attempt = Attempt(self.request.body)
        self._form = self.policy.first_form

    # -- what the relay asks ---------------------------------------------------------------

    def receive(self, event: Input) -> Actions:
        """Take one input; return the actions, in the order in which to do them."""
        before = self.state
        transition = before.transitions.get(type(event))
        if transition is None:
            raise IllegalInput(f"can't take {type(event).__name__} when {before.name}")
        actions = transition.handler(self, event)
        if self.state is not before and self.state not in transition.targets:
            raise IllegalTransition(f"{before.name} -> {self.state.name}")
        return actions

    def attempt_body(self) -> bytes:
        """Return the request body of the present attempt."""
        return self._attempt.body

    @property
    def plan(self) -> Plan:
        """What the present attempt is."""
        return self._attempt.plan

    @property
    def form(self) -> Form:
        """The form of continuation in use: worth remembering for the model."""
        return self._form

    @property
    def flowing(self) -> bool:
        """Whether plain events may come as a Flow: nothing is held, nothing left to drop."""
        attempt = self._attempt
        return self.state is State.STREAMING and not (
            attempt.held or attempt.skip or attempt.blocked or attempt.standing
        )

    @property
    def joining(self) -> bool:
        """Whether it is not yet known where the attempt joins what the client has."""
        return self.state is State.SPLICING

    @property
    def progress(self) -> int:
        """A count that grows whenever the client gets something new and visible."""
        return self.transcript.chars + self.transcript.opaque

    @property
    def holding(self) -> bool:
        """Whether text of a resumed attempt is held at the seam."""
        return any(received.chunk.text for received in self._attempt.pending)

    @property
    def patience(self) -> Patience:
        """How long silence is normal now."""
        attempt = self._attempt
        if self.state is State.CONNECTING:
            return Patience.FIRST_BYTE
        if attempt.ended:
            tools = self.request.server_tools or self.transcript.opaque
            return Patience.TOOL_FINISH if tools else Patience.FINISH
        return Patience.CHUNK if attempt.spoke else Patience.THINKING

    # -- connecting ------------------------------------------------------------------------

    def _open(self, _: Opened) -> Actions:
        self.state = State.SPLICING if self._attempt.joiner else State.STREAMING
        return ()

    def _reject(self, event: Rejected) -> Actions:
        plan, status = self._attempt.plan, event.status
        if plan is Plan.TEXT and status == _BAD_REQUEST:
            return self._next_form()
        if plan is Plan.NATIVE and status in _CLIENT_ERRORS and not is_transient(status):
            self._natively = False
            return self._interrupt(Cause.REFUSED)
        error = UpstreamRejection(status, event.body)
        delay = retry_delay_of_body(event.body)
        return self._upstream_error(
            Cause.STATUS, error, event.retry_after if delay is None else delay
        )

    def _next_form(self) -> Actions:
        form = next_form(self._form, self.request)
        if form is None:
            refused = "The stream broke, and the model refuses to continue it."
            return self._fail(Unrepaired(refused))
        self._form = form
        return self._interrupt(Cause.REFUSED)

    def _never_opened(self, event: Ended) -> Actions:
        if event.how is How.NO_FIRST_BYTE:
            return self._interrupt(Cause.STALL, error=NoFirstByte("The upstream did not answer."))
        return self._interrupt(
            Cause.UNREACHABLE, error=Unreachable("The upstream cannot be reached.")
        )

    def _give_up(self, event: GaveUp) -> Actions:
        if self._last_words is not None and self.state is State.CONNECTING:
            return self._pass_last_words(self._last_words)
        return self._fail(self._error or Unrepaired(f"The stream broke: {event.reason}."))

    # -- streaming -------------------------------------------------------------------------

    def _stream(self, event: Received) -> Actions:
        chunk, attempt = event.chunk, self._attempt
        if chunk.plain and attempt.rewriter is None and not attempt.held and not attempt.ended:
            if self.transcript.response_id is None:
                self.transcript.begin(chunk.response_id, chunk.model_version)
            if not self._framed:
                self._frame_like(event.frame.raw)
            self.transcript.add_text(chunk.text)
            attempt.spoke = True
            if chunk.usage:
                attempt.usage = chunk.usage
            return (Emit(event.frame.raw),)
        if chunk.error is not None:
            return self._error_frame(chunk.error)
        return _emitting(self._weigh(event))

    def _flow(self, event: Flow) -> Actions:
        if not self.flowing:
            raise IllegalInput("can't take Flow in a stream that is disturbed")
        attempt = self._attempt
        rewriter = attempt.rewriter
        if not self._framed:
            self._frame_like(event.raw)
        raw = event.raw if rewriter is None else self._retold(event, rewriter)
        if raw is None:
            return _emitting(b"".join(map(self._weigh, _one_by_one(event))))
        attempt.spoke = True
        attempt.usage = event.usage or attempt.usage
        if self.transcript.response_id is None:
            for said in event.events:
                self.transcript.begin(said.response_id, said.model_version)
                if said.response_id is not None:
                    break
        self.transcript.add_texts(event.texts)
        return (Emit(raw),)

    def _retold(self, flow: Flow, rewriter: Rewriter) -> bytes | None:
        """Return a run as the client should see it, or None where each frame is to be weighed."""
        same_framing = self.encoder.like(flow.raw) == self.encoder
        return rewriter.flow(flow) if same_framing else None

    def _frame_like(self, raw: bytes) -> None:
        """From now on frames of our own making look like ``raw``, the client's first frame."""
        self.encoder = self.encoder.like(raw)
        self._framed = True

    def _weigh(self, event: Received) -> bytes:
        """Take a frame that may have to be held; return what goes out now."""
        attempt, chunk = self._attempt, event.chunk
        out = self._clear_standing() if chunk.news and attempt.ended else b""
        self._note(chunk)
        told = self._told(event)
        if self.policy.repair and self._has_to_wait(event):
            attempt.held.append(told)
            return out
        return out + self._release() + self._tell(told)

    def _has_to_wait(self, event: Received) -> bool:
        """Tell a frame that is held; one without data is, while it may be a gateway's page."""
        attempt = self._attempt
        unproved = event.frame.data is None and not self.transcript.started
        return attempt.holds_calls or attempt.ended or unproved

    def _clear_standing(self) -> bytes:
        """Content after a finishReason: it was an intermediate one."""
        self._attempt.standing = None
        return b"" if self._attempt.holds_calls else self._release()

    def _note(self, chunk: Chunk) -> None:
        attempt = self._attempt
        if chunk.usage:
            attempt.usage = chunk.usage
        attempt.spoke = bool(chunk.text) or (attempt.spoke and not chunk.thought)
        attempt.standing = chunk.finish_reason or attempt.standing
        attempt.blocked |= chunk.block_reason is not None
        attempt.holds_calls |= chunk.call and self.policy.hold_calls

    def _told(self, event: Received) -> Told:
        drop = min(self._attempt.skip, len(event.chunk.text))
        self._attempt.skip -= drop
        return Told(event, drop)

    def _release(self) -> bytes:
        held, self._attempt.held = self._attempt.held, []
        return b"".join(map(self._tell, held))

    def _tell(self, told: Told, data: bytes | None = None) -> bytes:
        """Note a frame as delivered and return its bytes; ``data`` replaces its JSON."""
        frame, chunk = told.received.frame, told.received.chunk
        rewriter = self._attempt.rewriter
        if frame.data is None:
            return frame.raw if rewriter is None else b""
        if not self._framed:
            self._frame_like(frame.raw)
        if rewriter is not None:
            data = rewriter.rewrite(data or frame.data, told.drop)
        if data is not None:
            raw = self.encoder.frame(data, first=not self.transcript.started)
        else:
            raw = frame.raw if rewriter is None else b""
        shown = rewriter.shown if rewriter is not None and rewriter.continued else None
        self.transcript.add(chunk, told.text, shown)
        return raw

    def _error_frame(self, error: Mapping[str, Any]) -> Actions:
        if self._attempt.ended:
            return self._judge(None)
        status = error_status(error)
        rejection = UpstreamRejection(status, json.dumps({"error": error}).encode())
        return self._upstream_error(Cause.ERROR_FRAME, rejection, retry_delay(error))

    # -- splicing --------------------------------------------------------------------------

    def _splice(self, event: Received) -> Actions:
        attempt, chunk = self._attempt, event.chunk
        if chunk.error is not None and not attempt.ended:
            return self._error_frame(chunk.error)
        if chunk.news:
            attempt.standing = None
        self._note(chunk)
        attempt.pending.append(event)
        joiner = attempt.joiner
        assert joiner is not None  # noqa: S101 - the state says so
        decision = joiner.feed(chunk.text) if chunk.text else None
        if decision is None and (chunk.call or chunk.opaque):
            decision = joiner.close()
        return self._join(decision) if decision is not None else ()

    def _join(self, decision: Decision) -> Actions:
        attempt = self._attempt
        if not isinstance(decision, Cut):
            self._natively &= attempt.plan is not Plan.NATIVE
            invalid = isinstance(attempt.joiner, Document)
            return self._interrupt(Cause.INVALID if invalid else Cause.DIVERGED)
        self.joints.append(decision.kind)
        self.state = State.STREAMING
        pending, attempt.pending = attempt.pending, []
        attempt.skip, attempt.joiner = decision.drop, None
        attempt.standing, attempt.blocked, attempt.holds_calls = None, False, False
        return _emitting(b"".join(map(self._weigh, pending)))

    def _end_splicing(self, event: Ended) -> Actions:
        joiner = self._attempt.joiner
        if not self._attempt.ended or joiner is None:
            return self._drop(event)
        decision = joiner.close()
        if isinstance(joiner, Seam) and self._may_be_half_an_echo(decision):
            return self._interrupt(Cause.BAD_FINISH)
        joined = self._join(decision)
        return joined + self._judge(event.tail) if self.state is State.STREAMING else joined

    def _may_be_half_an_echo(self, decision: Decision) -> bool:
        """Tell text that was still undecided when its attempt broke off by a bad finishReason."""
        undecided = isinstance(decision, Cut) and decision.kind is Joint.PLAIN
        return undecided and self._verdict() in (Verdict.RESUME, Verdict.CONTINUE)

    # -- the end of an attempt -------------------------------------------------------------

    def _end(self, event: Ended) -> Actions:
        return self._judge(event.tail) if self._attempt.ended else self._drop(event)

    def _drop(self, event: Ended) -> Actions:
        cause = _DROP_CAUSES.get(event.how, Cause.DROP)
        return self._interrupt(cause)

    def _judge(self, tail: Frame | None) -> Actions:
        """Judge a body that is over and has said how the answer ends."""
        verdict = self._verdict()
        if verdict is Verdict.ACCEPT and self._may_ask_again_after_nothing():
            self._empty_stops += 1
            return self._again(Cause.EMPTY)
        if verdict in (Verdict.RESUME, Verdict.CONTINUE):
            return self._go_on(verdict)
        if verdict in (Verdict.REPLAY, Verdict.REROLL) and self._may_replay(verdict):
            self._bad_finishes += 1
            return self._again(Cause.BAD_FINISH)
        return self._finish(tail)

    def _verdict(self) -> Verdict:
        """Return what the ending of this attempt means; a block means what a policy reason does."""
        attempt = self._attempt
        if attempt.standing is None or attempt.blocked or not self.policy.repair:
            return Verdict.POLICY
        return self.policy.finish.of(attempt.standing)

    def _may_ask_again_after_nothing(self) -> bool:
        """Tell an empty STOP that is a fault: after a functionResponse it can be right."""
        held = self._attempt.held
        return (
            self._attempt.standing == "STOP"
            and not self.transcript.visible
            and not any(t.text or t.received.chunk.call or t.received.chunk.opaque for t in held)
            and self._empty_stops < self.policy.empty_stop_retries
            and not self.request.answers_a_call
        )

    def _may_replay(self, verdict: Verdict) -> bool:
        limit = 1 if verdict is Verdict.REROLL else self.policy.bad_finish_replays
        return not self.transcript.visible and self._bad_finishes < limit

    def _again(self, cause: Cause) -> Actions:
        """Ask again, and keep this ending: it is passed on when no better one comes."""
        ending = self._attempt, self.ledger
        actions = self._interrupt(cause)
        if self.state is State.FAILED:
            return self._pass_last_words(ending)
        self._last_words = ending
        return actions

    def _pass_last_words(self, ending: tuple[Attempt, Ledger]) -> Actions:
        self._attempt, self.ledger = ending
        self._attempt.settled = False
        return self._finish(None)

    def _go_on(self, verdict: Verdict) -> Actions:
        """Let the text of an ending that is none go out without its reason, and go on."""
        attempt = self._attempt
        calls = [i for i, told in enumerate(attempt.held) if told.received.chunk.call]
        kept = attempt.held[: calls[0]] if calls else attempt.held
        attempt.held = []
        out = b"".join(
            self._tell(told, without_reason(told.received.frame.data))
            for told in kept
            if told.received.frame.data is not None
            and (told.received.chunk.news or told.received.chunk.token)
        )
        cause = Cause.CONTINUATION if verdict is Verdict.CONTINUE else Cause.BAD_FINISH
        return _emitting(out) + self._interrupt(cause)

    def _finish(self, tail: Frame | None) -> Actions:
        attempt = self._attempt
        if attempt.rewriter is not None:
            attempt.rewriter.last_usage = parse_usage(attempt.usage)
        out = self._release()
        closing = self.encoder.closing(first=not self.transcript.started)
        if attempt.rewriter is None and tail is not None and _closes(tail.raw, closing):
            out += tail.raw
        else:
            out += closing
        self.finish_reason = attempt.standing
        self._settle()
        self.state = State.DONE
        return (*_emitting(out), Finish())

    # -- after an interruption -------------------------------------------------------------

    def _upstream_error(
        self, cause: Cause, error: UpstreamRejection, after: float | None
    ) -> Actions:
        """Try again after an error answer, before the stream or in it, or pass it on."""
        status = error.rejected_with
        if status != _TOO_MANY_REQUESTS:
            return (
                self._interrupt(cause, error=error) if is_transient(status) else self._fail(error)
            )
        if not self._may_wait(after):
            return self._fail(error)
        return self._interrupt(cause, after=after, error=error)

    def _may_wait(self, after: float | None) -> bool:
        """Wait for a quota once, when it says how long and that is not too long."""
        if after is None:
            return self.transcript.started
        waited, self._waited = self._waited, True
        return not waited and after <= self.policy.retry_after_limit

    def _interrupt(
        self, cause: Cause, *, after: float | None = None, error: GemproxyError | None = None
    ) -> Actions:
        """End the attempt and prepare the next one, or fail when there can be none."""
        self.causes.append(cause)
        self._error = error
        self._last_words = None
        if not self.policy.repair:
            return self._fail(error or Unrepaired(f"The stream broke ({cause.value})."))
        self._settle()
        try:
            self._attempt = next_attempt(
                self.request,
                self.transcript,
                self.ledger,
                self.policy,
                form=self._form,
                natively=self._natively,
            )
        except NotContinuable as exc:
            return self._fail(error or Unrepaired(f"The stream broke. {exc.message}"))
        self.state = State.CONNECTING
        return (Resume(cause, after),)

    def _settle(self) -> None:
        attempt = self._attempt
        if attempt.settled:
            return
        attempt.settled = True
        delivered = self.transcript.chars - attempt.begins_at
        usage = parse_usage(attempt.usage)
        text = "" if counts_output(usage) else self.transcript.text[attempt.begins_at :]
        self.ledger = self.ledger.settled(
            usage, received=delivered + attempt.undelivered(), delivered=delivered, text=text
        )

    def _fail(self, error: GemproxyError) -> Actions:
        self._settle()
        self._error = error
        self.state = State.FAILED
        return (Fail(error),)


_DROP_CAUSES = {
    How.STALLED: Cause.STALL,
    How.GARBLED: Cause.GARBLED,
    How.OVERSIZED: Cause.GARBLED,
}


def _closes(tail: bytes, closing: bytes) -> bool:
    """Tell the end of a body from one that was cut short of it; white space apart."""
    return tail.strip().endswith(closing.strip())


def _one_by_one(flow: Flow) -> list[Received]:
    return [Received(Frame(raw, data), read(data)) for raw, data in flow.frames()]


def _emitting(raw: bytes) -> Actions:
    return (Emit(raw),) if raw else ()


@attrs.frozen
class Transition:
    """What happens on an input, and where it may lead; staying is always allowed."""

    handler: Callable[[StreamMachine, Any], Actions]
    targets: frozenset[State]


def _to(handler: Callable[[StreamMachine, Any], Actions], *targets: State) -> Transition:
    return Transition(handler, frozenset(targets))


_AGAIN, _BAD, _OVER = State.CONNECTING, State.FAILED, State.DONE

TRANSITIONS: Mapping[tuple[State, type[Input]], Transition] = {
    (State.CONNECTING, Opened): _to(StreamMachine._open, State.STREAMING, State.SPLICING),
    (State.CONNECTING, Rejected): _to(StreamMachine._reject, _AGAIN, _BAD),
    (State.CONNECTING, Ended): _to(StreamMachine._never_opened, _AGAIN, _BAD),
    (State.CONNECTING, GaveUp): _to(StreamMachine._give_up, _OVER, _BAD),
    (State.STREAMING, Received): _to(StreamMachine._stream, _AGAIN, _OVER, _BAD),
    (State.STREAMING, Flow): _to(StreamMachine._flow),
    (State.STREAMING, Ended): _to(StreamMachine._end, _AGAIN, _OVER, _BAD),
    (State.STREAMING, GaveUp): _to(StreamMachine._give_up, _BAD),
    (State.SPLICING, Received): _to(StreamMachine._splice, State.STREAMING, _AGAIN, _OVER, _BAD),
    (State.SPLICING, Ended): _to(StreamMachine._end_splicing, _AGAIN, _OVER, _BAD),
    (State.SPLICING, GaveUp): _to(StreamMachine._give_up, _BAD),
}

for _state in State:
    _state.transitions = {kind: t for (state, kind), t in TRANSITIONS.items() if state is _state}
