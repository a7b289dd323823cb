"""The statements on the table of settings that were changed while the proxy ran.

Each change takes the next number of the row ``settings`` in ``meta``, which a transaction keeps
locked until it is committed. So of two changes the later one sees what the earlier one left, and a
process finds what is new by the number that it saw last. The entry of the audit log is written in
the same transaction.
"""

import json
from collections.abc import Callable, Mapping, Sequence

import attrs
from sqlalchemy import delete, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gemproxy.ledger.audit import Audit, Deed
from gemproxy.ledger.engine import Engines
from gemproxy.ledger.tables import META, SETTINGS

_CHANGES = "settings"
_NEXT = text(
    "INSERT INTO meta (name, number) VALUES ('settings', 1)"
    " ON CONFLICT (name) DO UPDATE SET number = meta.number + 1 RETURNING number"
)


@attrs.frozen
class Stored:
    """The stored values by path, as they were given, and the number of the last change."""

    change: int = 0
    values: Mapping[str, object] = attrs.field(factory=dict, repr=False)


Decide = Callable[[Stored], tuple[Mapping[str, object], Sequence[Deed]]]
"""Makes new values of the present ones, with what goes into the audit log; may raise."""


@attrs.frozen(eq=False)
class SettingsTable:
    """The stored settings of a database. Raises SQLAlchemyError and OSError when it fails."""

    engines: Engines
    audit: Audit

    async def change(self, decide: Decide) -> Stored:
        """Store the values on which ``decide`` decides; what it raises changes nothing."""
        async with self.engines.writing() as connection:
            change = int((await connection.execute(_NEXT)).scalar_one())
            present = await values_in(connection)
            values, deeds = decide(Stored(change - 1, present))
            for path in present.keys() - values.keys():
                await connection.execute(delete(SETTINGS).where(SETTINGS.c.path == path))
            now = round(self.audit.now() * 1000)
            for path, value in values.items():
                if path in present and present[path] == value:
                    continue
                row = {"path": path, "value": json.dumps(value), "change": change, "at": now}
                await connection.execute(delete(SETTINGS).where(SETTINGS.c.path == path))
                await connection.execute(insert(SETTINGS).values(row))
            for deed in deeds:
                await self.audit.add(connection, deed)
        return Stored(change, values)

    async def since(self, change: int) -> Stored | None:
        """Return all values if there was a change after that number, or before it: a restore."""
        async with self.engines.snapshot() as connection:
            statement = select(META.c.number).where(META.c.name == _CHANGES)
            last = int((await connection.execute(statement)).scalar() or 0)
            if last == change:
                return None
            return Stored(last, await values_in(connection))


async def values_in(connection: AsyncConnection) -> dict[str, object]:
    """Return the stored values by path, as they were given."""
    rows = await connection.execute(select(SETTINGS.c.path, SETTINGS.c.value))
    return {row.path: json.loads(row.value) for row in rows}
