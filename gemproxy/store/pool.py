"""The pool's part of the store: its keys, and what it has learnt.

Changes are written behind, a moment after they were learnt: rests and sicknesses at once, counts
and homes a tenth of a second later. ``poll`` says what other processes have written since; it costs
one small query while they have not.
"""

import asyncio
import sqlite3
from collections.abc import Hashable, Iterable, Sequence

import attrs

from gemproxy.pool.key import Key
from gemproxy.pool.state import Change, Home, Rest, Sickness, Spent, Switch, Use
from gemproxy.store import keyring, learnt
from gemproxy.store.behind import Behind
from gemproxy.store.database import Database, understood
from gemproxy.store.keyring import Keyring
from gemproxy.store.learnt import Location

DELAY_SECONDS = 0.1
"""Seconds for which counts and homes are collected."""

MOST_WAITING = 20_000


@attrs.frozen
class News:
    """What other processes have written; ``keys`` is None if the keys are the same."""

    changes: Sequence[Change] = ()
    keys: Sequence[Key] | None = None


@attrs.define(eq=False)
class PoolStore:
    """Keeps what a pool has learnt. ``load`` and ``keys`` block; they are for the start."""

    _database: Database
    _ring: Keyring
    _behind: Behind[Hashable, Change | Location] = attrs.field(init=False)
    _refused: set[str] = attrs.field(factory=set)
    _version: tuple[int, int] = (0, 0)
    _serial: int = 0
    _keys: int = 0

    @_behind.default
    def _make_behind(self) -> Behind[Hashable, Change | Location]:
        return Behind(self._database, self._put, _join, MOST_WAITING)

    def _put(self, connection: sqlite3.Connection, changes: list[Change | Location]) -> None:
        serial = learnt.put(connection, changes)
        if serial == self._serial + 1:  # nobody else wrote since the last poll
            self._serial = serial

    def load(self) -> list[Change]:
        """Return all that is known; raises Unusable."""
        with understood(self._database.path):
            return list(self._database.read(self._everything).result())

    def _everything(self, connection: sqlite3.Connection) -> list[Change]:
        connection.execute("BEGIN")
        try:
            changes = learnt.since(connection, 0)
            self._serial = learnt.last_serial(connection)
            self._refused = set(learnt.refused_locations(connection))
        finally:
            connection.execute("ROLLBACK")
        return changes

    def keys(self) -> list[Key]:
        """Return the keys of the data directory; raises Unusable."""

        def read(connection: sqlite3.Connection) -> list[Key]:
            self._keys = keyring.changed(connection)
            return self._ring.keys(connection)

        with understood(self._database.path):
            return self._database.read(read).result()

    def save(self, changes: Iterable[Change]) -> None:
        """Write changes soon."""
        delay = None
        for change in changes:
            self._behind.take(_thing(change), change)
            soon = isinstance(change, Rest | Sickness)
            delay = 0.0 if soon or delay == 0.0 else DELAY_SECONDS
        if delay is not None:
            self._behind.flush_in(delay)

    def located(self, key: str, now: float, refused: bool) -> None:  # noqa: FBT001 (a callback)
        """Note whether Google refuses the location from which the requests of a key come."""
        if refused != (key in self._refused):
            (self._refused.add if refused else self._refused.discard)(key)
            self._behind.take((Location, key), Location(key, refused, now))
            self._behind.flush_in(DELAY_SECONDS)

    async def poll(self) -> News:
        """Return what other processes have written since the last call; changes come once.

        Of counts it returns the sum over all processes, those that wait here included. Rows of
        our own may be among the changes.
        """
        try:
            async with self._behind.turn:  # so that each count is either in the file or waiting
                news = await self._read_news()
        except sqlite3.Error as error:
            self._database.reading.failed(error)
            return News()
        self._database.reading.worked()
        return attrs.evolve(news, changes=list(map(self._summed, news.changes)))

    async def _read_news(self) -> News:
        version = await asyncio.wrap_future(self._database.version())
        if version == self._version:
            return News()
        if version[0] != self._version[0] != 0:  # another file than before
            self._serial, self._keys = 0, -1
        news = await asyncio.wrap_future(self._database.read(self._news))
        self._version = version
        return news

    def _news(self, connection: sqlite3.Connection) -> News:
        """Return what was written since the last call."""
        connection.execute("BEGIN")
        try:
            changes = learnt.since(connection, self._serial)
            number = keyring.changed(connection)
            keys = None if number == self._keys else self._ring.keys(connection)
            self._serial, self._keys = learnt.last_serial(connection), number
        finally:
            connection.execute("ROLLBACK")
        return News(changes, keys)

    def _summed(self, change: Change) -> Change:
        waiting = self._behind.unwritten().get(_thing(change))
        if isinstance(change, Spent) and isinstance(waiting, Spent):
            return attrs.evolve(change, requests=change.requests + waiting.requests)
        return change

    async def prune(self, now: float) -> None:
        """Forget what no longer matters at ``now``."""
        try:
            await asyncio.wrap_future(self._database.write(lambda it: learnt.prune(it, now)))
        except sqlite3.Error as error:
            self._database.writing.failed(error)

    async def close(self) -> None:
        """Write what waits."""
        await self._behind.close()


def _thing(change: Change) -> Hashable:
    """Return what a change is about."""
    match change:
        case Rest():
            return Rest, change.project, change.model
        case Sickness() | Switch() | Use():
            return type(change), change.key
        case Spent():
            return Spent, change.project, change.model, change.day
        case Home():
            return change.opening


def _join(older: Change | Location, newer: Change | Location) -> Change | Location:
    """Return two changes about the same thing as one."""
    if isinstance(older, Spent) and isinstance(newer, Spent):
        return attrs.evolve(newer, requests=older.requests + newer.requests)
    return newer
