"""The interaction machine: whether an interaction's stream is whole, and how to read on.

Google keeps an interaction and streams it again from any event on, so an interaction is not
continued as the answers of ``streamGenerateContent`` are, and nothing is rewritten here. Frames go
out as they came. When the stream breaks off, the interaction is read on from the last event_id, and
events that the client has are left out (``core.interactions.replay``).

A stream is whole when ``[DONE]`` came. The SDKs take any other clean end for one, too. After
``interaction.completed`` nothing more can come, so only the end mark is missing, and is
added.

``core.repair.engine`` says what the states are and how the table at the end of the class is used.
Here SPLICING means that the frames of a replay are compared with what the client has, until there
is a new one.

A request that creates is never repeated once it may have arrived: it could create twice. It
is made again only when no connection came about, or when its key was refused and another may be
used. A stored interaction whose id is known is read, and reading changes nothing, so it may be
done again and again: a 404 of a store that lags, or a 429 without a word, ends a stream that was
read before no sooner than the patience of the pacing.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import attrs
import msgspec

from gemproxy.core.answer.usage import Characters
from gemproxy.core.errors import (
    GemproxyError,
    Unrepaired,
    UpstreamRejection,
)
from gemproxy.core.interactions.event import (
    COMPLETED,
    CREATED,
    ERROR,
    STATUS,
    Event,
    EventReceived,
)
from gemproxy.core.interactions.origin import Origin, Point
from gemproxy.core.interactions.replay import Delivered, News
from gemproxy.core.repair.engine import Actions, Patience, State, Table, checked, to
from gemproxy.core.repair.events import (
    CAUSE_OF,
    Cause,
    Ended,
    Fail,
    Finish,
    Frames,
    GaveUp,
    How,
    Opened,
    Rejected,
    Resume,
)
from gemproxy.core.repair.refusals import AT_OUR_OWN_PACE, Again, Refusals
from gemproxy.core.repair.unanswered import unanswered
from gemproxy.core.repair.verdict import is_transient, rejection_of
from gemproxy.core.wire.frame import Data, Frame

_BROKEN = (State.CONNECTING, State.FAILED)
_NOT_FOUND = 404

Input = Opened | EventReceived | Rejected | Ended | GaveUp


@attrs.define
class InteractionMachine:
    """One client stream of an interaction; see the module's docstring.

    ``retry_after_limit`` is the longest wait, in seconds, that the upstream may ask for. ``usage``
    is what the interaction cost, as far as it has said so, and ``written`` counts its text.
    ``interaction_id`` is None until an event has named it.
    """

    flowing: ClassVar[bool] = False
    joining: ClassVar[bool] = False
    judging: ClassVar[bool] = False
    holding: ClassVar[bool] = False
    joints: ClassVar[tuple[()]] = ()

    origin: Origin
    repair: bool = True
    retry_after_limit: float = 30.0
    state: State = State.CONNECTING
    causes: list[Cause] = attrs.field(factory=list)
    status: str | None = None
    delivered: Delivered = attrs.field(init=False)
    usage: msgspec.Raw = attrs.field(factory=msgspec.Raw)
    written: Characters = attrs.field(factory=Characters)
    interaction_id: str | None = attrs.field(init=False)
    _opened: bool = False
    _completed: bool = False
    _ended: bool = False
    _erred: bool = False
    _refusals: Refusals = attrs.field(init=False)
    _speaks: bool = False
    _spoke: bool = False
    _checkpoint: bool = attrs.field(init=False)
    _fault_at: int = -1
    _error: GemproxyError | None = None
    _sample: bytes = b""

    def __attrs_post_init__(self) -> None:
        self.delivered = Delivered(self.origin.last_event_id)
        self.interaction_id = self.origin.interaction_id
        self._checkpoint = self.origin.token
        self._refusals = Refusals(self.retry_after_limit)

    # -- what the relay asks ---------------------------------------------------------------

    @property
    def next_request(self) -> Point | None:
        """From where the next attempt reads on; None: it is the client's own request."""
        if not self._opened or self.interaction_id is None:
            return None
        return Point(self.interaction_id, self.delivered.last_id)

    @property
    def progress(self) -> int:
        """A count that grows with every event that the client gets."""
        return self.delivered.count

    @property
    def started(self) -> bool:
        """Whether an event went out."""
        return self.delivered.count > 0

    @staticmethod
    def waiting(delivered: int) -> int:  # noqa: ARG004 - the protocol's
        """Return that nothing waits: an event goes out or is one that the client has."""
        return 0

    @property
    def patience(self) -> Patience:
        """How long silence is normal now; between two steps an agent may work for minutes."""
        if self.state is State.CONNECTING:
            return Patience.FIRST_BYTE
        if self._ended or self._completed:
            return Patience.FINISH
        if self._speaks:
            return Patience.CHUNK
        return Patience.THINKING_ON if self._spoke else Patience.THINKING

    @property
    def _client_goes_on(self) -> bool:
        """Whether the SDKs go on by themselves when the connection breaks here.

        They do from a continuation_token with no output behind it, unless an error event ends the
        stream.
        """
        return self._checkpoint and self.origin.creates

    # -- connecting ------------------------------------------------------------------------

    def _open(self, _: Opened) -> Actions:
        self._opened = True
        self._spoke = False
        self.delivered.rewind()
        self.state = State.SPLICING if self.delivered.count else State.STREAMING
        return ()

    def _reject(self, event: Rejected) -> Actions:
        error = UpstreamRejection(event.status, event.body)
        again = self._refusals.judge_answer(event)
        if again is None and self._opened and _may_pass(event.status):
            again = Again()
        elsewhere = again is not None and again.elsewhere and event.another
        if again is None or (self._creating and not elsewhere):
            return self._fail(error)
        return self._interrupt(Cause.STATUS, error, again)

    def _never_opened(self, event: Ended) -> Actions:
        cause = CAUSE_OF[event.how]
        error = unanswered(event.how)
        if self._creating and (event.how is not How.UNREACHABLE or not self.origin.again):
            self.causes.append(cause)
            return self._fail(error)
        return self._interrupt(cause, error)

    def _give_up(self, event: GaveUp) -> Actions:
        broke = Unrepaired(f"The stream broke: {event.reason}.")
        return self._fail(event.error or self._error or broke)

    @property
    def _creating(self) -> bool:
        """Whether the attempt is the one that creates the interaction."""
        return self.origin.creates and not self._opened

    # -- streaming -------------------------------------------------------------------------

    def _stream(self, received: EventReceived) -> Actions:
        event = received.event
        if event.error is not None and not self._ended:
            return self._take_error(received)
        if self.causes and self.delivered.has(event):
            return ()
        return self._pass_on(received)

    def _splice(self, received: EventReceived) -> Actions:
        event, data = received.event, received.frame.data or b""
        if event.silent:
            return ()
        if event.error is not None:
            return self._take_error(received)
        if event.done:
            return self._go_astray() if self.delivered.skips else self._pass_on(received)
        news = self.delivered.judge(event, data)
        if news is News.ASTRAY:
            return self._go_astray()
        if news is News.OLD:
            return ()
        if not event.is_lifecycle:
            self.state = State.STREAMING
        return self._pass_on(received)

    def _pass_on(self, received: EventReceived) -> Actions:
        event, frame = received.event, received.frame
        if event.done:
            self._ended = True
        elif not event.silent:
            self._note(event, frame.data or b"")
            self._sample = frame.raw
            self._erred = event.type == ERROR
        return (Frames((frame,)),)

    def _note(self, event: Event, data: Data) -> None:
        self.delivered.add(event, data)
        self.interaction_id = self.interaction_id or event.interaction_id
        self.status = event.status or self.status
        self._completed |= event.type in COMPLETED
        self.usage = event.usage or self.usage
        self.written.add(event.text)
        self._speaks = event.speaks
        self._spoke |= event.speaks
        if event.type == STATUS or event.type in COMPLETED:
            self._checkpoint = bool(event.token) or (self._checkpoint and not self._completed)
        elif event.type not in CREATED:
            self._checkpoint = False

    def _take_error(self, received: EventReceived) -> Actions:
        """Read on after an error of the way; pass on what the interaction itself says.

        An error event that comes again behind the same event is the interaction's own.
        """
        error, event = received.event.error or {}, received.event
        own = False
        if event.type == ERROR and self.delivered.caught_up:
            own = self._fault_at == self.progress
            self._fault_at = self.progress
        rejection = rejection_of(error)
        if event.is_fault and not own and self._may_read_on:
            return self._interrupt(Cause.ERROR_FRAME, rejection)
        if event.type == ERROR:
            return self._pass_on(received)
        self.causes.append(Cause.ERROR_FRAME)
        return self._fail(rejection)

    def _go_astray(self) -> Actions:
        self.causes.append(Cause.DIVERGED)
        return self._fail(Unrepaired("The stream broke, and is told otherwise the second time."))

    # -- the end of an attempt -------------------------------------------------------------

    def _end(self, event: Ended) -> Actions:
        if self._ended or self._completed:
            self.state = State.DONE
            missing = self._completed and not self._ended and self.repair
            return (Frames((self._end_mark(),)), Finish()) if missing else (Finish(),)
        if self._erred and event.how is How.EOF:
            self.state = State.DONE
            return (Finish(),)
        if self._erred:
            return self._fail(Unrepaired("The stream broke behind its error."))
        return self._interrupt(CAUSE_OF[event.how])

    def _end_mark(self) -> Frame:
        """Return the end mark, written like the events before it."""
        eol = b"\r\n" if self._sample.endswith(b"\r\n") else b"\n"
        named = b"event: done" + eol if self._sample.startswith(b"event:") else b""
        return Frame(named + b"data: [DONE]" + eol + eol, b"[DONE]")

    def _interrupt(
        self, cause: Cause, error: GemproxyError | None = None, again: Again = AT_OUR_OWN_PACE
    ) -> Actions:
        """End the attempt and read on, or fail where that cannot be done."""
        self.causes.append(cause)
        self._error = error
        self._speaks = False
        if not self._may_read_on:
            return self._fail(error or Unrepaired(f"The stream broke ({cause.value})."))
        self.state = State.CONNECTING
        return (Resume(cause, again.after, again.at_once, again.elsewhere, error),)

    @property
    def _may_read_on(self) -> bool:
        if not self.repair:
            return False
        if self._creating:
            return self.origin.again
        return self.origin.keeps and self.interaction_id is not None

    def _fail(self, error: GemproxyError) -> Actions:
        self.state = State.FAILED
        return (Fail(error, self._client_goes_on),)

    # -- what moves the machine ------------------------------------------------------------

    TRANSITIONS: ClassVar[Table] = {
        (State.CONNECTING, Opened): to(_open, State.STREAMING, State.SPLICING),
        (State.CONNECTING, Rejected): to(_reject, State.FAILED),
        (State.CONNECTING, Ended): to(_never_opened, State.FAILED),
        (State.CONNECTING, GaveUp): to(_give_up, State.FAILED),
        (State.STREAMING, EventReceived): to(_stream, *_BROKEN),
        (State.STREAMING, Ended): to(_end, *_BROKEN, State.DONE),
        (State.SPLICING, EventReceived): to(_splice, *_BROKEN, State.STREAMING),
        (State.SPLICING, Ended): to(_end, *_BROKEN, State.DONE),
    }
    receive: ClassVar[Callable[[Any, Input], Actions]] = checked(TRANSITIONS)


def _may_pass(status: int) -> bool:
    """Tell a refusal to read on that may be another one soon: a store that lags, a quota.

    Reading costs nothing, so no refusal but one of the credential is taken for the last word.
    """
    return status == _NOT_FOUND or is_transient(status)
