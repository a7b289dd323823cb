"""The operator's keys while the pool serves: how they stand, and what an operator does to them.

Stored keys are added and removed; any key is checked, disabled and enabled.

A change goes to the store, and the pool of this process takes it in before the call returns. Other
processes follow at their next step (``lending.keeping``).
"""

import asyncio
import contextlib
import enum
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import attrs

from gemproxy.core.errors import Busy, Conflict, Unrouted
from gemproxy.lending.checking import Checker, Finding
from gemproxy.lending.keeping import Keeper
from gemproxy.pool.key import Key, Project
from gemproxy.pool.standing import Standing
from gemproxy.store import learnt
from gemproxy.store.database import Job
from gemproxy.store.keyring import ORIGIN, Added
from gemproxy.store.unusable import Unusable

T = TypeVar("T")

CHECK_SECONDS = 60.0
"""Seconds for a check of all keys; those that could not be asked about in it are left."""

_CLIENTS_KNOW = "is an access key or the operator's secret, which no key of the pool may be"
_UNKNOWN = "No key has this fingerprint; /admin/api/v1/keys lists them."
_TWIN = "has the fingerprint of another key, so it could not be named"


class Result(enum.Enum):
    """What became of a key that was to be added."""

    ADDED = "added"
    KNOWN = "known"
    """The data directory or the settings have it already."""
    REFUSED = "refused"


@attrs.frozen
class Wish:
    """A key that is to be added; an empty ``project`` is one of its own."""

    secret: str = attrs.field(repr=False)
    project: str = ""
    proxy: str = attrs.field(default="", repr=False)


@attrs.frozen
class Placed:
    """What became of a key; ``why`` is the rest of a sentence about it.

    ``name`` is the fingerprint, empty for what is no key. ``project`` is where a known one is.
    """

    result: Result
    name: str = ""
    project: str = ""
    why: str = ""


@attrs.frozen(eq=False)
class Ring:
    """The keys of ``keeper``'s pool, and its store.

    ``read`` makes a key of a wish, and raises ValueError with the rest of a sentence. ``is_known``
    says whether clients or the operator have a text as their own secret.
    """

    keeper: Keeper
    read: Callable[[Wish], Key]
    is_known: Callable[[str], bool]
    checker: Checker

    @property
    def projects(self) -> Sequence[Project]:
        """The projects with their keys."""
        return tuple(self.keeper.pool.projects)

    def standings(self) -> list[Standing]:
        """Return how all keys stand now."""
        return self.keeper.pool.standings(self.keeper.clock())

    def spent(self) -> Mapping[str, Mapping[str, int]]:
        """Return project -> model -> its requests of Google's running day."""
        return self.keeper.pool.spent(self.keeper.clock())

    def available(self) -> int:
        """Return how many keys could serve some model now."""
        return self.keeper.pool.available(self.keeper.clock())

    def standing(self, name: str) -> Standing:
        """Return how a key stands now, by its fingerprint. Raises Unrouted for an unknown one."""
        self.known(name)
        return next(one for one in self.standings() if one.key == name)

    async def refused_locations(self) -> dict[str, float]:
        """Return when Google refused the location of a key, by fingerprint. Raises Busy."""
        with _told():
            read = self.keeper.store.database.read(learnt.refused_locations)
            return await asyncio.wrap_future(read)

    async def add(self, wishes: Sequence[Wish]) -> list[Placed]:
        """Add keys; return what became of each. Raises Busy when the disk fails: none is added."""
        judged = [self._judged(wish) for wish in wishes]
        fresh = [key for key in judged if isinstance(key, Key)]
        now = self.keeper.clock()
        became: list[tuple[Added, str]] = []
        if fresh:
            became = await self._write(lambda it: self.keeper.store.ring.place(it, fresh, now))
        told = iter([_placed(key, *one) for key, one in zip(fresh, became, strict=True)])
        return [next(told) if isinstance(one, Key) else one for one in judged]

    async def remove(self, name: str) -> str:
        """Remove a stored key by its fingerprint; return its project, empty if it did not serve.

        Raises Conflict for a key of the settings, Unrouted for an unknown one, Busy.
        """
        key = self.find(name)
        if key is not None and key.origin != ORIGIN:
            raise Conflict(
                f"The key {name} is in the settings ({key.origin}): remove it there and restart."
            )

        def remove(connection: sqlite3.Connection) -> int:
            count = self.keeper.store.ring.remove(connection, [name])
            if count:  # it is enabled if it comes back
                learnt.switch(connection, [name], self.keeper.clock(), enabled=True)
            return count

        if not await self._write(remove):
            raise Unrouted(_UNKNOWN)
        return "" if key is None else key.project

    async def switch(self, name: str, *, enabled: bool) -> bool:
        """Enable or disable a key by its fingerprint; return whether that changed anything.

        A disabled key gets no new attempt, here at once and in other processes at their next step;
        what runs with it goes on. Raises Unrouted for an unknown key, Busy.
        """
        self.known(name)
        now = self.keeper.clock()
        return bool(await self._write(lambda it: learnt.switch(it, [name], now, enabled=enabled)))

    async def check(self, keys: Iterable[Key]) -> Mapping[str, Finding]:
        """Ask the upstream about keys, and have the pool learn; return findings by fingerprint.

        A key that could not be asked about in the time for all has no finding.
        """
        findings: dict[str, Finding] = {}

        def hear(finding: Finding) -> None:
            findings[finding.key.name] = finding
            self._learn(finding)

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CHECK_SECONDS):
                await self.checker.check(keys, hear)
        return findings

    def _learn(self, finding: Finding) -> None:
        name, now = finding.key.name, self.keeper.clock()
        self.keeper.pool.asked(name, finding.outcome, now)
        if finding.well:
            self.keeper.store.pool.located(name, now, finding.elsewhere)
        self.keeper.save()

    def known(self, name: str) -> Key:
        """Return the key of the pool with a fingerprint. Raises Unrouted."""
        key = self.find(name)
        if key is None:
            raise Unrouted(_UNKNOWN)
        return key

    def find(self, name: str) -> Key | None:
        """Return the key of the pool with a fingerprint."""
        keys = (key for project in self.projects for key in project.keys)
        return next((key for key in keys if key.name == name), None)

    def _judged(self, wish: Wish) -> Key | Placed:
        """Return the key that is to be stored, or why there is none."""
        try:
            key = self.read(wish)
        except ValueError as error:
            return Placed(Result.REFUSED, why=str(error))
        if self.is_known(key.secret):
            return Placed(Result.REFUSED, key.name, why=_CLIENTS_KNOW)
        there = self.find(key.name)
        if there is None or there.origin == ORIGIN:
            return key
        if there.secret != key.secret:
            return Placed(Result.REFUSED, key.name, why=_TWIN)
        why = f"is in the settings ({there.origin})"
        return Placed(Result.KNOWN, there.name, there.project, why)

    async def _write(self, job: Job[T]) -> T:
        with _told():
            done = await asyncio.wrap_future(self.keeper.store.database.write(job))
        await self.keeper.step()
        return done


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Turn errors of the store into one of the API."""
    try:
        yield
    except (sqlite3.Error, Unusable) as error:
        raise Busy(f"The data directory cannot be used now: {error}.") from None


def _placed(key: Key, became: Added, project: str) -> Placed:
    if became is Added.NEW:
        return Placed(Result.ADDED, key.name, project)
    if became is Added.TWIN:
        return Placed(Result.REFUSED, key.name, why=_TWIN)
    return Placed(Result.KNOWN, key.name, project, "is there already")
