"""The record of owners as one process uses it: memory in front of the store, and lifetimes.

A request that names something asks memory first. What memory lacks may be in the store, where
another process put it. A name with a known maker never gets another owner, so memory cannot be
wrong about it until it is deleted; one that was only looked up may be claimed in another process,
so it is not kept here.

An answer may say when a resource ends (``expireTime``). Otherwise its collection decides.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import attrs

from gemproxy.owners.naming import HANDLES, TOKENS, hashed
from gemproxy.owners.owner import Owner, OwnerStore

_HOUR = 3600.0
_DAY = 24 * _HOUR
_YEARS = 3650 * _DAY
_LIFETIMES = {
    "files": 49 * _HOUR,  # Gemini keeps a file for 48 hours
    "generatedFiles": 49 * _HOUR,
    "videos": 49 * _HOUR,
    "cachedContents": 2 * _HOUR,  # its ttl is one hour unless the request says another
    "batches": 90 * _DAY,  # a batch may take days, and its results stay
    "operations": 30 * _DAY,
    "interactions": 56 * _DAY,  # kept for 55 days in paid projects, for one in free ones
    "auth_tokens": 2 * _DAY,  # at most 20 hours
    TOKENS: 2 * _DAY,  # needed as long as an answer is being continued
    HANDLES: 2 * _DAY,  # a session can be resumed for some hours
}
"""Seconds from the answer that named it; an hour more than Google says, for clocks that differ.
All else exists until it is deleted."""

_SPARE = _HOUR
_BEARERS = "auth_tokens"  # the collection whose names are credentials
_MISSING = 1.0


def lifetime(name: str) -> float:
    """Return for how many seconds the owner of a name is remembered."""
    collection = name.rpartition("/")[0].rpartition("/")[2]
    return _LIFETIMES.get(collection, _YEARS)


@attrs.define(eq=False)
class Registry:
    """Finds and records owners; ``most`` is the number that are kept in memory."""

    store: OwnerStore
    now: Callable[[], float] = time.time
    most: int = 20_000
    _known: OrderedDict[str, Owner] = attrs.field(factory=OrderedDict, init=False)
    _unknown: dict[str, float] = attrs.field(factory=dict, init=False)

    async def find(self, names: Collection[str]) -> dict[str, Owner]:
        """Return the known owners of ``names``, by name."""
        found: dict[str, Owner] = {}
        now = self.now()
        missing: dict[str, str] = {}
        for name in names:
            kept_as = _veiled(name)
            owner = self._known.get(kept_as)
            if owner is not None and owner.until > now:
                found[name] = owner
                self._known.move_to_end(kept_as)
            else:
                missing[kept_as] = name
        for owner in await self.store.find(list(missing)) if missing else ():
            found[missing[owner.name]] = owner
            self._keep(owner)
        return found

    async def find_perhaps(self, names: Collection[str]) -> dict[str, Owner]:
        """Return the known owners of what may be no names of ours, such as Google's own voices.

        That there is none is believed for a second, because such a request comes often.
        """
        now = self.now()
        asked = [name for name in names if self._unknown.get(name, 0.0) <= now]
        if not asked:
            return {}
        found = await self.find(asked)
        if len(self._unknown) > self.most:
            self._unknown.clear()
        self._unknown.update((name, now + _MISSING) for name in asked if name not in found)
        return found

    def is_known_of(self, caller: str, name: str) -> bool:
        """Return whether a name that was found lately is what ``caller`` made."""
        owner = self._known.get(name)
        return owner is not None and owner.caller == caller

    async def record(self, names: Mapping[str, float | None], project: str, caller: str) -> None:
        """Record who owns ``names``, durably before this returns.

        Each has the time at which it is over (Unix seconds), None if the answer does not say. A
        time that has passed means that it was deleted.
        """
        now = self.now()
        for name in names:
            self._unknown.pop(name, None)
        names = {_veiled(name): until for name, until in names.items()}
        gone = [name for name, until in names.items() if until is not None and until <= 0]
        if gone:
            await self._forget(gone)
        owners = [
            Owner(name, project, caller, _over_at(name, until, now))
            for name, until in names.items()
            if name not in gone
        ]
        news = [owner for owner in owners if self._is_news(owner, told=names[owner.name])]
        if not news:
            return
        await self.store.add(news)
        for owner in await self.store.find([owner.name for owner in news]):
            self._keep(owner)

    async def forget(self, names: Iterable[str]) -> None:
        """Forget names that were deleted."""
        await self._forget([_veiled(name) for name in names])

    async def _forget(self, gone: Sequence[str]) -> None:
        for name in gone:
            self._known.pop(name, None)
        await self.store.forget(gone)

    async def made_by(self, caller: str, collection: str) -> Sequence[Owner]:
        """Return what ``caller`` owns in a collection (``files``), the oldest first."""
        return await self.store.made_by(caller, collection)

    def _is_news(self, owner: Owner, told: float | None) -> bool:
        """Return whether the store does not know it yet; a client may ask for one thing often."""
        known = self._known.get(owner.name)
        if known is None or known.until <= self.now():
            return True
        if known.caller != owner.caller:
            return False
        return told is not None and owner.until > known.until

    def _keep(self, owner: Owner) -> None:
        if not owner.caller:
            return
        self._known[owner.name] = owner
        self._known.move_to_end(owner.name)
        while len(self._known) > self.most:
            self._known.popitem(last=False)


def _veiled(name: str) -> str:
    """Return a name as it is kept: an ephemeral token by its hash, because who has it may call."""
    return hashed(_BEARERS, name) if name.startswith(f"{_BEARERS}/") else name


def _over_at(name: str, until: float | None, now: float) -> float:
    """Return when the record of a name is over."""
    return now + lifetime(name) if until is None else max(until + _SPARE, now + _SPARE)
