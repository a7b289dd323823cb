"""Keeps the access keys of a process in step with the stored users (``ledger.follower``).

A request with a key that is not known has it look at once, because the key may have been made a
moment ago. All such requests share one look. A database that fails changes nothing: the keys that
are known stay good.
"""

import logging

import attrs

from gemproxy.access.keys import AccessKeys, Stored
from gemproxy.ledger.follower import Follower
from gemproxy.ledger.users import Entry, Users

_log = logging.getLogger(__name__)

_ALONE = "each of the %d workers counts the limits of %s alone: start again with one"


@attrs.define(eq=False)
class Directory:
    """Hands the stored users to the ``keys`` of the door.

    ``workers`` are the processes, each of which counts limits alone. ``rest``, ``interval`` and
    ``patience`` are the follower's, in seconds.
    """

    users: Users
    keys: AccessKeys
    pepper: bytes = attrs.field(repr=False)
    workers: int = 1
    rest: float = 0.15
    interval: float = 0.1
    patience: float = 1.0
    _entries: dict[str, Entry] = attrs.field(factory=dict, repr=False)
    _change: int = 0
    _follower: Follower = attrs.field(init=False)

    @_follower.default
    def _follow(self) -> Follower:
        return Follower(self.load, "access keys", self.rest, self.interval, self.patience)

    async def load(self) -> None:
        """Take all users up. Raises SQLAlchemyError, OSError and ValueError."""
        news = await self.users.since(self._change)
        if news.change == self._change:
            return
        if news.change < self._change:
            self._entries.clear()
        self._change = news.change
        self._entries |= {entry.user.id: entry for entry in news.entries}
        good = [entry for entry in self._entries.values() if entry.revoked is None]
        revoked = [entry.user.id for entry in self._entries.values() if entry.revoked is not None]
        self.keys.put(map(_stored, good), self.pepper, revoked)
        for name in self.keys.given.intersection(entry.user.name for entry in good):
            _log.error("the stored access key of %r is not used: the settings have that name", name)
        new = [entry.user for entry in news.entries if entry.revoked is None]
        limited = [user.name for user in new if user.limits]
        if limited and self.workers > 1:
            _log.error(_ALONE, self.workers, ", ".join(limited))

    async def keep(self) -> None:
        """Take up changes until cancelled."""
        await self._follower.keep()

    async def look(self) -> bool:
        """Wait for a look that begins now or later; return whether there was one."""
        return await self._follower.look()


def _stored(entry: Entry) -> Stored:
    return Stored(entry.user, entry.hash, entry.old_hash, entry.old_until or 0.0)
