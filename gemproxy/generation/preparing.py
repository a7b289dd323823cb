"""A reader to which frames go when something has been done with them, which may take time.

The work waits where a slow client would be waited for, so the next frames wait, too, and a frame
that needs none goes straight on.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs

from gemproxy.core.repair.events import Out
from gemproxy.core.wire.frame import Frame
from gemproxy.generation.reader import Reader

Frames = tuple[Out, ...]


@attrs.define(eq=False)
class PreparedReader:
    """Gives frames to ``reader``, where ``needed`` says so behind ``prepare``; see ``Reader``."""

    reader: Reader
    needed: Callable[[Frames], bool]
    prepare: Callable[[Frames], Awaitable[None]]
    _kept: Frames = ()

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

    async def open(self, status: int, headers: Mapping[str, str]) -> None:
        """Commit the head of the answer."""
        await self.reader.open(status, headers)

    async def offer(self, out: Frames) -> bool:
        """Pass frames on, or keep them for ``settle``."""
        if self.needed(out):
            self._kept = out
            return False
        return await self.reader.offer(out)

    async def settle(self) -> None:
        """Prepare and pass on what was kept; wait while the reader is slow."""
        kept, self._kept = self._kept, ()
        if kept:
            await self.prepare(kept)
            if await self.reader.offer(kept):
                return
        await self.reader.settle()

    async def heartbeat(self) -> None:
        """Show that the answer is still alive."""
        await self.reader.heartbeat()

    async def finish(self, out: Frames, tail: Frame | None) -> None:
        """End the answer; its last frames are prepared, too."""
        if self.needed(out):
            await self.prepare(out)
        await self.reader.finish(out, tail)

    async def pass_on(self, body: bytes) -> None:
        """End the answer with a body that is no generation."""
        await self.reader.pass_on(body)

    async def fail(self, payload: Mapping[str, Any] | None) -> None:
        """End the answer so that every reader notices."""
        await self.reader.fail(payload)
