"""Room for the pictures of chat answers that are on their way, as for those of the other routes.

A picture is one large frame. When one has begun, its attempt reads no further until there is room:
for the frame, and for what is made of it. A stream gives the room back when its client has the
picture. A document has the pictures of all its choices until it is written, so its request takes
room once, for as many as it has choices. So nobody who holds room waits for somebody who wants it.

Pictures that are kept for a link are decoded on the way, which takes more.
"""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

import attrs

from gemproxy.core.repair.events import Frames, Out
from gemproxy.core.wire.frame import Frame
from gemproxy.generation.reader import Reader
from gemproxy.images.room import UNSAID, Held, Room

SMALL = 64 << 10
"""Bytes of a frame that are read at once: more than a text, less than most pictures."""


@attrs.define(eq=False)
class Places:
    """Room for the pictures of one request, of ``choices`` in one document, or of a stream.

    ``times``: how many times a picture is in memory.
    """

    room: Room
    choices: int
    times: int
    document: bool
    _held: Held | None = None
    _taking: asyncio.Lock = attrs.field(factory=asyncio.Lock)

    async def take(self) -> Held:
        """Return room for a picture, when there is some."""
        size = self.times * UNSAID
        if not self.document:
            return await self.room.answer(size)
        async with self._taking:
            if self._held is None:
                self._held = await self.room.answer(self.choices * size)
        return self._held

    def release(self) -> None:
        """Give back the room of a document."""
        if self._held is not None:
            self._held.release()


@attrs.define(eq=False)
class BoundedReader:
    """Gives frames to ``reader``, large ones when there is room for them; see ``Reader``.

    ``expect`` is for the bytes of a frame that is not whole.
    """

    reader: Reader
    places: Places
    _coming: int = 0
    _held: Held | None = None
    _kept: tuple[Out, ...] = ()

    @property
    def content_type(self) -> str:
        """The type of what the frames become."""
        return self.reader.content_type

    @property
    def committed(self) -> bool:
        """Whether the head of the answer is out."""
        return self.reader.committed

    @property
    def sent(self) -> int:
        """The bytes of the frames that were passed on."""
        return self.reader.sent

    def expect(self, size: int) -> bool:
        """Take the news that ``size`` bytes of a frame came; False: ``settle`` is due."""
        self._coming += size
        return self._coming <= SMALL or self._held is not None

    async def open(self, status: int, headers: Mapping[str, str]) -> None:
        """Commit the head of the answer."""
        await self.reader.open(status, headers)

    async def offer(self, out: tuple[Out, ...]) -> bool:
        """Pass frames on, or keep them for ``settle``."""
        self._coming = 0
        if self._held is None and _largest(out) > SMALL:
            self._kept = out
            return False
        taken = await self.reader.offer(out)
        if taken:
            self._let_go()
        return taken

    async def settle(self) -> None:
        """Wait for room, or while the reader is slow."""
        kept, self._kept = self._kept, ()
        if self._held is None and (kept or self._coming > SMALL):
            self._held = await self.places.take()
        if not kept and self._coming:
            return  # the rest of the frame is still to come
        if not kept or not await self.reader.offer(kept):
            await self.reader.settle()
        self._let_go()

    async def heartbeat(self) -> None:
        """Show that the answer is still alive."""
        await self.reader.heartbeat()

    async def finish(self, out: tuple[Out, ...], tail: Frame | None) -> None:
        """End the answer; there is room for its last frames, too."""
        if self._held is None and _largest(out) > SMALL:
            self._held = await self.places.take()
        await self.reader.finish(out, tail)
        self._let_go()

    async def pass_on(self, body: bytes) -> None:
        """End the answer with a body that is no generation."""
        await self.reader.pass_on(body)

    async def fail(self, payload: Mapping[str, Any] | None) -> None:
        """End the answer so that every reader notices."""
        await self.reader.fail(payload)

    def close(self) -> None:
        """Give back what is held, whatever came of the answer."""
        self._coming = 0
        self._let_go()

    def _let_go(self) -> None:
        """Give back the room of a picture that a stream has passed on."""
        if self._held is not None and not self.places.document:
            self._held.release()
            self._held = None


def new_mark() -> str:
    """Return what begins the marks of one answer, see ``Answer``: no model can say it."""
    return f"@{secrets.token_hex(16)}-"


def _largest(out: tuple[Out, ...]) -> int:
    """Return the bytes of the largest frame; a run of plain events has none."""
    frames = (frame for one in out if isinstance(one, Frames) for frame in one.frames)
    return max((frame.size for frame in frames), default=0)
