"""The reader of a generation whose frames go into a log.

It never makes the generation wait: nobody's connection is behind it, and the log is bounded. Frames
go to the store first, then into the log, and only then is anybody told.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from gemproxy.core.repair.events import Out, Run
from gemproxy.core.wire.frame import Frame
from gemproxy.resume.log import Broken, Ending, Head, Passed, Whole
from gemproxy.resume.store import Store
from gemproxy.resume.stream import Stream


@attrs.define(eq=False)
class LogReader:
    """Writes the frames of one answer into the log of ``stream``; see ``Reader``.

    ``content_type`` is that of the framing in which the frames are. ``texts``: the voices of the
    dialect read the texts of runs, so these are kept, too. ``sent`` counts the bytes of all frames.
    """

    stream: Stream
    store: Store
    content_type: str
    texts: bool = False
    committed: bool = attrs.field(default=False, init=False)
    sent: int = attrs.field(default=0, init=False)

    @property
    def output_size(self) -> int:
        """The bytes of all frames, as the list of running requests asks for them."""
        return self.sent

    async def open(self, status: int, headers: Mapping[str, str]) -> None:
        """Keep the head of the answer, so that followers get theirs."""
        self.stream.log.head = Head(status, headers)
        self.committed = True
        self.stream.news.tell_now()

    async def offer(self, out: tuple[Out, ...]) -> bool:
        """Write frames into the log."""
        stream, store = self.stream, self.store
        for one in out:
            if not self.texts and isinstance(one, Run):
                one = Run(one.raw, one.count, one.separator, one.rewritten)  # noqa: PLW2901 (as it is kept)
            await store.write(stream, one)
            self.sent += stream.log.append(one)
        stream.news.tell()
        return True

    async def settle(self) -> None:
        """Do nothing: no frame waits."""

    async def heartbeat(self) -> None:
        """Do nothing: each follower keeps its own connection warm."""

    async def finish(self, out: tuple[Out, ...], tail: Frame | None) -> None:
        """Write the last frames, and that the answer is complete."""
        stream = self.stream
        for one in out:
            await self.store.write(stream, one)
            self.sent += stream.log.append(one)
        await self.end(Whole(tail))

    async def pass_on(self, body: bytes) -> None:
        """Keep an answer that is no generation."""
        await self.end(Passed(body))

    async def fail(self, payload: Mapping[str, Any] | None) -> None:
        """Keep that the answer broke off."""
        await self.end(Broken(payload))

    async def end(self, ending: Ending) -> None:
        """Keep how the answer ended, once, and tell all followers."""
        stream = self.stream
        if stream.log.ending is None:
            stream.log.ending = ending
            await self.store.end(stream, ending)
            stream.news.tell_now()
