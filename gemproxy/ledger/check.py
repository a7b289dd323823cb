"""Checks whether a database is sound, and whether its roll-ups agree with its rows.

Every hour that is folded, and whose rows are all there still, must have the sums of its rows.
Everywhere the roll-ups that keep fewer names apart must have the sums of those that keep all apart,
and days and months those of their hours.
"""

from collections.abc import Mapping

import attrs
from sqlalchemy import Executable, exists, func, literal, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gemproxy.ledger.engine import Engines
from gemproxy.ledger.levels import DAYS, HOURS, MONTHS, SHAPES, WHOLE_SHAPE
from gemproxy.ledger.pieces import HOUR, SECOND_MS, State
from gemproxy.ledger.rollup import read_state
from gemproxy.ledger.schema import version_of
from gemproxy.ledger.summing import SUMS
from gemproxy.ledger.sums import SUMMED
from gemproxy.ledger.tables import ATTEMPTS, GENERATIONS, ROLLUPS

MOST_TOLD = 20
"""Problems of one kind that are named."""

_G, _R = GENERATIONS.c, ROLLUPS.c


@attrs.frozen
class Report:
    """What a check found; without ``problems`` all is well.

    ``problems`` are for people. ``requests`` and ``unfinished`` count rows. ``hours`` counts the
    hours whose sums were compared with their rows. They are None if the file is damaged.
    """

    schema: str
    problems: tuple[str, ...]
    requests: int | None = None
    unfinished: int | None = None
    hours: int | None = None


async def check(engines: Engines) -> Report:
    """Check a database; reads all of it. Raises SQLAlchemyError, OSError."""
    schema = await version_of(engines)
    async with engines.snapshot() as connection:
        problems = await _of_the_file(connection) if engines.is_sqlite else []
        if problems:
            return Report(schema, tuple(problems))
        state = await read_state(connection)
        hours, wrong = await _wrong_hours(connection, state)
        problems += wrong
        problems += await _wrong_shapes(connection, state)
        problems += await _strays(connection)
        count = select(func.count()).select_from(GENERATIONS)
        requests = (await connection.execute(count)).scalar_one()
        unfinished = (await connection.execute(count.where(_G.ending.is_(None)))).scalar_one()
    return Report(schema, tuple(problems), requests, unfinished, hours)


async def _of_the_file(connection: AsyncConnection) -> list[str]:
    found = await connection.execute(text(f"PRAGMA integrity_check({MOST_TOLD})"))
    return [f"the file is damaged: {words}" for words in found.scalars() if words != "ok"]


async def _wrong_hours(connection: AsyncConnection, state: State) -> tuple[int, list[str]]:
    """Return how many hours were compared, and what is wrong with their sums."""
    hour_ms = literal(HOUR * SECOND_MS)
    rows = (
        select(_G.started // hour_ms * HOUR, *SUMS.of_rows())
        .where(_G.started >= state.pruned * SECOND_MS, _G.started < state.folded * SECOND_MS)
        .group_by(text("1"))
    )
    folded = (
        select(_R.start // literal(HOUR) * HOUR, *SUMS.of_rollups())
        .where(_R.level == HOURS, _R.shape == WHOLE_SHAPE)
        .where(_R.start >= state.pruned, _R.start < state.folded)
        .group_by(text("1"))
    )
    ours, theirs = await _by_first(connection, rows), await _by_first(connection, folded)
    waiting = set(state.refolds)
    hours = sorted((ours.keys() | theirs.keys()) - waiting)
    wrong = [hour for hour in hours if ours.get(hour) != theirs.get(hour)]
    return len(hours), [
        f"the sums of the hour that began at {hour} are not those of its rows"
        f" ({_difference(theirs.get(hour), ours.get(hour))})"
        for hour in wrong[:MOST_TOLD]
    ]


async def _wrong_shapes(connection: AsyncConnection, state: State) -> list[str]:
    """Return which levels and shapes of roll-ups have other totals than the rest."""
    problems = []
    levels = ((HOURS, state.folded), (DAYS, state.days), (MONTHS, state.months))
    for level, end in levels:
        hours = select(literal(0), *SUMS.of_rollups()).where(
            _R.level == HOURS, _R.shape == WHOLE_SHAPE, _R.start < end
        )
        whole = (await _by_first(connection, hours))[0]
        shapes = select(_R.shape, *SUMS.of_rollups()).where(_R.level == level, _R.start < end)
        found = await _by_first(connection, shapes.group_by(_R.shape))
        nothing = {shape: whole for shape in range(len(SHAPES)) if not any(whole)}
        problems += [
            f"the roll-ups of level {level} and shape {shape} have other sums than the hours"
            f" ({_difference(found.get(shape), whole)})"
            for shape in range(len(SHAPES))
            if {**nothing, **found}.get(shape) != whole
        ]
    return problems


async def _strays(connection: AsyncConnection) -> list[str]:
    """Return what belongs to nothing."""
    owner = exists().where(ATTEMPTS.c.serial == _G.serial)
    strays = select(func.count()).select_from(ATTEMPTS).where(~owner)
    count = (await connection.execute(strays)).scalar_one()
    return [f"{count} attempts belong to no request"] if count else []


async def _by_first(
    connection: AsyncConnection, statement: Executable
) -> Mapping[int, tuple[int, ...]]:
    found = await connection.execute(statement)
    return {int(row[0]): tuple(int(figure or 0) for figure in row[1:]) for row in found}


def _difference(theirs: tuple[int, ...] | None, ours: tuple[int, ...] | None) -> str:
    nothing = (0,) * len(SUMMED)
    pairs = zip(SUMMED, theirs or nothing, ours or nothing, strict=True)
    name, got, wanted = next((pair for pair in pairs if pair[1] != pair[2]), ("requests", 0, 0))
    return f"{name}: {got} instead of {wanted}"
