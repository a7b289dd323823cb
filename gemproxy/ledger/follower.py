"""Keeps what a process knows in step with a table that other processes change.

It looks for changes a few times a second: that is one look at one row while there are none. Who
cannot wait for the next look asks for one. Looks begin 0.15 s apart at the earliest, and all that
wait share one, so a flood of wishes costs the database no more than that, and nobody waits longer
than a second. A database that fails changes nothing: what is known stays good.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

import attrs
from sqlalchemy.exc import SQLAlchemyError

from gemproxy.ledger.engine import words_of

_log = logging.getLogger(__name__)

_MOST_WAITING = 1000
_LONGEST_LOOK = 10.0
"""Seconds after which a look is given up, so that one lost connection ends no others."""


@attrs.define(eq=False)
class Follower:
    """Calls ``load`` to take up what is new; ``what`` names that in the log.

    ``rest`` and ``interval`` are seconds: the pause after a look, and how long it then waits for
    somebody to ask before it looks anyhow. Who asks waits ``patience`` seconds at most.
    """

    load: Callable[[], Awaitable[object]]
    what: str
    rest: float = 0.15
    interval: float = 0.1
    patience: float = 1.0
    _asked: asyncio.Event = attrs.field(factory=asyncio.Event)
    _waiting: set["asyncio.Future[None]"] = attrs.field(factory=set)
    _running: bool = False
    _failed: bool = False

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
                _log.warning("changes of %s cannot be read: %s", self.what, words)
            self._failed = True
        else:
            self._failed = False


def _release(waiting: set["asyncio.Future[None]"]) -> None:
    for done in waiting:
        if not done.done():
            done.set_result(None)
