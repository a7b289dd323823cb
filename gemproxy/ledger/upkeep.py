"""The upkeep of a ledger while a process runs: folds what is over, deletes what is too old.

A pass has a budget of time. After each transaction it rests nine times as long as that took, like
the writer of rows, so both together leave the database to others most of the time. A pass that has
not come to its end goes on with the next. Several processes may tend one database.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import attrs
from sqlalchemy.exc import SQLAlchemyError

from gemproxy.accounts.calendar import Calendar
from gemproxy.ledger.cleanup import BATCH, Cleanup
from gemproxy.ledger.engine import Engines, words_of
from gemproxy.ledger.rollup import Rollups

EVERY_SECONDS = 60.0
"""Seconds between two passes."""

BUDGET_SECONDS = 30.0
"""Seconds that a pass takes at most, with its rests."""

_RESTS = 9
_RESTS_WHEN_ASKED = 1

_log = logging.getLogger(__name__)

T = TypeVar("T")


@attrs.define(eq=False)
class Upkeep:
    """Tends one ledger; ``days`` is how long rows are kept, 0 for ever.

    ``now`` gives the Unix time and ``clock`` measures, both in seconds; ``rest`` sleeps.
    """

    rollups: Rollups
    days: float = 0
    now: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic
    rest: Callable[[float], Awaitable[None]] = asyncio.sleep
    _failing: bool = False

    async def tend(self) -> None:
        """Do one pass; never raises because of the database."""
        try:
            await self._pass(self.clock() + BUDGET_SECONDS)
        except (SQLAlchemyError, OSError) as error:  # TimeoutError is an OSError
            if not self._failing:
                _log.warning("the ledger is not summed up: %s", words_of(error))
            self._failing = True
        else:
            self._failing = False

    async def _pass(self, end: float) -> None:
        now = self.now()
        while await self._paced(self.rollups.fold(now)):
            if self.clock() >= end:
                return
        if not self.days:
            return
        cleanup = Cleanup(self.rollups.engines)
        pruned = await self._paced(cleanup.aim(now, self.days))
        while await self._paced(cleanup.delete(pruned)) == BATCH:
            if self.clock() >= end:
                return

    async def _paced(self, step: Awaitable[T]) -> T:
        return await paced(step, _RESTS, self.clock, self.rest)


@attrs.frozen
class Cleaned:
    """What a cleanup came to; ``kept_since`` is the Unix time before which no row is kept, or 0."""

    deleted: int
    kept_since: int


async def clean_up(engines: Engines, calendar: Calendar, now: float, days: float) -> Cleaned:
    """Fold what is over, and delete the rows older than ``days``; half of the time is others'.

    ``now`` is a Unix time in seconds. Raises SQLAlchemyError, OSError.
    """
    rollups, cleanup = Rollups(engines, calendar), Cleanup(engines)
    while await paced(rollups.fold(now), _RESTS_WHEN_ASKED):
        pass
    before = await cleanup.aim(now, days)
    deleted = last = await paced(cleanup.delete(before), _RESTS_WHEN_ASKED)
    while last == BATCH:
        last = await paced(cleanup.delete(before), _RESTS_WHEN_ASKED)
        deleted += last
    return Cleaned(deleted, before)


async def paced(
    step: Awaitable[T],
    rests: float,
    clock: Callable[[], float] = time.monotonic,
    rest: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """Await a step, and then rest ``rests`` times as long as it took, for others to write."""
    begun = clock()
    done = await step
    await rest((clock() - begun) * rests)
    return done
