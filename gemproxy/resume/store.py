"""Where streams are kept, as their keeper asks for it.

The memory of the process is one such place (``shelf``). A place that several processes share
decides which of them makes the answer, and keeps the frames beyond the life of a process.
Everything that may have to wait for it is a coroutine, and is awaited before anybody learns of what
was kept.
"""

from typing import Protocol

from gemproxy.core.repair.events import Out
from gemproxy.resume.log import Ending, FrameLog
from gemproxy.resume.stream import Scope, Stream


class Store(Protocol):
    """Keeps streams by their key and by their id."""

    def new_log(self) -> FrameLog:
        """Return an empty log within the bounds of this place."""

    async def find(self, scope: Scope) -> Stream | None:
        """Return the stream of a key, None if the key is free.

        Raises Gone if its answer is not kept though its time is not over.
        """

    async def claim(self, stream: Stream) -> Stream:
        """Give the key of ``stream`` to it, unless it is taken; return who has it.

        That is one step, whoever else asks. Raises like ``find``, and LimitReached and Busy if
        there is no place for another stream.
        """

    async def named(self, name: str, owner: str) -> Stream | None:
        """Return the stream with an id, None if its owner has none.

        Raises Gone for one that was kept, and is not any more.
        """

    async def write(self, stream: Stream, out: Out) -> None:
        """Keep frames; they go into the stream's log afterwards."""

    async def end(self, stream: Stream, ending: Ending) -> None:
        """Keep how a stream ended, which its log says already; free the key if it is no result."""

    def tend(self) -> None:
        """Let go of what has been kept long enough; called again and again."""
