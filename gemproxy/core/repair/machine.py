"""The stream machine: whether a stream is whole, and what to do when it is not.

Theory of operation
===================

One machine serves one client stream, which may take several upstream attempts. It takes
what the world did (`Input`) and answers with what to do (`Action`); it never waits, reads a
clock or rolls dice. It decides *whether* to try again; *when* is the pacing's affair.

Everything that moves the machine stands in `StreamMachine.TRANSITIONS`, the table at the end of
the class; ``engine`` says how it is used and what the states are. Here they mean:

    CONNECTING  an attempt is being made; nothing of it has come yet
    STREAMING   its frames go to the client, raw in an undisturbed stream, rewritten after
                an interruption
    SPLICING    its first text is held until it is known how much of it the client has
    DONE        the answer ended as the upstream ended it
    FAILED      it could not be completed; the client got an error

The machine holds what is known of the stream, connects attempts and passes on an undisturbed
stream. Its other parts are modules of their own:

    splicing   where a resumed attempt joins, and what is done until that is known
    ends       what is done when an attempt is over: end as it did, ask again, or fail

They use what is of use without a machine, too:

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

from collections.abc import Callable
from itertools import chain
from typing import Any, ClassVar, TypeVar

import attrs

from gemproxy.core.answer.chunk import Named, read
from gemproxy.core.answer.transcript import Transcript
from gemproxy.core.answer.usage import Tally
from gemproxy.core.errors import (
    ContinuationRefused,
    GemproxyError,
    Unrepaired,
    Unserved,
    UpstreamRejection,
)
from gemproxy.core.repair import ends, splicing
from gemproxy.core.repair.attempt import Attempt, Plan
from gemproxy.core.repair.continuation import Form
from gemproxy.core.repair.documents import Documents
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
    Frames,
    GaveUp,
    How,
    Input,
    Opened,
    Received,
    Rejected,
    Run,
    Turn,
    passing,
)
from gemproxy.core.repair.forms import Forms
from gemproxy.core.repair.holdback import HoldBack
from gemproxy.core.repair.kept import KeptEnding
from gemproxy.core.repair.policy import Policy
from gemproxy.core.repair.refusals import Refusals
from gemproxy.core.repair.request import StreamRequest
from gemproxy.core.repair.tries import Tries
from gemproxy.core.repair.unanswered import unanswered
from gemproxy.core.repair.verdict import is_transient
from gemproxy.core.seam.seam import Joint
from gemproxy.core.wire.flow import Flow
from gemproxy.core.wire.frame import Frame

T = TypeVar("T")

_AFTER_AN_ATTEMPT = (State.CONNECTING, State.DONE, State.FAILED)
_BAD_REQUEST = 400
_CLIENT_ERRORS = range(400, 500)


@attrs.define
class StreamMachine:
    """One client stream; see the module's theory of operation.

    ``causes`` says why attempts had to be made again, ``joints`` how they joined, in their order.
    ``finish_reason`` is how the answer ended, and ``grace_ran_out`` that an attempt fell silent
    behind its reason. ``error`` is what the client gets if nothing better comes. What begins
    with ``attempt`` is for the modules of this room. ``left`` is what the answer of an attempt
    called itself in whose place there is another one now.
    """

    request: StreamRequest
    policy: Policy = attrs.field(factory=Policy)
    state: State = State.CONNECTING
    transcript: Transcript = attrs.field(factory=Transcript)
    tally: Tally = attrs.field(factory=Tally)
    causes: list[Cause] = attrs.field(factory=list)
    joints: list[Joint] = attrs.field(factory=list)
    finish_reason: str | None = None
    grace_ran_out: bool = False
    attempt: Attempt = attrs.field(init=False)
    tries: Tries = attrs.field(init=False)
    refusals: Refusals = attrs.field(init=False)
    documents: Documents = attrs.field(factory=Documents)
    kept: KeptEnding = attrs.field(factory=KeptEnding)
    error: GemproxyError | None = None
    progress_before: int = 0
    left: Named | None = None

    def __attrs_post_init__(self) -> None:
        self.attempt = Attempt(self.request.body, HoldBack(self.transcript, self.policy))
        self.tries = Tries(self.policy, Forms(self.request, self.policy.first_form))
        self.refusals = Refusals(self.policy.retry_after_limit)

    # -- what the relay asks ---------------------------------------------------------------

    @property
    def next_request(self) -> bytes:
        """The request body of the next attempt, or of the one that is being made."""
        return self.attempt.body

    def take_name(self) -> Named:
        """Return what the answer calls itself, of the attempt that ended last or that runs."""
        left, self.left = self.left, None
        return self.attempt.named if left is None else left

    @property
    def plan(self) -> Plan:
        """What the present attempt is."""
        return self.attempt.plan

    @property
    def lesson(self) -> Form | None:
        """The form of continuation that is worth remembering for the model, if any."""
        return self.tries.forms.lesson if self.joints else None

    @property
    def started(self) -> bool:
        """Whether a frame with data went out."""
        return self.transcript.started

    @property
    def flowing(self) -> bool:
        """Whether plain events may come as a Flow: nothing is held, nothing left to drop."""
        attempt = self.attempt
        holdback = attempt.holdback
        return self.state is State.STREAMING and not (
            holdback.held or holdback.skip or attempt.marked or holdback.proving
        )

    @property
    def joining(self) -> bool:
        """Whether it is not yet known where the attempt joins, or that it brings anything."""
        return self.state is State.SPLICING or self.attempt.holdback.proving

    @property
    def progress(self) -> int:
        """A count that grows whenever the client gets something new and visible.

        It grows with each checkpoint too that Gemini asks to be called again with, and with text
        of a JSON answer that waits until it is whole.
        """
        return self.visible + len(self.documents.ahead.text) + self.tries.hops

    @property
    def visible(self) -> int:
        """The part of ``progress`` that the client has."""
        return self.transcript.chars + self.transcript.opaque

    @property
    def missing_candidates(self) -> int:
        """How many candidates were asked for and did not come."""
        if not self.request.several:
            return 0
        return len(set(range(self.request.candidates)) - self.attempt.ending.reasons.keys())

    @property
    def judging(self) -> bool:
        """Whether the machine has more to do before it answers: it is waiting for a Turn."""
        return self.documents.judging

    @property
    def holding(self) -> bool:
        """Whether text of a resumed attempt is held at the seam."""
        return any(received.chunk.text for received in self.attempt.pending)

    def waiting(self, delivered: int) -> int:
        """Return the bytes of frames that wait, where ``delivered`` bytes went out before."""
        return self.attempt.waiting(delivered) + self.documents.ahead.size()

    @property
    def patience(self) -> Patience:
        """How long silence is normal now."""
        if self.state is State.CONNECTING:
            return Patience.FIRST_BYTE
        attempt = self.attempt
        if attempt.spoke and not attempt.marked:  # nearly always, and asked for each read
            return Patience.CHUNK
        return attempt.patience(self.request)

    # -- connecting ------------------------------------------------------------------------

    def _open(self, event: Opened) -> Actions:
        self.attempt.another = event.another
        self.state = State.SPLICING if self.attempt.joiner else State.STREAMING
        return ()

    def _reject(self, event: Rejected) -> Actions:
        """Ask again after an error answer, with another key, in another form, or as before."""
        plan, status = self.attempt.plan, event.status
        again = self.refusals.judge_answer(event)
        if again is None and plan is Plan.TEXT and status == _BAD_REQUEST:
            return self._refused_form(event.body)
        client_error = status in _CLIENT_ERRORS and not is_transient(status)
        if again is None and plan is Plan.NATIVE and client_error:
            self.tries.natively = False
            return ends.interrupt(self, Cause.REFUSED)
        error = UpstreamRejection(status, event.body)
        return ends.upstream_error(self, Cause.STATUS, error, again)

    def _refused_form(self, body: bytes) -> Actions:
        if self.tries.forms.refused(body):
            return ends.interrupt(self, Cause.REFUSED, error=self.error)
        return ends.fail(self, ContinuationRefused(body))

    def _never_opened(self, event: Ended) -> Actions:
        if event.how is How.NO_FIRST_BYTE:
            return self._too_late()
        return ends.interrupt(self, Cause.UNREACHABLE, error=unanswered(How.UNREACHABLE))

    def _too_late(self) -> Actions:
        """Ask no more: the model may be at work, and the connection is not known to be dead."""
        self.causes.append(Cause.STALL)
        return ends.fail(self, self.error or unanswered(How.NO_FIRST_BYTE))

    def _give_up(self, event: GaveUp) -> Actions:
        """Make no further attempt; an ending that stands is judged first."""
        native = self.state is State.CONNECTING and self.attempt.plan is Plan.NATIVE
        if native and isinstance(event.error, Unserved):  # the token is bound to a project
            self.tries.natively = False
            return ends.interrupt(self, Cause.REFUSED, error=event.error)
        self.tries.spent = True
        gave_up = event.error or self.error or Unrepaired(f"The stream broke: {event.reason}.")
        if self.state is State.CONNECTING or not self.attempt.ended:
            return ends.fail(self, gave_up)
        self.error = gave_up
        return self.receive(Ended(How.EOF))

    # -- streaming -------------------------------------------------------------------------

    def _stream(self, event: Received) -> Actions:
        chunk, attempt = event.chunk, self.attempt
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
            return ends.error_frame(self, chunk.error)
        return passing(attempt.take(event))

    def _flow(self, event: Flow) -> Actions:
        if not self.flowing:
            raise IllegalInput("can't take Flow in a stream that is disturbed")
        attempt = self.attempt
        rewriter = attempt.holdback.rewriter
        raw = event.raw if rewriter is None else rewriter.flow(event)
        if raw is None:
            return passing(chain.from_iterable(map(self.attempt.take, _one_by_one(event))))
        texts, usage = event.texts, event.usage
        attempt.spoke = True
        attempt.usage = usage or attempt.usage
        if self.transcript.response_id is None:
            for said in event.events:
                self.transcript.begin(said.response_id, said.model_version)
                if said.response_id is not None:
                    break
        self.transcript.add_texts(texts)
        return (Run(raw, event.count, event.separator, rewriter is not None, texts, usage),)

    def _turn(self, _: Turn) -> Actions:
        """Do another slice of what takes long."""
        return self.documents.turn()

    def _end(self, event: Ended) -> Actions:
        return () if self.judging else ends.judge(self, event)

    # -- what moves the machine ------------------------------------------------------------

    TRANSITIONS: ClassVar[Table] = {
        (State.CONNECTING, Opened): to(_open, State.STREAMING, State.SPLICING),
        (State.CONNECTING, Rejected): to(_reject, *_AFTER_AN_ATTEMPT),
        (State.CONNECTING, Ended): to(_never_opened, *_AFTER_AN_ATTEMPT),
        (State.CONNECTING, GaveUp): to(_give_up, *_AFTER_AN_ATTEMPT),
        (State.STREAMING, Received): to(_stream, *_AFTER_AN_ATTEMPT),
        (State.STREAMING, Turn): to(_turn, *_AFTER_AN_ATTEMPT),
        (State.STREAMING, Flow): to(_flow),
        (State.STREAMING, Ended): to(_end, *_AFTER_AN_ATTEMPT),
        (State.STREAMING, GaveUp): to(_give_up, State.DONE, State.FAILED),
        (State.SPLICING, Received): to(splicing.splice, State.STREAMING, *_AFTER_AN_ATTEMPT),
        (State.SPLICING, Turn): to(_turn, State.STREAMING, *_AFTER_AN_ATTEMPT),
        (State.SPLICING, Ended): to(splicing.end, State.STREAMING, *_AFTER_AN_ATTEMPT),
        (State.SPLICING, GaveUp): to(_give_up, State.STREAMING, State.DONE, State.FAILED),
    }
    receive: ClassVar[Callable[[Any, Input], Actions]] = checked(TRANSITIONS)


def _one_by_one(flow: Flow) -> list[Received]:
    return [Received(Frame(raw, data), read(data)) for raw, data in flow.frames()]
