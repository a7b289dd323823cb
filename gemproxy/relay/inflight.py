"""The running requests: their limit, and their end at a shutdown.

A shutdown lets them finish for a while. It then cancels the remaining ones with ``expired`` set, so
a handler can distinguish the end of the process from a lost client and send the reason.

A request that ended with an error lingers until its client has read the reason. It does not count
as running any more; a shutdown waits for it about as long as for last words.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import attrs

from gemproxy.core.errors import Busy

_LAST_WORDS_SECONDS = 2.0
_LINGERING_AT_MOST = 1000


@attrs.define(eq=False)
class InFlight:
    """The running requests of one process; ``limit`` is their largest number.

    ``patience`` is the time for a client to read why its answer ended (seconds).
    """

    limit: int
    patience: float = 1.0
    draining: bool = False
    expired: bool = False
    _tasks: set[asyncio.Task[Any]] = attrs.field(factory=set)
    _lingering: set[asyncio.Task[Any]] = attrs.field(factory=set)
    _over: asyncio.Event = attrs.field(factory=asyncio.Event)

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def lingering(self) -> int:
        """How many requests have ended and wait for their clients to read why."""
        return len(self._lingering)

    @contextlib.contextmanager
    def request(self) -> Iterator[None]:
        """Count the current task as one request; raise Busy beyond the limit."""
        task = asyncio.current_task()
        if len(self._tasks) >= self.limit or task is None:
            raise Busy("The proxy serves as many requests as it may; try again in a moment.")
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.discard(task)

    async def linger(self, seconds: float) -> bool:
        """Wait in a request that has ended, and return whether it may wait again.

        The wait is shorter than ``seconds`` if a drain ends, and 0 if too many requests linger.
        """
        task = asyncio.current_task()
        if self._over.is_set() or task is None or len(self._lingering) >= _LINGERING_AT_MOST:
            return False
        self._lingering.add(task)
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            return True
        finally:
            self._lingering.discard(task)
        return False

    async def drain(self, seconds: float) -> None:
        """Return when no request runs; cancel the remaining ones after ``seconds``."""
        self.draining = True
        await _end(seconds, self._tasks)
        self.expired = bool(self._tasks)
        for task in self._tasks:
            task.cancel()
        await _end(_LAST_WORDS_SECONDS, self._tasks, self._lingering)
        self._over.set()


async def _end(seconds: float, *running: set[asyncio.Task[Any]]) -> None:
    """Wait until none of the tasks runs, or for ``seconds``; a kept connection may bring more."""
    now = asyncio.get_running_loop().time
    deadline = now() + seconds
    while any(running) and now() < deadline:
        await asyncio.wait(set().union(*running), timeout=deadline - now())
