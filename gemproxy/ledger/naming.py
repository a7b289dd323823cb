"""Names and their numbers, and the filter by names that all questions share."""

from collections.abc import Iterable

import attrs
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gemproxy.ledger.levels import DIMENSIONS
from gemproxy.ledger.tables import NAMES, NO_NAME

_AT_ONCE = 1000


@attrs.frozen
class Only:
    """A filter by names; None lets all pass. ``key`` is the fingerprint of a Gemini key."""

    user: str | None = None
    model: str | None = None
    project: str | None = None
    key: str | None = None


ALL = Only()


async def numbers_of(connection: AsyncConnection, only: Only) -> dict[str, int] | None:
    """Return the numbers of the names of a filter; None if one of them has no rows."""
    wanted = {name: getattr(only, name) for name in DIMENSIONS if getattr(only, name) is not None}
    found: dict[str, int] = {}
    for dimension, name in wanted.items():
        number = await number_of(connection, name)
        if number is None:
            return None
        found[dimension] = number
    return found


async def names_of(connection: AsyncConnection, numbers: Iterable[int]) -> dict[int, str]:
    """Return the names of numbers."""
    known = {NO_NAME: ""}
    wanted = sorted({number for number in numbers if number != NO_NAME})
    for start in range(0, len(wanted), _AT_ONCE):
        part = wanted[start : start + _AT_ONCE]
        found = await connection.execute(_NAMES, {"numbers": part})
        known |= {row.id: row.name for row in found}
    return known


async def number_of(connection: AsyncConnection, name: str) -> int | None:
    """Return the number of a name, None if nothing has it."""
    if not name:
        return NO_NAME
    found: int | None = await connection.scalar(_NUMBER, {"name": name})
    return found


_NUMBER = select(NAMES.c.id).where(NAMES.c.name == bindparam("name"))
_NAMES = select(NAMES.c.id, NAMES.c.name).where(
    NAMES.c.id.in_(bindparam("numbers", expanding=True))
)
