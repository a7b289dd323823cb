"""Write-behind: what waits to be written, and the transactions that write it.

All that waits goes into one transaction, and one transaction runs at a time, so many requests that
wait for their commit share it. When the disk is full, or another program holds the lock for long,
nothing that was asked for fails: it goes on waiting, bounded, and is tried again each second. The
log has one line when that begins and one when it is over (``Health``).
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar

import attrs

from gemproxy.store.database import Database

AGAIN_SECONDS = 1.0
"""Seconds after which a failed transaction is tried again."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_UNFIT = (
    ValueError,
    OverflowError,
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)
"""Errors of values that no database would hold."""

_log = logging.getLogger(__name__)


@attrs.define(eq=False)
class Behind(Generic[K, V]):
    """What waits to be written, by key.

    ``put`` writes values. ``join`` makes one value of an older and a newer one of the same key.
    Beyond ``limit`` the oldest keys are dropped. ``turn`` is held during a transaction.
    """

    _database: Database
    _put: Callable[[sqlite3.Connection, list[V]], object]
    _join: Callable[[V, V], V]
    _limit: int
    turn: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    _waiting: dict[K, V] = attrs.field(factory=dict)
    _written: dict[K, V] = attrs.field(factory=dict)
    _next: asyncio.Task[None] | None = None
    _timer: asyncio.Handle | None = None
    _due: float = 0.0
    _closed: bool = False

    def take(self, key: K, value: V) -> None:
        """Let a value wait; it is written by the next ``flush``."""
        older = self._waiting.get(key)
        self._waiting[key] = value if older is None else self._join(older, value)
        while len(self._waiting) > self._limit:
            del self._waiting[next(iter(self._waiting))]

    def drop(self, key: K) -> None:
        """Forget what waits for a key."""
        self._waiting.pop(key, None)

    def unwritten(self) -> Mapping[K, V]:
        """Return what waits and what is being written."""
        return self._joined() if self._written else self._waiting

    def flush_in(self, seconds: float) -> None:
        """Flush after a time, or earlier if that is planned."""
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        if self._timer is not None:
            if self._due <= due or self._database.writing.failing:
                return
            self._timer.cancel()
        self._due = due  # uvloop's handle of a call without delay does not know its time
        self._timer = loop.call_later(seconds, self._start)

    async def flush(self) -> None:
        """Write what waits; returns when it is written or has failed. Cannot be cancelled half."""
        if not self._closed:
            await asyncio.shield(self._start())

    def _start(self) -> asyncio.Task[None]:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._transact())
        return self._next

    async def _transact(self) -> None:
        async with self.turn:
            self._next = None
            if not self._waiting:
                return
            self._written, self._waiting = self._waiting, {}
            values = list(self._written.values())
            try:
                job = self._database.write(lambda connection: self._put(connection, values))
                await asyncio.wrap_future(job)
            except _UNFIT as error:  # it would fail again
                _log.error("%d changes are lost: %s", len(values), error)
            except sqlite3.Error as error:
                self._failed(error)
            else:
                self._database.writing.worked()
            finally:
                self._written = {}

    def _failed(self, error: sqlite3.Error) -> None:
        self._database.writing.failed(error)
        self._waiting = self._joined()
        self.flush_in(AGAIN_SECONDS)

    def _joined(self) -> dict[K, V]:
        """Return what is being written with what has come since."""
        both = dict(self._written)
        for key, value in self._waiting.items():
            both[key] = self._join(both[key], value) if key in both else value
        return both

    async def close(self) -> None:
        """Write what waits, once; later values are dropped."""
        await self.flush()
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            _log.error("%d changes were not written to the data directory", len(self._waiting))
