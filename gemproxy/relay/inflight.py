"""The running requests: their limit, their list, and their end at a shutdown or by an operator.

A shutdown lets them finish for a while. It then cancels the remaining ones with ``expired`` set, so
a handler can distinguish the end of the process from a lost client and send the reason. An operator
can end a single request in the same way; ``reason`` returns what its client is told.

Requests aside are the operator's: they do not count, so that a full proxy can be looked at.

A generation that runs in a task of its own is listed and ended like a request. It does not count
against the limit: the clients that read it do.

A request that ended with an error lingers until its client has read the reason. It does not count
as running any more; a shutdown waits for it about as long as for last words.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any, Protocol

import attrs

from gemproxy.core.errors import Busy, Cancelled, GemproxyError
from gemproxy.exchange.account import Account
from gemproxy.exchange.exchange import Exchange

_LAST_WORDS_SECONDS = 2.0
_LINGERING_AT_MOST = 1000


class Written(Protocol):
    """Counts what went out to a client."""

    @property
    def output_size(self) -> int:
        """The bytes that went out."""


@attrs.frozen(eq=False)
class Run:
    """A request that runs: since when (monotonic, seconds), and the bytes that went out for it."""

    exchange: Exchange
    written: Written
    began: float


@attrs.define(eq=False)
class InFlight:
    """The running requests of one process; ``limit`` is their largest number.

    ``patience`` is the time for a client to read why its answer ended (seconds).
    """

    limit: int
    patience: float = 1.0
    draining: bool = False
    expired: bool = False
    clock: Callable[[], float] = time.monotonic
    _tasks: dict[asyncio.Task[Any], Run] = attrs.field(factory=dict)
    _generations: dict[asyncio.Task[Any], Run] = attrs.field(factory=dict)
    _aside: set[asyncio.Task[Any]] = attrs.field(factory=set)
    _lingering: set[asyncio.Task[Any]] = attrs.field(factory=set)
    _over: asyncio.Event = attrs.field(factory=asyncio.Event)

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def lingering(self) -> int:
        """How many requests have ended and wait for their clients to read why."""
        return len(self._lingering)

    @property
    def running(self) -> list[Run]:
        """The requests that run, and generations that run by themselves, each in their order."""
        return [*self._tasks.values(), *self._generations.values()]

    def reason(self, account: Account) -> GemproxyError | None:
        """Return why the proxy itself ends a cancelled request; None: its client has left."""
        if account.cancelled:
            return Cancelled("The operator of the proxy ended this request.")
        return Busy("The proxy is shutting down.") if self.expired else None

    def cancel(self, run: Run) -> bool:
        """End a request by the operator's wish; return whether it ran.

        A request that is being ended already is left to its last words.
        """
        tasks = (*self._tasks.items(), *self._generations.items())
        task = next((task for task, one in tasks if one is run), None)
        if task is None:
            return False
        account = run.exchange.account
        if not account.cancelled and not self.expired:
            account.cancelled = True
            task.cancel()
        return True

    @contextlib.contextmanager
    def request(self, exchange: Exchange, written: Written) -> Iterator[None]:
        """Count the current task as one request; raise Busy beyond the limit."""
        task = asyncio.current_task()
        if len(self._tasks) >= self.limit or task is None:
            raise Busy("The proxy serves as many requests as it may; try again in a moment.")
        self._tasks[task] = Run(exchange, written, self.clock())
        try:
            yield
        finally:
            del self._tasks[task]

    @contextlib.contextmanager
    def generation(self, exchange: Exchange, written: Written) -> Iterator[None]:
        """List the current task as a generation that runs by itself."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 (the keeper of such generations runs each in one)
        self._generations[task] = Run(exchange, written, self.clock())
        try:
            yield
        finally:
            del self._generations[task]

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Have a drain wait for the current task, which does not count as a request."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 (a handler runs in one)
        self._aside.add(task)
        try:
            yield
        finally:
            self._aside.discard(task)

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
        await _end(seconds, self._tasks, self._generations, self._aside)
        left = [*self._tasks, *self._generations, *self._aside]
        self.expired = bool(left)
        for task in left:
            task.cancel()
        running = (self._tasks, self._generations, self._aside, self._lingering)
        await _end(_LAST_WORDS_SECONDS, *running)
        self._over.set()


async def _end(seconds: float, *running: Collection[asyncio.Task[Any]]) -> None:
    """Wait until none of the tasks runs, or for ``seconds``; a kept connection may bring more."""
    now = asyncio.get_running_loop().time
    deadline = now() + seconds
    while any(running) and now() < deadline:
        await asyncio.wait(set().union(*running), timeout=deadline - now())
