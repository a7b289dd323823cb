"""Single requests of the ledger: which are wanted, and how their rows are read."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs
import msgspec
from sqlalchemy import ColumnElement, Select, bindparam, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gemproxy.accounts.user import NANO
from gemproxy.ledger.naming import ALL, Only, names_of, number_of, numbers_of
from gemproxy.ledger.pieces import Span
from gemproxy.ledger.row import Ending, Row, Try
from gemproxy.ledger.tables import ATTEMPTS, ENDINGS, GENERATIONS, INTERRUPTED, TROUBLED, WHOLE

MOST = 1000
"""Rows that one read of requests returns at most."""

_ENDING = {number: ending for ending, number in ENDINGS.items()}
_G = GENERATIONS.c

ALWAYS = Span()


@attrs.frozen
class Wanted:
    """Which requests are wanted; None lets all pass.

    ``running``: those that have no ending yet. ``least_usd``: those that cost users that much or
    more. ``interrupted``: those that took more attempts than an undisturbed answer does, and
    ``cause``: those of which one was tried again for it. ``before`` is the serial of the last one
    that was seen, for the page behind it, and ``after`` of the first one, for the page before it.
    """

    only: Only = ALL
    ending: Ending | None = None
    span: Span = ALWAYS
    before: int | None = None
    running: bool = False
    status: int | None = None
    interrupted: bool = False
    least_usd: Decimal | None = None
    cause: str | None = None
    after: int | None = None

    @property
    def is_of_rollups(self) -> bool:
        """Whether roll-ups can say what these requests sum up to."""
        return attrs.evolve(self, only=ALL, span=ALWAYS, before=None, after=None) == Wanted()


ANY = Wanted()


async def conditions_of(
    connection: AsyncConnection, wanted: Wanted
) -> list[ColumnElement[bool]] | None:
    """Return what rows that are wanted fulfil; None if there are none."""
    numbers = await numbers_of(connection, wanted.only)
    if numbers is None:
        return None
    conditions = [_G[name] == number for name, number in numbers.items()]
    conditions += _of_endings(wanted)
    if wanted.status is not None:
        conditions.append(_G.status == wanted.status)
    if wanted.least_usd is not None:
        conditions.append(_G.cost_nano_usd >= int(wanted.least_usd * NANO))
    if wanted.before is not None:
        conditions.append(_G.serial < wanted.before)
    if wanted.after is not None:
        conditions.append(_G.serial > wanted.after)
    if wanted.cause is not None:
        cause = await number_of(connection, wanted.cause)
        if cause is None:
            return None
        conditions += _of_cause(cause, wanted)
    if wanted.span != ALWAYS:
        conditions += [_G.started >= wanted.span.start, _G.started < wanted.span.end]
    return conditions


def _of_cause(cause: int, wanted: Wanted) -> list[ColumnElement[bool]]:
    """Return the conditions of requests with a cause, which are read along the index of causes.

    Of several attempts with it the first one counts.
    """
    attempt, earlier = ATTEMPTS.c, ATTEMPTS.alias().c
    is_first = ~exists().where(
        earlier.serial == attempt.serial,
        earlier.cause == attempt.cause,
        earlier.number < attempt.number,
    )
    conditions = [attempt.cause == cause, attempt.serial == _G.serial, is_first]
    if wanted.before is not None:
        conditions.append(attempt.serial < wanted.before)
    if wanted.after is not None:
        conditions.append(attempt.serial > wanted.after)
    return conditions


def order_of(wanted: Wanted) -> ColumnElement[int]:
    """Return the order in which a list is read: the newest first, or those next to ``after``.

    The 0 has SQLite look at the few rows that run, and not at all of them in their order.
    """
    column = ATTEMPTS.c.serial if wanted.cause is not None else _G.serial
    serial = column + 0 if wanted.running else column
    return serial.desc() if wanted.after is None else serial.asc()


def _of_endings(wanted: Wanted) -> list[ColumnElement[bool]]:
    """Return the conditions of which there are partial indexes, worded as these are."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.ending is not None:
        conditions.append(_G.ending == ENDINGS[wanted.ending])
        if wanted.ending is not Ending.DONE:
            conditions.append(TROUBLED)
    if wanted.running:
        conditions.append(_G.ending.is_(None))
    if wanted.interrupted:
        conditions.append(INTERRUPTED)
    return conditions


async def rows_of(
    connection: AsyncConnection, statement: Select[Any], values: Mapping[str, Any] | None = None
) -> list[Row]:
    """Return the rows of a SELECT, without their attempts."""
    found = (await connection.execute(statement, values or {})).mappings().all()
    names = await names_of(connection, {row[name] for row in found for name in _NAMED})
    rows: list[Row] = []
    for row in found:
        fields: dict[str, Any] = {name: row[name] for name in _PLAIN}
        fields |= {name: names[row[name]] for name in _NAMED}
        fields |= {name: bool(row[name]) for name in _FLAGS}
        rows.append(Row(**fields, ending=_ENDING.get(row["ending"])))
    return rows


async def with_tries(connection: AsyncConnection, row: Row) -> Row:
    """Return a row with its attempts."""
    found = (await connection.execute(_TRIES, {"serial": row.serial})).mappings().all()
    names = await names_of(connection, {one[name] for one in found for name in _NAMED_OF_TRIES})
    tries: list[Try] = []
    for one in found:
        fields: dict[str, Any] = {field.name: one[field.name] for field in attrs.fields(Try)}
        tries.append(Try(**fields | {name: names[one[name]] for name in _NAMED_OF_TRIES}))
    return msgspec.structs.replace(row, tries=tuple(tries))


_NAMED = ("user", "model", "route", "dialect", "project", "key")
_NAMED_OF_TRIES = ("key", "cause", "form", "joint", "project", "how")
_FLAGS = ("estimated", "injected")
_PLAIN = [
    name for name in Row.__struct_fields__ if name not in {*_NAMED, *_FLAGS, "ending", "tries"}
]
BY_ID = (
    select(GENERATIONS)
    .where(_G.request_id == bindparam("id"))
    .order_by(_G.serial.desc())
    .limit(MOST)
)
"""The rows of the request with the id ``id``."""
_TRIES = (
    select(ATTEMPTS)
    .where(ATTEMPTS.c.serial == bindparam("serial", type_=WHOLE))
    .order_by(ATTEMPTS.c.number)
)
