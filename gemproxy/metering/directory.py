"""Keeps the access keys of a process in step with the stored users.

A process asks for changes a few times a second: that is one look at one row while there are none.
A request with a key that is not known has it look at once, because the key may have been made a
moment ago. Looks begin 0.15 s apart at the earliest, and all requests that wait share one, so a
flood of wrong keys costs the database no more than that, and no request waits longer than a second.
A database that fails changes nothing: the keys that are known stay good.
"""

import asyncio
import contextlib
import logging

import attrs
from sqlalchemy.exc import SQLAlchemyError

from gemproxy.access.keys import AccessKeys, Stored
from gemproxy.ledger.engine import words_of
from gemproxy.ledger.users import Entry, Users

_log = logging.getLogger(__name__)

_MOST_WAITING = 1000
_LONGEST_LOOK = 10.0
"""Seconds after which a look is given up, so that one lost connection ends no others."""

_ALONE = "each of the %d workers counts the limits of %s alone: start again with one"


@attrs.define(eq=False)
class Directory:
    """Hands the stored users to the ``keys`` of the door.

    ``workers`` are the processes, each of which counts limits alone. ``rest`` and ``interval`` are
    seconds: the pause after a look, and how long it then waits for somebody to ask before it looks
    anyhow. A request waits ``patience`` seconds at most.
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
    _asked: asyncio.Event = attrs.field(factory=asyncio.Event)
    _waiting: set["asyncio.Future[None]"] = attrs.field(factory=set)
    _running: bool = False
    _failed: bool = False

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
        self._running = True
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.interval):
                        await self._asked.wait()
                self._asked.clear()
                waiting, self._waiting = self._waiting, set()
                try:
                    await self._look()
                finally:
                    _release(waiting)
                await asyncio.sleep(self.rest)
        finally:
            self._running = False
            _release(self._waiting)

    async def look(self) -> bool:
        """Wait for a look that begins now or later; return whether there was one."""
        if not self._running or len(self._waiting) >= _MOST_WAITING:
            return False
        done = asyncio.get_running_loop().create_future()
        self._waiting.add(done)
        self._asked.set()
        try:
            async with asyncio.timeout(self.patience):
                await done
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(done)
        return True

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(_LONGEST_LOOK):
                await self.load()
        except (SQLAlchemyError, OSError, ValueError) as error:
            if not self._failed:
                words = str(error) if isinstance(error, ValueError) else words_of(error)
                _log.warning("changes of access keys cannot be read: %s", words)
            self._failed = True
        else:
            self._failed = False


def _release(waiting: set["asyncio.Future[None]"]) -> None:
    for done in waiting:
        if not done.done():
            done.set_result(None)


def _stored(entry: Entry) -> Stored:
    return Stored(entry.user, entry.hash, entry.old_hash, entry.old_until or 0.0)
