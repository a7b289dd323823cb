"""Bytes of the upstream in, bytes for the client and a verdict out: the core's front door.

This is the hot path. What one read brought is decoded, judged and joined into one write:
no await, no log call and no object beyond the frame, its chunk and its action per event.
"""

from collections.abc import Callable

import attrs
import msgspec

from gemproxy.core.chunk import SILENT, Chunk, Undecodable, read
from gemproxy.core.events import (
    Action,
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
from gemproxy.core.frame import Decoder, Frame, FrameTooLarge
from gemproxy.core.machine import StreamMachine

Verdict = Resume | Finish | Fail

_FEW = 512
"""Bytes that are taken first while it is not known where an attempt joins."""

_MOST_SILENT = 100_000
"""Frames without data in one attempt: the pings of a day, or a flood."""


class Step(msgspec.Struct, frozen=True):
    """What to do after an input: write ``raw`` if there is any, then act on the verdict."""

    raw: bytes = b""
    verdict: Verdict | None = None


@attrs.define
class Intake:
    """Feeds one machine from the bytes of its attempts, each with a decoder of its own."""

    machine: StreamMachine
    new_decoder: Callable[[], Decoder]
    _decoder: Decoder = attrs.field(init=False)
    _silent: int = attrs.field(default=0, init=False)

    def opened(self) -> Step:
        """Begin an attempt that was answered with 2xx."""
        self._decoder = self.new_decoder()
        self._silent = 0
        return self._take(Opened())

    def rejected(self, status: int, body: bytes, retry_after: float | None) -> Step:
        """Take an error answer; ``retry_after`` is its Retry-After header in seconds."""
        return self._take(Rejected(status, body, retry_after))

    def gave_up(self, reason: str) -> Step:
        """Take the pacing's word that there will be no further attempt."""
        return self._take(GaveUp(reason))

    def received(self, data: bytes) -> Step:
        """Take what one read brought."""
        if not self.machine.flowing:
            little = len(data) <= _FEW or not self.machine.joining
            return self._frames(data) if little else self._join(data)
        try:
            flow, data = self._decoder.flow(data)
        except FrameTooLarge:
            return self._take(Ended(How.OVERSIZED))
        if flow is None:
            return self._frames(data)
        raw = _emitted(self.machine.receive(flow))
        if not data:
            return Step(raw)
        step = self._frames(data)
        return Step(raw + step.raw, step.verdict)

    def _join(self, data: bytes) -> Step:
        """Take a little, and then more, until it is known where the attempt joins.

        The rest may flow.
        """
        raw, few = b"", _FEW
        while data:
            joining = self.machine.joining
            step = self._frames(data[:few]) if joining else self.received(data)
            raw += step.raw
            if step.verdict is not None or not joining:
                return Step(raw, step.verdict)
            data, few = data[few:], 2 * few
        return Step(raw)

    def _frames(self, data: bytes) -> Step:
        try:
            frames = self._decoder.feed(data)
        except FrameTooLarge:
            return self._take(Ended(How.OVERSIZED))
        raws: list[bytes] = []
        for frame in frames:
            try:
                chunk = self._silence() if frame.data is None else read(frame.data)
                actions = self.machine.receive(Received(frame, chunk))
            except Undecodable:
                actions = self.machine.receive(Ended(How.GARBLED))
            except FrameTooLarge:
                actions = self.machine.receive(Ended(How.OVERSIZED))
            for action in actions:
                if isinstance(action, Emit):
                    raws.append(action.raw)
                else:
                    return Step(b"".join(raws), action)
        return Step(b"".join(raws) if len(raws) != 1 else raws[0])

    def _silence(self) -> Chunk:
        """Return what a frame without data says; raise FrameTooLarge when they do not end.

        They weigh little, but some are held, each for itself.
        """
        self._silent += 1
        if self._silent > _MOST_SILENT:
            raise FrameTooLarge(f"An attempt brought {_MOST_SILENT} frames that say nothing.")
        return SILENT

    def ended(self, how: How) -> Step:
        """Take the end of the body, and what the decoder still held."""
        tail = self._decoder.close()
        out = b""
        if tail is not None and tail.data is not None:
            step = self._last_frame(tail)
            if step.verdict is not None:
                return step
            out, tail = step.raw, None
        step = self._take(Ended(how, tail))
        return Step(out + step.raw, step.verdict)

    def failed_to_open(self, how: How) -> Step:
        """Take the news that an attempt got no answer at all."""
        return self._take(Ended(how))

    def _last_frame(self, frame: Frame) -> Step:
        """Take a frame that lacked only its end; half a frame says nothing."""
        if frame.data is None:
            return Step()
        try:
            chunk = read(frame.data)
        except Undecodable:
            return Step()
        return self._take(Received(frame, chunk))

    def _take(self, event: Input) -> Step:
        raws, verdict = [], None
        try:
            actions = self.machine.receive(event)
        except Undecodable:  # what the fast decoder reads and the standard one refuses
            actions = self.machine.receive(Ended(How.GARBLED))
        for action in actions:
            if isinstance(action, Emit):
                raws.append(action.raw)
            else:
                verdict = action
        return Step(b"".join(raws), verdict)


def _emitted(actions: tuple[Action, ...]) -> bytes:
    """Return what a run emits: one action, or none."""
    for action in actions:
        if isinstance(action, Emit):
            return action.raw
    return b""
