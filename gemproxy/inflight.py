"""The requests being served: how many there may be, and how they end at a shutdown.

A shutdown lets them finish for a while. Whatever still runs then is cancelled with
``expired`` set, so that a handler can tell the end of the process from the end of its
client and say so on the wire.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import attrs

from gemproxy.core.errors import Busy

_LAST_WORDS_SECONDS = 2.0


@attrs.define(eq=False)
class InFlight:
    """The running requests of one process; ``limit`` is how many there may be."""

    limit: int
    draining: bool = False
    expired: bool = False
    _tasks: set[asyncio.Task[Any]] = attrs.field(factory=set)

    def __len__(self) -> int:
        return len(self._tasks)

    @contextlib.contextmanager
    def request(self) -> Iterator[None]:
        """Count the current task as one request; raise Busy when there are too many."""
        task = asyncio.current_task()
        if len(self._tasks) >= self.limit or task is None:
            raise Busy("The proxy serves as many requests as it may; try again in a moment.")
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.discard(task)

    async def drain(self, seconds: float) -> None:
        """Return when no request runs; cancel after ``seconds`` those that still do."""
        self.draining = True
        await self._end(seconds)
        self.expired = bool(self._tasks)
        for task in self._tasks:
            task.cancel()
        await self._end(_LAST_WORDS_SECONDS)

    async def _end(self, seconds: float) -> None:
        """Wait until no request runs, or for ``seconds``; a kept connection may bring more."""
        now = asyncio.get_running_loop().time
        deadline = now() + seconds
        while self._tasks and now() < deadline:
            await asyncio.wait(self._tasks, timeout=deadline - now())
