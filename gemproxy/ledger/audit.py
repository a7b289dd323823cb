"""The audit log: which operator changed what, and when.

An entry is written once and never changed. Entries are kept as long as the ledger: they are few,
and no cleanup deletes them. An entry has no secret and no content; who writes it sees to that, and
says ``changed`` instead of such a value.
"""

import json
import time
from collections.abc import Callable, Mapping

import attrs
from sqlalchemy import ColumnElement, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gemproxy.ledger.engine import Engines
from gemproxy.ledger.tables import AUDIT

MOST = 1000
"""Entries that one read returns at most."""

_A = AUDIT.c


@attrs.frozen
class Deed:
    """What somebody did: ``detail`` has names and values, none of them secret.

    ``actor`` is who asked, ``address`` from where. ``action`` is a word for the change, such as
    ``settings.change``, and ``target`` the name of what was changed.
    """

    actor: str
    address: str
    action: str
    target: str = ""
    detail: Mapping[str, object] = attrs.field(factory=dict)


@attrs.frozen
class Entry:
    """A deed with its number in the log and its Unix time in seconds."""

    number: int
    at: float
    deed: Deed


@attrs.frozen
class Wanted:
    """Which entries are wanted; None lets all pass.

    ``since`` and ``until`` are Unix times in seconds; an entry at ``until`` is not wanted.
    ``before`` is the number of the last entry that was seen, for the page behind it.
    """

    action: str | None = None
    target: str | None = None
    since: float | None = None
    until: float | None = None
    before: int | None = None


ANY = Wanted()


@attrs.frozen(eq=False)
class Audit:
    """The log in a database. Raises SQLAlchemyError and OSError when it fails."""

    engines: Engines
    now: Callable[[], float] = time.time

    async def note(self, deed: Deed) -> None:
        """Write an entry in a transaction of its own."""
        async with self.engines.writing() as connection:
            await self.add(connection, deed)

    async def add(self, connection: AsyncConnection, deed: Deed) -> None:
        """Write an entry in the transaction of the change itself."""
        row = attrs.asdict(deed) | {"at": _ms(self.now()), "detail": json.dumps(dict(deed.detail))}
        await connection.execute(insert(AUDIT).values(row))

    async def read(self, last: int, wanted: Wanted = ANY) -> list[Entry]:
        """Return the newest entries, newest first."""
        statement = select(AUDIT).where(*_conditions(wanted)).order_by(_A.id.desc())
        async with self.engines.reading() as connection:
            rows = await connection.execute(statement.limit(min(last, MOST)))
            return [
                Entry(
                    row.id,
                    row.at / 1000,
                    Deed(row.actor, row.address, row.action, row.target, json.loads(row.detail)),
                )
                for row in rows
            ]


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions = []
    if wanted.action is not None:
        conditions.append(_A.action == wanted.action)
    if wanted.target is not None:
        conditions.append(_A.target == wanted.target)
    if wanted.since is not None:
        conditions.append(_A.at >= _ms(wanted.since))
    if wanted.until is not None:
        conditions.append(_A.at < _ms(wanted.until))
    if wanted.before is not None:
        conditions.append(_A.id < wanted.before)
    return conditions


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
