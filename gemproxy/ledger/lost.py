"""Marks the rows that nobody will settle: those of processes that are gone."""

from sqlalchemy import case, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gemproxy.ledger.presence import Presence, Process
from gemproxy.ledger.row import Ending
from gemproxy.ledger.rows import Rows
from gemproxy.ledger.tables import ENDINGS, GENERATIONS, PROCESSES


async def mark_lost(connection: AsyncConnection, presence: Presence, rows: Rows, now: float) -> int:
    """Mark the rows of processes that are gone, in the open transaction; return their number."""
    gone = await presence.remove_gone(connection, now)
    known = select(PROCESSES.c.id)
    strays = select(GENERATIONS.c.process).where(
        GENERATIONS.c.ending.is_(None), GENERATIONS.c.process.not_in(known)
    )
    found = {process.id: process for process in gone}
    for number in (await connection.execute(strays.distinct())).scalars().all():
        found.setdefault(number, Process(number, "", 0, 0))
    return sum([await mark(connection, process, rows, now) for process in found.values()])


async def mark(connection: AsyncConnection, process: Process, rows: Rows, now: float) -> int:
    """Mark the unfinished rows of a process as lost; return their number.

    A row lasted at least until its process was last known to live. If that was before the row
    began, its duration is not known.
    """
    table = GENERATIONS.c
    unfinished = table.process == process.id, table.ending.is_(None)
    starts = (await connection.execute(select(table.started).where(*unfinished))).scalars().all()
    if not starts:
        return 0
    known = case((table.started <= process.beat, process.beat - table.started))
    await connection.execute(
        update(GENERATIONS)
        .where(*unfinished)
        .values(ending=ENDINGS[Ending.LOST], duration_ms=known)
    )
    await rows.refold(connection, starts, now)
    return len(starts)
