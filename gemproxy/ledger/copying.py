"""Copies all tables from one database to another, of either kind.

Both have the newest tables. The source is read in one snapshot, the target is written in one
transaction, table by table and some thousand rows at a time, so neither is ever in memory as a
whole.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, func, insert, literal, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from gemproxy.ledger.engine import Engines
from gemproxy.ledger.tables import AUDIT, METADATA, NAMES, PROCESSES

AT_ONCE = 2000
"""Rows that are in memory."""

_NUMBERED = (NAMES, PROCESSES, AUDIT)
"""Tables whose numbers PostgreSQL gives out."""


async def copy(source: Engines, target: Engines, connection: AsyncConnection) -> None:
    """Replace all rows of the target, through a ``connection`` whose transaction is open."""
    async with source.snapshot() as reading:
        for table in METADATA.sorted_tables:
            await connection.execute(delete(table))
            await _copy_table(table, reading, connection)
    if not target.is_sqlite:
        for table in _NUMBERED:
            last = select(func.coalesce(func.max(table.c.id), 0) + 1).scalar_subquery()
            sequence = func.pg_get_serial_sequence(table.name, "id")
            await connection.execute(select(func.setval(sequence, last, text("false"))))


async def _copy_table(table: Table, reading: AsyncConnection, writing: AsyncConnection) -> None:
    keys = list(table.primary_key.columns)
    after: Sequence[ColumnElement[Any]] = ()
    while True:
        rows = select(table).order_by(*keys).limit(AT_ONCE)
        if after:
            rows = rows.where(tuple_(*keys) > tuple_(*after))
        found = (await reading.execute(rows)).mappings().all()
        if not found:
            return
        await writing.execute(insert(table), [dict(row) for row in found])
        after = [literal(found[-1][key.name], key.type) for key in keys]
