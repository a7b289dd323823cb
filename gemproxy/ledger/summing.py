"""How figures are asked for in SQL: the same ones from rows and from roll-ups of rows.

There are three kinds (``KINDS``), each with a table of roll-ups: sums, the spread of the times to
the first byte, and interruptions.
"""

from collections.abc import Callable, Sequence

import attrs
from sqlalchemy import Column, ColumnElement, FromClause, Integer, Table, case, cast, func

from gemproxy.ledger.levels import QUARTER_SHAPES, SHAPES, SPREAD_SHAPES, WHOLE_SHAPE
from gemproxy.ledger.sums import COUNTED, SUMMED
from gemproxy.ledger.tables import (
    ATTEMPTS,
    ENDINGS,
    GENERATIONS,
    INTERRUPTIONS,
    NO_NAME,
    ROLLUPS,
    SPREADS,
    WHOLE,
)

_ROW = GENERATIONS.c
_GIVEN = frozenset(SUMMED) & frozenset(_ROW.keys())

RUNNING = 0
"""The ending of a request that runs, in roll-ups of interruptions."""


def _of_sums() -> list[ColumnElement[int]]:
    counted: dict[str, ColumnElement[int]] = {
        "requests": func.count(),
        "unpriced": _count(_ROW.ending.is_not(None) & _ROW.cost_nano_usd.is_(None)),
        "retries": func.sum(
            case((_ROW.attempts > _ROW.calls, _ROW.attempts - _ROW.calls), else_=0)
        ),
        "first_bytes": func.count(_ROW.first_byte_ms),
        **{ending.value: _count(_ROW.ending == number) for ending, number in ENDINGS.items()},
    }
    given = {name: func.sum(func.coalesce(_ROW[name], 0)) for name in _GIVEN}
    every = counted | given
    return [cast(every[name], WHOLE).label(name) for name in SUMMED]


def _of_spreads() -> list[ColumnElement[int]]:
    return [
        cast(func.nullif(func.count().filter(_ROW.bucket == number), 0), Integer).label(name)
        for number, name in enumerate(COUNTED)
    ]


def _of_interruptions() -> list[ColumnElement[int]]:
    return [cast(func.count(), WHOLE).label("attempts")]


@attrs.frozen(eq=False)
class Kind:
    """A kind of figures, and its table of roll-ups.

    ``of_rows`` returns the columns of a SELECT that makes the figures from rows of ``source``,
    where ``condition`` holds. ``apart`` are the keys that roll-ups keep apart beside the names of
    their shape, and ``apart_of_rows`` the same of rows. Hours are folded from rows in the shapes
    ``first``, and ``rest`` says from which shape each other one is summed up, in order.
    ``quarters`` are the shapes that are kept by quarters of hours.
    """

    table: Table
    figures: Sequence[str]
    of_rows: Callable[[], list[ColumnElement[int]]]
    first: Sequence[int]
    rest: Sequence[tuple[int, int]]
    quarters: Sequence[int] = ()
    source: FromClause = GENERATIONS
    condition: ColumnElement[bool] | None = None
    apart: Sequence[str] = ()
    apart_of_rows: Sequence[ColumnElement[int]] = ()
    tally: ColumnElement[int] | None = None
    """What rows are counted by when somebody asks; None: they are asked for as they are folded."""

    @property
    def shapes(self) -> Sequence[int]:
        """All shapes that are kept."""
        return sorted((*self.first, *(shape for shape, _ in self.rest)))

    def of_rollups(self) -> list[ColumnElement[int]]:
        """Return the columns of a SELECT that adds up roll-ups."""
        columns = self.table.c
        return [
            cast(func.sum(columns[name]), columns[name].type).label(name) for name in self.figures
        ]

    @property
    def keys_apart(self) -> Sequence[Column[int]]:
        """The columns of roll-ups that are kept apart beside the names of their shape."""
        return [self.table.c[name] for name in self.apart]


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _from(shape: int, sources: Sequence[int]) -> int:
    """Return the first shape of some that keeps apart what another shape does."""
    return next(source for source in sources if SHAPES[source] >= SHAPES[shape])


_PAIRS = [shape for shape in SPREAD_SHAPES if len(SHAPES[shape]) > 1]

SUMS = Kind(
    ROLLUPS,
    SUMMED,
    _of_sums,
    first=[WHOLE_SHAPE],
    rest=[(shape, WHOLE_SHAPE) for shape in range(WHOLE_SHAPE)],
    quarters=QUARTER_SHAPES,
)
SPREAD = Kind(
    SPREADS,
    COUNTED,
    _of_spreads,
    first=_PAIRS,
    condition=_ROW.bucket.is_not(None),
    tally=_ROW.bucket,
    rest=[(shape, _from(shape, _PAIRS)) for shape in SPREAD_SHAPES if shape not in _PAIRS],
)
BROKEN = Kind(
    INTERRUPTIONS,
    ["attempts"],
    _of_interruptions,
    first=[WHOLE_SHAPE],
    rest=[(shape, WHOLE_SHAPE) for shape in range(WHOLE_SHAPE)],
    source=GENERATIONS.join(ATTEMPTS, ATTEMPTS.c.serial == _ROW.serial),
    condition=ATTEMPTS.c.cause != NO_NAME,
    apart=["cause", "ending"],
    apart_of_rows=[ATTEMPTS.c.cause, func.coalesce(_ROW.ending, RUNNING)],
)
KINDS = (SUMS, SPREAD, BROKEN)
