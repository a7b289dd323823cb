"""The rows of readings: what the intake does for any kind of answer."""

from collections.abc import Callable
from typing import Any, ClassVar

import attrs
import pytest

from gemproxy.core.answer.chunk import Undecodable
from gemproxy.core.interactions.reading import EventOpening
from gemproxy.core.repair.engine import Actions, Patience, State, Table, checked, to
from gemproxy.core.repair.events import Cause, Ended, Finish, Frames, How, Opened
from gemproxy.core.repair.intake import Intake, Step
from gemproxy.core.repair.reading import STREAM, Reading
from gemproxy.core.wire.frame import Data, Frame
from gemproxy.core.wire.sse import SSEDecoder


@attrs.frozen
class Number:
    """One frame of a made-up stream of numbers."""

    frame: Frame
    value: int


@attrs.define
class Adder:
    """A made-up machine: it passes on numbers and adds them up."""

    flowing: ClassVar[bool] = False
    joining: ClassVar[bool] = False
    judging: ClassVar[bool] = False
    holding: ClassVar[bool] = False
    joints: ClassVar[tuple[()]] = ()
    next_request: ClassVar[None] = None
    patience: ClassVar[Patience] = Patience.CHUNK

    state: State = State.CONNECTING
    causes: list[Cause] = attrs.field(factory=list)
    progress: int = 0
    how: How | None = None

    @property
    def started(self) -> bool:
        return self.progress > 0

    def waiting(self, delivered: int) -> int:
        return delivered - delivered

    def _open(self, _: Opened) -> Actions:
        self.state = State.STREAMING
        return ()

    def _add(self, number: Number) -> Actions:
        self.progress += number.value
        return (Frames((number.frame,)),)

    def _end(self, ended: Ended) -> Actions:
        self.state, self.how = State.DONE, ended.how
        return (Finish(ended.tail),)

    TRANSITIONS: ClassVar[Table] = {
        (State.CONNECTING, Opened): to(_open, State.STREAMING),
        (State.STREAMING, Number): to(_add),
        (State.STREAMING, Ended): to(_end, State.DONE),
    }
    receive: ClassVar[Callable[[Any, object], Actions]] = checked(TRANSITIONS)


def number(data: Data) -> int:
    try:
        return int(bytes(data))
    except ValueError:
        raise Undecodable("no number") from None


NUMBERS = Reading(EventOpening, read=number, received=Number, silence=0, most_silent=2)


def opened() -> Intake[Adder]:
    intake = Intake(Adder(), SSEDecoder, NUMBERS)
    intake.opened()
    return intake


def test_a_made_up_kind_of_answer_takes_a_row_and_a_machine() -> None:
    intake = opened()
    step = intake.received(b"data: 20\n\n: ping\n\ndata: 2")

    assert b"".join(f.raw for out in step.out for f in out.frames) == b"data: 20\n\n: ping\n\n"  # type: ignore[union-attr]
    last = intake.ended(How.EOF)
    assert (intake.machine.progress, last.next) == (22, Finish())


@pytest.mark.parametrize(
    ("data", "how"),
    [(b"data: two\n\n", How.GARBLED), (b": ping\n\n" * 3, How.OVERSIZED)],
)
def test_what_a_row_does_not_allow_ends_the_attempt(data: bytes, how: How) -> None:
    intake = opened()

    assert intake.received(data).next == Finish()
    assert intake.machine.how is how


def test_half_a_frame_says_nothing() -> None:
    intake = opened()
    intake.received(b"data: tw")

    assert intake.ended(How.RESET) == Step((), Finish())


def test_a_stream_may_bring_the_pings_of_a_day() -> None:
    assert STREAM.most_silent >= 24 * 60 * 60
