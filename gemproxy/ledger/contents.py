"""What a database holds: its size, its version, and how many rows there are of each kind.

These are figures of the database itself. Figures of usage come from ``ledger.queries``.
"""

import asyncio
from pathlib import Path

import attrs
from sqlalchemy import Table, func, literal_column, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gemproxy.ledger.engine import Engines
from gemproxy.ledger.pieces import SECOND_MS
from gemproxy.ledger.rollup import read_state
from gemproxy.ledger.schema import version_of
from gemproxy.ledger.tables import ATTEMPTS, AUDIT, GENERATIONS, METADATA, ROLLUPS

_G = GENERATIONS.c


@attrs.frozen
class Contents:
    """What is in a database.

    ``schema`` is the version of its tables, ``server`` that of SQLite or PostgreSQL. ``bytes`` are
    those of the files of SQLite, or of our tables in PostgreSQL. The other numbers count rows.
    Times are Unix times in seconds, None where there is nothing: of the oldest and the newest
    request, the time before which requests are summed up, and the one before which their rows are
    deleted.
    """

    schema: str
    server: str
    bytes: int
    requests: int
    running: int
    attempts: int
    rollups: int
    audit: int
    oldest: float | None
    newest: float | None
    folded: int | None
    pruned: int | None


async def contents_of(engines: Engines) -> Contents:
    """Return what is in a database. Raises SQLAlchemyError, OSError, Newer, Foreign."""
    schema = await version_of(engines)
    async with engines.snapshot() as connection:
        state = await read_state(connection)
        oldest, newest = (await connection.execute(_ENDS)).one()
        return Contents(
            schema=schema,
            server=str(await connection.scalar(_SQLITE if engines.is_sqlite else _POSTGRES)),
            bytes=await _bytes(engines, connection),
            requests=await _count(connection, GENERATIONS),
            running=int(await connection.scalar(_RUNNING) or 0),
            attempts=await _count(connection, ATTEMPTS),
            rollups=await _count(connection, ROLLUPS),
            audit=await _count(connection, AUDIT),
            oldest=None if oldest is None else oldest / SECOND_MS,
            newest=None if newest is None else newest / SECOND_MS,
            folded=state.folded or None,
            pruned=state.pruned or None,
        )


async def _count(connection: AsyncConnection, table: Table) -> int:
    return int(await connection.scalar(select(func.count()).select_from(table)) or 0)


async def _bytes(engines: Engines, connection: AsyncConnection) -> int:
    if engines.place.file is not None:
        return await asyncio.to_thread(_bytes_of_files, engines.place.file)
    sizes = [func.pg_total_relation_size(literal_column(f"'{name}'")) for name in METADATA.tables]
    found = (await connection.execute(select(*sizes))).one()
    return sum(int(size) for size in found)


def _bytes_of_files(file: Path) -> int:
    """Return the size of a database of SQLite, with what is not yet moved into its file."""
    parts = (file.with_name(f"{file.name}{ending}") for ending in ("", "-wal", "-shm"))
    return sum(part.stat().st_size for part in parts if part.exists())


_FIRST = select(_G.started).order_by(_G.started).limit(1).scalar_subquery()
_LAST = select(_G.started).order_by(_G.started.desc()).limit(1).scalar_subquery()
_ENDS = select(_FIRST, _LAST)
_RUNNING = select(func.count()).select_from(GENERATIONS).where(_G.ending.is_(None))
_SQLITE = select(func.sqlite_version())
_POSTGRES = text("SHOW server_version")
