"""Streams in the memory of one process, within bounds.

An answer is kept for a time after its end. Where there are too many answers or too many bytes, the
frames of ended ones that nobody reads go first, the oldest before the others, and then the oldest
frames of the largest logs. Of an answer that had to go early its key is remembered until its time
is over: the same request then gets 410, and never silently a second answer. For the same time again
the id of every answer is remembered, so that its owner is told that it is gone.
"""

import time
from collections.abc import Callable, Iterator

import attrs

from gemproxy.core.errors import Busy, Gone, LimitReached
from gemproxy.core.repair.events import Out
from gemproxy.resume.log import Ending, FrameLog, Room
from gemproxy.resume.stream import Scope, Stream

_REMEMBERED = 10
"""Answers that are remembered for each that is kept."""

_SPARE = 16
"""The part of all bytes that is freed at once, so that not every further frame has to free some."""

_EARLY = "The answer to this key is not kept any more. Send the request with another key."
_GONE = "This stream was kept, and is not any more."
_FULL = "This owner has as many running streams as may be."
_RETRY_SECONDS = 5.0


@attrs.frozen
class Bounds:
    """What may be kept: bytes, streams, and seconds after the end of an answer."""

    stream_bytes: int
    total_bytes: int
    streams: int
    streams_per_owner: int
    seconds: float


@attrs.frozen
class Former:
    """A stream that is not kept any more: whose it was, and until when it is remembered."""

    owner: str
    until: float


@attrs.define(eq=False)
class Shelf:
    """The streams of one process; see ``Store``. ``clock`` is monotonic, in seconds."""

    bounds: Bounds
    clock: Callable[[], float] = time.monotonic
    room: Room = attrs.field(init=False)
    _keyed: dict[Scope, Stream] = attrs.field(factory=dict, init=False, repr=False)
    _named: dict[str, Stream] = attrs.field(factory=dict, init=False, repr=False)
    _ended: dict[str, Stream] = attrs.field(factory=dict, init=False, repr=False)
    """Those that have ended, in that order."""
    _owned: dict[str, int] = attrs.field(factory=dict, init=False, repr=False)
    _formers: dict[str, Former] = attrs.field(factory=dict, init=False, repr=False)
    _early: dict[Scope, float] = attrs.field(factory=dict, init=False, repr=False)
    """Until when the keys of answers that had to go are taken."""

    def __attrs_post_init__(self) -> None:
        self.room = Room(self.bounds.total_bytes, crowded=self._make_room)

    def __len__(self) -> int:
        return len(self._named)

    def __iter__(self) -> Iterator[Stream]:
        return iter(tuple(self._named.values()))

    @property
    def remembered(self) -> int:
        """How many streams are remembered that are not kept any more."""
        return len(self._formers) + len(self._early)

    def new_log(self) -> FrameLog:
        """Return an empty log."""
        return FrameLog(self.bounds.stream_bytes, self.room)

    async def find(self, scope: Scope) -> Stream | None:
        """Return the stream of a key; see ``Store``."""
        stream = self._kept(self._keyed.get(scope))
        if stream is None and self.clock() < self._early.get(scope, 0.0):
            raise Gone(_EARLY)
        return stream

    async def claim(self, stream: Stream) -> Stream:
        """Give the key of ``stream`` to it; see ``Store``."""
        holder = await self.find(stream.scope)
        if holder is not None:
            return holder
        owner, bounds = stream.scope.owner, self.bounds
        if self._owned.get(owner, 0) >= bounds.streams_per_owner and not self._evict(owner):
            raise LimitReached(_FULL, _RETRY_SECONDS, scope="streams")
        if len(self) >= bounds.streams and not self._evict():
            raise Busy("The proxy keeps as many running streams as it may; try again in a moment.")
        self._keyed[stream.scope] = self._named[stream.id] = stream
        self._owned[owner] = self._owned.get(owner, 0) + 1
        return stream

    async def named(self, name: str, owner: str) -> Stream | None:
        """Return the stream with an id; see ``Store``."""
        stream = self._kept(self._named.get(name))
        if stream is not None:
            return stream if stream.scope.owner == owner else None
        former = self._formers.get(name)
        if former is not None and former.owner == owner and self.clock() < former.until:
            raise Gone(_GONE)
        return None

    async def write(self, stream: Stream, out: Out) -> None:
        """Do nothing: the log itself is the place."""

    async def end(self, stream: Stream, ending: Ending) -> None:
        """Keep an ended stream for its time, or free its key if it is no result."""
        del ending
        if stream.id not in self._named:
            return
        stream.ended = self.clock()
        if stream.is_result:
            self._ended[stream.id] = stream
        else:
            self._remove(stream)

    def tend(self) -> None:
        """Let go of what has been kept long enough. Nothing that is being read goes.

        All is in the order in which its time ends, but for answers that had to go before others of
        their owner: their keys are remembered a little longer, and are free all the same.
        """
        now, seconds = self.clock(), self.bounds.seconds
        while self._ended:
            stream = next(iter(self._ended.values()))
            if self._kept(stream) is None:
                continue
            if now < (stream.ended or now) + seconds:
                break
            stream.ended = now  # it is being read
            self._ended[stream.id] = self._ended.pop(stream.id)
        while self._formers and now >= next(iter(self._formers.values())).until:
            del self._formers[next(iter(self._formers))]
        while self._early and now >= next(iter(self._early.values())):
            del self._early[next(iter(self._early))]

    def _kept(self, stream: Stream | None) -> Stream | None:
        """Return a stream whose time is not over; let go of another one unless it is read."""
        if stream is None or stream.ended is None or stream.followers:
            return stream
        now = self.clock()
        if now < stream.ended + self.bounds.seconds:
            return stream
        self._let_go(stream, now)
        return None

    def _evict(self, owner: str | None = None) -> bool:
        """Let go of the oldest ended stream that nobody reads; return whether there was one."""
        for stream in self._ended.values():
            if not stream.followers and owner in {None, stream.scope.owner}:
                self._early[stream.scope] = (stream.ended or 0.0) + self.bounds.seconds
                _forget_the_oldest(self._early, self.bounds.streams * _REMEMBERED)
                self._let_go(stream, self.clock())
                return True
        return False

    def _make_room(self) -> None:
        room = self.room
        while room.held > room.most and self._evict():
            pass
        if room.held <= room.most:
            return
        goal = room.most - room.most // _SPARE
        for stream in sorted(self, key=lambda one: -one.log.size):
            stream.log.trim(max(stream.log.size - (room.held - goal), 0))
            if room.held <= goal:
                return

    def _let_go(self, stream: Stream, now: float) -> None:
        self._remove(stream)
        self._formers[stream.id] = Former(stream.scope.owner, now + self.bounds.seconds)
        _forget_the_oldest(self._formers, self.bounds.streams * _REMEMBERED)

    def _remove(self, stream: Stream) -> None:
        self._ended.pop(stream.id, None)
        del self._named[stream.id], self._keyed[stream.scope]
        owner = stream.scope.owner
        self._owned[owner] -= 1
        if not self._owned[owner]:
            del self._owned[owner]
        stream.log.clear()


def _forget_the_oldest(remembered: dict[str, Former] | dict[Scope, float], most: int) -> None:
    while len(remembered) > most:
        del remembered[next(iter(remembered))]  # type: ignore[arg-type]  # a key of its own
