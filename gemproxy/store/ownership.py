"""The store of owners: ``add`` returns after the commit, and survives a disk that fails.

While the disk fails, new owners wait in memory, where this process finds them.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Sequence

import attrs

from gemproxy.owners.owner import Owner
from gemproxy.store import owned
from gemproxy.store.behind import AGAIN_SECONDS, Behind
from gemproxy.store.database import Database

MOST_WAITING = 20_000


@attrs.define(eq=False)
class Ownership:
    """An OwnerStore in the database; ``now`` is the Unix clock."""

    _database: Database
    _now: Callable[[], float] = time.time
    _behind: Behind[str, Owner] = attrs.field(init=False)

    @_behind.default
    def _make_behind(self) -> Behind[str, Owner]:
        return Behind(self._database, self._put, _first_maker, MOST_WAITING)

    def _put(self, connection: sqlite3.Connection, owners: list[Owner]) -> None:
        owned.put(connection, owners, self._now())

    async def find(self, names: Collection[str]) -> Sequence[Owner]:
        """Return the owners of those ``names`` that are known and not over."""
        sound = set(filter(owned.fits, names))
        if not sound:
            return ()
        now = self._now()
        waiting = self._behind.unwritten()
        found = {name: waiting[name] for name in sound & waiting.keys()}
        for owner in await self._read(lambda it: owned.find(it, sound, now)):
            later = found.get(owner.name)
            found[owner.name] = _first_maker(owner, later) if later else owner
        return list(found.values())

    async def add(self, owners: Iterable[Owner]) -> None:
        """Record owners; returns when they are committed, or wait because the disk fails."""
        for owner in owners:
            if owned.fits(owner.name):
                self._behind.take(owner.name, owner)
        if not self._behind.unwritten():
            return
        if self._database.writing.failing:
            self._behind.flush_in(AGAIN_SECONDS)
        else:
            await self._behind.flush()

    async def forget(self, names: Iterable[str]) -> None:
        """Forget names that were deleted."""
        sound = list(filter(owned.fits, names))
        for name in sound:
            self._behind.drop(name)
        try:
            await asyncio.wrap_future(self._database.write(lambda it: owned.forget(it, sound)))
        except sqlite3.Error as error:
            self._database.writing.failed(error)

    async def made_by(self, caller: str, collection: str) -> Sequence[Owner]:
        """Return what ``caller`` owns in a collection (``files``), the oldest first."""
        now = self._now()
        waiting = [
            owner
            for owner in self._behind.unwritten().values()
            if owner.caller == caller and owned.collection_of(owner.name) == collection
        ]
        known = await self._read(lambda it: owned.made_by(it, caller, collection, now))
        names = {owner.name for owner in known}
        return [*known, *(owner for owner in waiting if owner.name not in names)]

    async def _read(self, job: Callable[[sqlite3.Connection], list[Owner]]) -> list[Owner]:
        """Return what a job reads; nothing if the disk fails."""
        try:
            found = await asyncio.wrap_future(self._database.read(job))
        except sqlite3.Error as error:
            self._database.reading.failed(error)
            return []
        self._database.reading.worked()
        return found

    async def prune(self, now: float) -> None:
        """Forget what is over at ``now``, and the oldest beyond the limit."""
        try:
            while await asyncio.wrap_future(self._database.write(lambda it: owned.prune(it, now))):
                pass
        except sqlite3.Error as error:
            self._database.writing.failed(error)

    async def close(self) -> None:
        """Write what waits."""
        await self._behind.close()


def _first_maker(older: Owner, newer: Owner) -> Owner:
    """Return the owner of a name that was recorded twice."""
    if older.caller and (older.caller, older.project) != (newer.caller, newer.project):
        return older
    return attrs.evolve(newer, until=max(older.until, newer.until))
