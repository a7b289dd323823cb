"""The statements that make roll-ups: of hours from rows, and of longer times from shorter ones.

Each kind of figures (``ledger.summing``) has the same statements for its own table. Those that read
rows take the parameters ``start`` and ``end`` in milliseconds, ``slot`` and ``slot_ms``; the others
take ``start`` and ``end`` in seconds.
"""

from collections.abc import Sequence

import attrs
from sqlalchemy import (
    BindParameter,
    Delete,
    Insert,
    bindparam,
    delete,
    insert,
    literal,
    select,
    text,
)

from gemproxy.ledger.levels import DAYS, DIMENSIONS, HOURS, MONTHS, QUARTERS, SHAPES
from gemproxy.ledger.summing import KINDS, Kind
from gemproxy.ledger.tables import GENERATIONS, WHOLE

_G = GENERATIONS.c


def whole(name: str) -> BindParameter[int]:
    """Return the place of a whole number of 64 bits in a statement."""
    return bindparam(name, type_=WHOLE)


@attrs.frozen
class Folding:
    """The statements of a kind, each of which INSERTs, in the order in which they are run.

    ``hours`` and ``quarters`` read rows. ``rest`` sums up hours in further shapes, ``days`` sums up
    days from hours, and ``months`` months from days.
    """

    hours: Sequence[Insert]
    quarters: Sequence[Insert]
    rest: Sequence[Insert]
    days: Sequence[Insert]
    months: Sequence[Insert]
    forget: Delete
    """Deletes a level between two times in seconds: ``level``, ``start``, ``end``."""

    @classmethod
    def of(cls, kind: Kind) -> "Folding":
        """Return the statements of a kind."""
        columns = kind.table.c
        return cls(
            hours=[_of_rows(kind, HOURS, shape) for shape in kind.first],
            quarters=[_of_rows(kind, QUARTERS, shape) for shape in kind.quarters],
            rest=[_summed_up(kind, (HOURS, source), HOURS, shape) for shape, source in kind.rest],
            days=[_summed_up(kind, (HOURS, shape), DAYS, shape) for shape in kind.shapes],
            months=[_summed_up(kind, (DAYS, shape), MONTHS, shape) for shape in kind.shapes],
            forget=delete(kind.table).where(
                columns.level == whole("level"),
                columns.shape.in_(range(len(SHAPES))),
                columns.start >= whole("start"),
                columns.start < whole("end"),
            ),
        )


def _columns(kind: Kind) -> list[str]:
    return ["level", "shape", "start", *DIMENSIONS, *kind.apart, *kind.figures]


def _of_rows(kind: Kind, level: int, shape: int) -> Insert:
    slot = _G.started // whole("slot_ms") * whole("slot")
    grouped = [_G[name] for name in DIMENSIONS if name in SHAPES[shape]]
    kept = [_G[name] if name in SHAPES[shape] else literal(0) for name in DIMENSIONS]
    chosen = (
        select(literal(level), literal(shape), slot, *kept, *kind.apart_of_rows, *kind.of_rows())
        .select_from(kind.source)
        .where(_G.started >= whole("start"), _G.started < whole("end"))
        .group_by(text("3"), *grouped, *kind.apart_of_rows)
    )
    if kind.condition is not None:
        chosen = chosen.where(kind.condition)
    return insert(kind.table).from_select(_columns(kind), chosen)


def _summed_up(kind: Kind, source: tuple[int, int], level: int, shape: int) -> Insert:
    """Return the INSERT that sums up roll-ups of a level and a shape into another."""
    columns = kind.table.c
    kept = [columns[name] if name in SHAPES[shape] else literal(0) for name in DIMENSIONS]
    start = columns.start if level == HOURS else whole("start")
    grouped = [columns[name] for name in DIMENSIONS if name in SHAPES[shape]]
    by = [*([columns.start] if level == HOURS else []), *grouped, *kind.keys_apart]
    chosen = (
        select(literal(level), literal(shape), start, *kept, *kind.keys_apart, *kind.of_rollups())
        .where(
            columns.level == source[0],
            columns.shape == source[1],
            columns.start >= whole("start"),
            columns.start < whole("end"),
        )
        .group_by(*by)
        .having(text("count(*) > 0"))
    )
    return insert(kind.table).from_select(_columns(kind), chosen)


FOLDINGS = [Folding.of(kind) for kind in KINDS]
