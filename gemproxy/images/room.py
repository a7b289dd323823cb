"""Room for the pictures that are on their way through this process, and who waits for it.

A call for a picture takes a small part of the room, for what its connection holds of an answer that
nobody reads yet; all calls together leave an eighth of it. A large answer is read when there is
room for the whole of it. Both wait in the order in which they came. An eighth of the memory is not
given away: connections to clients are in it, and what the allocator keeps.

Who waits for room for an answer must not be behind somebody who waits for that one
(``routes/canvas.py`` sees to it). Then somebody always goes on: the room of an answer is given back
when its client has it, or is gone, and an answer that is larger than all the room is let in alone.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from mmap import mmap

import attrs

from gemproxy.images.mapped import Mappings

SHARE = 64 << 10
"""Bytes of the room that a call takes: one small read, behind which its connection pauses."""
SHARE_OF_TLS = 512 << 10
"""The same for a call through TLS, which reads on into buffers of its own."""

UNSAID = 8 << 20
"""Bytes of room for an answer that does not say how long it is: a picture of 4K."""

_LEFT = 8
"""The part of the room that calls leave, and the part of the memory that is no room: an eighth."""


@attrs.define(eq=False)
class Held:
    """Some bytes of the room; ``release`` gives them back, once or more often."""

    _room: "Room"
    size: int

    def resize(self, size: int) -> None:
        """Hold ``size`` bytes instead, without waiting."""
        self._room.answers += size - self.size
        self.size = size
        self._room.wake()

    def release(self) -> None:
        """Give all back."""
        self.resize(0)


_Queue = deque[tuple[asyncio.Future[None], int]]


@attrs.define(eq=False)
class Room:
    """The room in ``memory`` bytes, of which ``most`` are given away.

    ``calls`` and ``answers`` are the bytes that each of the two have taken. ``mappings`` is the
    memory of large answers.
    """

    memory: int
    most: int = attrs.field(init=False)
    calls: int = attrs.field(default=0, init=False)
    answers: int = attrs.field(default=0, init=False)
    mappings: Mappings = attrs.field(factory=Mappings, init=False)
    _callers: _Queue = attrs.field(factory=deque, init=False, repr=False)
    _readers: _Queue = attrs.field(factory=deque, init=False, repr=False)

    @most.default
    def _most(self) -> int:
        return self.memory - self.memory // _LEFT

    @contextlib.asynccontextmanager
    async def call(self, share: int = SHARE) -> AsyncIterator[None]:
        """Wait for room for a call, which takes ``share`` bytes; they are taken while entered."""
        await self._wait(self._callers, share, self._take_call)
        try:
            yield
        finally:
            self._take_call(-share)
            self.wake()

    async def answer(self, size: int) -> Held:
        """Wait for room for an answer of ``size`` bytes, and hold it."""
        await self._wait(self._readers, size, self._take_answer)
        return Held(self, size)

    def lend(self, size: int) -> mmap:
        """Lend ``size`` bytes or a little more to an answer that has room."""
        return self.mappings.take(size, self.most - self.calls)

    def overfull(self, size: int) -> Held:
        """Hold room for an answer that is there, without waiting."""
        self._take_answer(size)
        return Held(self, size)

    async def _wait(self, queue: _Queue, size: int, take: Callable[[int], None]) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (waiter, size)
        queue.append(entry)
        self.wake()
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():  # it was let in, and will not come
                take(-size)
            elif entry in queue:
                queue.remove(entry)
            self.wake()
            raise

    def _take_call(self, size: int) -> None:
        self.calls += size

    def _take_answer(self, size: int) -> None:
        self.answers += size

    def wake(self) -> None:
        """Let in who has room now; answers first, because they make room."""
        readers, callers = self._readers, self._callers
        while readers and self._has_room_to_read(readers[0][1]):
            self._let_in(readers, self._take_answer)
        while callers and self._has_room_to_call(callers[0][1]):
            self._let_in(callers, self._take_call)
        if not self.calls and not self.answers:
            self.mappings.trim(0)

    def _let_in(self, queue: _Queue, take: Callable[[int], None]) -> None:
        waiter, size = queue.popleft()
        if not waiter.cancelled():
            take(size)
            waiter.set_result(None)

    def _has_room_to_read(self, size: int) -> bool:
        return not self.answers or self.calls + self.answers + size <= self.most

    def _has_room_to_call(self, share: int) -> bool:
        taken = self.calls + share
        fits = taken <= self.most - self.most // _LEFT and taken + self.answers <= self.most
        return fits or not self.calls
