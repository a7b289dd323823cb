"""Retention: rows older than some days are deleted; roll-ups keep their sums for good.

Only rows of hours that are folded go, never those of an hour that waits to be folded again, and a
request that runs keeps all that came after it, for two days. The watermark ``pruned`` moves first,
in a transaction of its own, so readers and folds stop relying on the rows before any is gone. Then
batches are deleted, each in a short transaction. A pass that dies leaves rows below the watermark,
which count nowhere and go with the next pass.
"""

import attrs
from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gemproxy.ledger.engine import Engines
from gemproxy.ledger.pieces import HOUR, SECOND_MS, State
from gemproxy.ledger.rollup import OLDEST_UNFINISHED, put_meta, read_state
from gemproxy.ledger.tables import ATTEMPTS, GENERATIONS, META, REFOLDS, WHOLE

DAY = 86_400
BATCH = 1000
"""Rows that one transaction deletes."""

ABANDONED_SECONDS = 2 * DAY
"""How long a request that is not settled keeps rows from being deleted."""

_G = GENERATIONS.c


@attrs.frozen
class Cleanup:
    """Deletes the old rows of one database."""

    engines: Engines

    async def aim(self, now: float, days: float) -> int:
        """Move the watermark to ``days`` before ``now``, as far as it may be; return it.

        Times are Unix times in seconds.
        """
        async with self.engines.writing() as connection:
            if not self.engines.is_sqlite:
                await connection.execute(_LOCKED)
            state = await read_state(connection)
            aim = await _reached(connection, state, now, days)
            if aim > state.pruned:
                await put_meta(connection, "pruned", aim)
                await connection.execute(delete(REFOLDS).where(REFOLDS.c.hour < aim))
            return aim

    async def count(self, now: float, days: float) -> int:
        """Return how many rows are older than ``days`` and may be deleted at a Unix time."""
        async with self.engines.snapshot() as connection:
            aim = await _reached(connection, await read_state(connection), now, days)
            statement = select(func.count()).select_from(GENERATIONS).where(_OLDER)
            return int(await connection.scalar(statement, {"before": aim * SECOND_MS}) or 0)

    async def delete(self, pruned: int) -> int:
        """Delete a batch of the rows before a watermark; return how many there were."""
        async with self.engines.writing() as connection:
            before = {"before": pruned * SECOND_MS}
            serials = (await connection.execute(_SERIALS, before)).scalars().all()
            if serials:
                await connection.execute(_DELETE_ATTEMPTS, {"serials": serials})
                await connection.execute(_DELETE_ROWS, {"serials": serials})
            return len(serials)


async def _reached(connection: AsyncConnection, state: State, now: float, days: float) -> int:
    """Return how far the watermark may be, which never moves back."""
    waits = (now - ABANDONED_SECONDS) * SECOND_MS
    oldest = await connection.scalar(_OLDEST_RUNNING, {"since": int(waits)})
    return max(_aim(state, now - days * DAY, oldest), state.pruned)


def _aim(state: State, wanted: float, oldest_running: int | None) -> int:
    hours = [wanted // HOUR * HOUR, state.folded, *state.refolds[:1]]
    if oldest_running is not None:
        hours.append(oldest_running // SECOND_MS // HOUR * HOUR)
    return int(min(hours))


_LOCKED = select(META.c.number).where(META.c.name == "folded").with_for_update()
_OLDEST_RUNNING = OLDEST_UNFINISHED.where(_G.started + 0 >= bindparam("since", type_=WHOLE))
_OLDER = _G.started < bindparam("before", type_=WHOLE)
_SERIALS = select(_G.serial).where(_OLDER).order_by(_G.started).limit(BATCH)
_MANY = bindparam("serials", expanding=True, type_=WHOLE)
_DELETE_ATTEMPTS = delete(ATTEMPTS).where(ATTEMPTS.c.serial.in_(_MANY))
_DELETE_ROWS = delete(GENERATIONS).where(_G.serial.in_(_MANY))
