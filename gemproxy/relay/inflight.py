"""The requests being served: how many there may be, and how they end at a shutdown.

A shutdown lets them finish for a while. Whatever still runs then is cancelled with
``expired`` set, so that a handler can tell the end of the process from the end of its
client and say so on the wire.

A request that has ended badly lingers until its client has read why. It does not run any more,
so it counts no longer; a shutdown waits for it about as long as for last words, and no longer.
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
    """The running requests of one process; ``limit`` is how many there may be.

    ``patience`` counts seconds for a client to read why its answer ended.
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
        """Count the current task as one request; raise Busy when there are too many."""
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

        Less than ``seconds`` when a drain is over, and not at all where too many linger.
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
        """Return when no request runs; cancel after ``seconds`` those that still do."""
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
