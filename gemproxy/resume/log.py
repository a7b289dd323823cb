"""The frames of one answer by number: what followers read, without I/O.

Frames are numbered from 1 on. Those with data count, because an SDK yields a chunk for each of
them; comments and blank lines of the upstream are kept where they stand and have no number. What
one read of the upstream brought is one *batch*, so a run of plain events is kept in one piece and
costs nothing for each event.

A reader keeps a *place*: the serial number of the next batch. Places stay valid while the log
grows; one that trimming has passed is noticed, so a reader gets all frames or an error, and never
a stream with a hole.

A log keeps at most so many bytes, and its oldest batches go first. The newest one stays whatever
its size, because readers that wait for it are in the middle of the answer. All logs share a
``Room``. While a reader waits for its place in a log, it is *pinned*: its own bound waits.
"""

from collections import deque
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

import attrs
import msgspec

from gemproxy.core.repair.events import Frames, Out, Run
from gemproxy.core.wire.frame import Frame

_PIECE = 1 << 17
"""Bytes after which one read ends, unless a single batch is larger."""


class Batch(msgspec.Struct, frozen=True, gc=False):
    """What one read brought: ``count`` frames from the number ``first`` on, ``size`` bytes."""

    first: int
    count: int
    size: int
    out: Out


@attrs.frozen
class Head:
    """The head of the answer, as the first follower gets it."""

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)


@attrs.frozen
class Whole:
    """The answer is complete; ``tail`` is the upstream's own end."""

    tail: Frame | None = None


@attrs.frozen
class Passed:
    """The upstream answered with a document that is no generation."""

    body: bytes = attrs.field(repr=False)


@attrs.frozen
class Broken:
    """The answer ends loudly, with a google.rpc error body or without a word.

    ``cancelled``: somebody ended it, so it is a result even if nothing came.
    """

    payload: Mapping[str, Any] | None = attrs.field(repr=False)
    cancelled: bool = False


@attrs.frozen(eq=False)
class Refused:
    """The answer failed before its head went out, so each client gets ``error`` as its answer."""

    error: Exception = attrs.field(repr=False)
    cancelled: bool = False


Ending = Whole | Passed | Broken | Refused


class Trimmed(Exception):
    """The frames behind a place are not kept any more."""


class Beyond(Exception):
    """There is no frame with this number yet."""


@attrs.define(eq=False)
class Room:
    """The bytes of all logs: at most ``most``; ``crowded`` is called when there are more."""

    most: int
    held: int = 0
    crowded: Callable[[], object] = attrs.field(default=lambda: None)


@attrs.frozen
class Place:
    """Where a reader goes on: with ``rest``, then with the batch ``serial``."""

    serial: int
    rest: tuple[Out, ...] = ()


@attrs.define(eq=False)
class FrameLog:
    """The log of one answer, of at most ``most`` bytes.

    ``top`` is the number of the last frame, ``base`` that of the last one that is gone, 0 while all
    are there. ``size`` counts the bytes of the frames that are kept, ``serial`` all batches so far,
    ``pins`` readers without a place.
    """

    most: int
    room: Room
    top: int = attrs.field(default=0, init=False)
    base: int = attrs.field(default=0, init=False)
    size: int = attrs.field(default=0, init=False)
    head: Head | None = attrs.field(default=None, init=False)
    ending: Ending | None = attrs.field(default=None, init=False)
    serial: int = attrs.field(default=0, init=False)
    pins: int = attrs.field(default=0, init=False)
    _batches: deque[Batch] = attrs.field(factory=deque, init=False, repr=False)

    def append(self, out: Out) -> int:
        """Take frames behind those that are there; return how many bytes they have."""
        room = self.room
        if isinstance(out, Run):
            count, size = out.count, len(out.raw)
        else:
            count, size = _numbered(out), sum(frame.size for frame in out.frames)
        self._batches.append(Batch(self.top + 1, count, size, out))
        self.serial += 1
        self.top += count
        self.size += size
        room.held += size
        if self.size > self.most and not self.pins:
            self.trim(self.most)
        if room.held > room.most:
            room.crowded()
        return size

    def trim(self, most: int) -> None:
        """Drop the oldest batches until the others have at most ``most`` bytes; keep the newest."""
        while self.size > most and len(self._batches) > 1:
            self._drop()

    def clear(self) -> None:
        """Drop all frames; the log cannot be read any more."""
        while self._batches:
            self._drop()
        self.base = max(self.base, self.top)

    def seek(self, after: int) -> Place:
        """Return the place behind the frame with the number ``after``, 0 for the beginning.

        Raises Trimmed and Beyond.
        """
        if after > self.top:
            raise Beyond
        if after < self.base:
            raise Trimmed
        serial = self.serial - len(self._batches)
        for batch in self._batches:
            if batch.first + batch.count > after + 1 or batch.first > after:
                passed = after + 1 - batch.first
                if passed <= 0:
                    break
                return Place(serial + 1, (_behind(batch.out, passed),))
            serial += 1
        return Place(serial)

    def read(self, serial: int) -> tuple[Out, ...]:
        """Return some batches from ``serial`` on, in order; none if there are none yet.

        Raises Trimmed.
        """
        behind = self.serial - serial
        if behind <= 1:
            return (self._batches[-1].out,) if behind else ()
        batches = self._batches
        if behind > len(batches):
            raise Trimmed
        taken: list[Out] = []
        size = 0
        for batch in islice(batches, len(batches) - behind, None):
            size += batch.size
            if taken and size > _PIECE:
                break
            taken.append(batch.out)
        return tuple(taken)

    def _drop(self) -> None:
        batch = self._batches.popleft()
        self.size -= batch.size
        self.room.held -= batch.size
        self.base = max(self.base, batch.first + batch.count - 1)


def _numbered(out: Frames) -> int:
    """Return how many frames have a number."""
    return sum(frame.data is not None for frame in out.frames)


def _behind(out: Out, passed: int) -> Out:
    """Return the frames behind the first ``passed`` ones that have a number."""
    if isinstance(out, Run):
        start, separator = 0, out.separator
        for _ in range(passed):
            start = out.raw.index(separator, start) + len(separator)
        texts, count = out.texts[passed:], out.count - passed
        return msgspec.structs.replace(out, raw=out.raw[start:], count=count, texts=texts)
    frames = iter(out.frames)
    for frame in frames:
        passed -= frame.data is not None
        if not passed:
            break
    return Frames(tuple(frames))
