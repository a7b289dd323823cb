"""Bytes of the upstream in, frames for the client and what to do next out: the core's front door.

This is the hot path. What one read brought is decoded, judged and handed on at once:
no await, no log call and no object beyond the frame, what it says and its action per event.

Streams and interactions have one intake. What reads an attempt and what decodes a frame is a row
of a table: see ``reading``.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import attrs
import msgspec

from gemproxy.core.answer.chunk import Undecodable
from gemproxy.core.errors import GemproxyError
from gemproxy.core.repair.engine import Actions, Machine
from gemproxy.core.repair.events import (
    Ended,
    Frames,
    GaveUp,
    How,
    Next,
    Opened,
    Out,
    Rejected,
    Run,
    Turn,
)
from gemproxy.core.repair.reading import STREAM, AttemptReader, Opening, Reading
from gemproxy.core.wire.frame import Decoder, Frame, FrameTooLarge


@attrs.frozen
class PassOn:
    """The upstream answered with JSON that is no generation: end with ``body``, as it came."""

    body: bytes


M = TypeVar("M", bound=Machine[Any])

_FEW = 512
"""Bytes that are taken first while it is not known where an attempt joins."""


class Step(msgspec.Struct, frozen=True):
    """What to do after an input: pass on what goes out, then what is next, if anything is."""

    out: tuple[Out, ...] = ()
    next: Next | PassOn | None = None


@attrs.define
class Intake(Generic[M]):
    """Feeds one machine from the bytes of its attempts.

    ``new_decoder`` makes a decoder of the framing that the client asked for. ``reading`` is the row
    of the machine's kind of answer. ``rest`` is what the last read brought besides plain events;
    ``ran`` says that plain events came before it.
    """

    machine: M
    new_decoder: Callable[[], Decoder]
    reading: Reading = STREAM
    _reader: AttemptReader = attrs.field(init=False)
    _opening: Opening | None = attrs.field(default=None, init=False)
    _silent: int = attrs.field(default=0, init=False)
    _misnamed: bool = attrs.field(default=False, init=False)
    rest: bytes = attrs.field(default=b"", init=False, repr=False)
    ran: bool = attrs.field(default=False, init=False)

    def opened(self, content_type: str = "", *, another: bool = False) -> Step:
        """Begin an attempt that was answered with 2xx; ``content_type`` is its header.

        ``another`` says that the next attempt could use another key.
        """
        self._opening = self.reading.opening(self.new_decoder(), content_type)
        self._misnamed = self._opening.misnamed
        self._silent = 0
        return self._take(Opened(another))

    @property
    def undecided(self) -> bool:
        """Whether JSON has begun of which it is not yet known whether it is an answer."""
        return self._opening is not None and self._opening.is_json

    @property
    def misnamed(self) -> bool:
        """Whether the upstream's Content-Type is that of another framing than the client gets.

        Before the answer has begun its Content-Type is taken at its word.
        """
        return self._misnamed

    def rejected(
        self, status: int, body: bytes, retry_after: float | None, *, another: bool = False
    ) -> Step:
        """Take an error answer; ``retry_after`` is its Retry-After header in seconds.

        ``another`` says that the next attempt could use another key.
        """
        return self._take(Rejected(status, body, retry_after, another))

    def turn(self) -> Step:
        """Go on with what the machine is judging, after others had their turn."""
        return self._take(Turn())

    def gave_up(self, reason: str, error: GemproxyError | None = None) -> Step:
        """Take the news that there will be no further attempt; ``error`` says why to the client."""
        return self._take(GaveUp(reason, error))

    def received(self, data: bytes) -> Step:
        """Take what one read brought."""
        self.rest, self.ran = data, False
        if self._opening is not None:
            step = self._begin(self._opening, data)
            self.rest = self.rest if self.ran else data
            return step
        if not self.machine.flowing:
            little = len(data) <= _FEW or not self.machine.joining
            return self._frames(data) if little else self._join(data)
        try:
            flow, data = self._reader.flow(data)
        except FrameTooLarge:
            return self._take(Ended(How.OVERSIZED))
        if flow is None:
            return self._frames(data)
        self.rest, self.ran = data, True
        # Nothing is decided about plain events, so there are no other actions.
        out: tuple[Out, ...] = self.machine.receive(flow)  # type: ignore[assignment]
        if not data:
            return Step(out)
        step = self._frames(data)
        return Step(out + step.out, step.next)

    def _begin(self, opening: Opening, data: bytes) -> Step:
        """Take bytes of which it is not yet known how they are framed."""
        try:
            reader = opening.take(data)
        except FrameTooLarge:
            self._opening = None
            return self._take(Ended(How.OVERSIZED))
        return Step() if reader is None else self._read_with(reader, opening.begun)

    def _read_with(self, reader: AttemptReader, begun: bytes) -> Step:
        self._reader, self._opening, self._misnamed = reader, None, reader.foreign
        return self.received(begun)

    def _join(self, data: bytes) -> Step:
        """Take a little, and then more, until it is known where the attempt joins.

        The rest may flow.
        """
        whole, few = data, _FEW
        out: tuple[Out, ...] = ()
        step = Step()
        while data and step.next is None:
            joining = self.machine.joining
            step = self._frames(data[:few]) if joining else self.received(data)
            out += step.out
            if not joining:
                break
            data, few = data[few:], 2 * few
        self.rest, self.ran = whole, False
        return Step(out, step.next)

    def _frames(self, data: bytes) -> Step:
        try:
            frames = self._reader.feed(data)
        except FrameTooLarge:
            return self._take(Ended(How.OVERSIZED))
        out: list[Out] = []
        reading = self.reading
        for frame in frames:
            try:
                said = self._silence() if frame.data is None else reading.read(frame.data)
                actions = self.machine.receive(reading.received(frame, said))
            except Undecodable:
                actions = self.machine.receive(Ended(How.GARBLED))
            except FrameTooLarge:
                actions = self.machine.receive(Ended(How.OVERSIZED))
            for action in actions:
                if isinstance(action, Run | Frames):
                    out.append(action)
                else:
                    return Step(tuple(out), action)
        return Step(tuple(out))

    def _silence(self) -> object:
        """Return what a frame without data says; raise FrameTooLarge when they do not end."""
        self._silent += 1
        if self._silent > self.reading.most_silent:
            raise FrameTooLarge(f"An attempt brought {self._silent} frames that say nothing.")
        return self.reading.silence

    def ended(self, how: How) -> Step:
        """Take the end of the body, and what the reader still held."""
        out: tuple[Out, ...] = ()
        if self._opening is not None:
            opening = self._opening
            other = opening.another_answer() if how is How.EOF else None
            if other is not None and not self.machine.started:
                self._misnamed = False
                return Step((), PassOn(other))
            step = self._read_with(opening.settled(), opening.begun)
            if step.next is not None:
                return step
            out = step.out
        frames, tail = self._reader.close()
        for frame in frames:
            step = self._last_frame(frame)
            out += step.out
            if step.next is not None:
                return Step(out, step.next)
        step = self._take(Ended(how, tail))
        return Step(out + step.out, step.next)

    def failed_to_open(self, how: How) -> Step:
        """Take the news that an attempt got no answer at all."""
        return self._take(Ended(how))

    def _last_frame(self, frame: Frame) -> Step:
        """Take a frame that lacked only its end; half a frame says nothing."""
        if frame.data is None:
            return Step()
        try:
            said = self.reading.read(frame.data)
        except Undecodable:
            return Step()
        return self._take(self.reading.received(frame, said))

    def _take(self, event: object) -> Step:
        try:
            actions = self.machine.receive(event)
        except Undecodable:  # what the fast decoder reads and the standard one refuses
            actions = self.machine.receive(Ended(How.GARBLED))
        return _step(actions)


def _step(actions: Actions) -> Step:
    """Return what goes out, and what is decided behind it."""
    out: list[Out] = []
    for action in actions:
        if not isinstance(action, Run | Frames):
            return Step(tuple(out), action)
        out.append(action)
    return Step(tuple(out))
