"""The statements that read a piece of a span: figures of rows or of roll-ups, by their groups.

There are few of them, and making one takes longer than asking it, so they are kept.
"""

import enum
import functools
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, bindparam, func, select

from gemproxy.ledger.folding import whole
from gemproxy.ledger.levels import DAYS, HOURS, MONTHS, QUARTERS, shape_of
from gemproxy.ledger.pieces import HOUR, QUARTER, SECOND_MS, Piece, Source
from gemproxy.ledger.summing import Kind
from gemproxy.ledger.tables import GENERATIONS

_LEVELS = {
    Source.QUARTERS: QUARTERS,
    Source.HOURS: HOURS,
    Source.DAYS: DAYS,
    Source.MONTHS: MONTHS,
}
_G = GENERATIONS.c


class Timed(enum.Enum):
    """The time that the figures of a piece come with: none, its own, or a day of another zone."""

    NEVER = "never"
    BEGINNING = "beginning"
    LOCAL = "local"


def timed_of(piece: Piece, *, grouped: bool) -> Timed:
    """Return the time that the figures of a piece come with, if they are grouped by time."""
    if not grouped or piece.month is not None:
        return Timed.NEVER
    return Timed.BEGINNING if piece.local is None else Timed.LOCAL


@functools.cache
def statement(
    kind: Kind, source: Source, filters: frozenset[str], by: Sequence[str], timed: Timed
) -> Select[Any]:
    """Return the SELECT over a piece: a time, if wanted, the groups, what is apart, the figures.

    It takes the ``parameters`` of the piece, the numbers of the filters, and ``most``, the number
    of groups that are read at most.
    """
    if source is Source.ROWS:
        return _of_rows(kind, filters, by, timed)
    return _of_rollups(kind, source, filters, by, timed)


def parameters(piece: Piece) -> Mapping[str, int]:
    """Return the parameters of a piece."""
    if piece.source is Source.ROWS:
        return {"low": piece.start, "high": piece.end}
    bounds = {"low": -(-piece.start // SECOND_MS), "high": -(-piece.end // SECOND_MS)}
    if piece.local is None:
        return bounds
    local = piece.local
    within = {"earliest": local.earliest, "latest": local.latest}
    return bounds | {"offset": local.offset, "unit": local.unit} | within


def _of_rows(kind: Kind, filters: frozenset[str], by: Sequence[str], timed: Timed) -> Select[Any]:
    at = _G.started // (QUARTER * SECOND_MS) * QUARTER
    keys: list[ColumnElement[Any]] = [_G[name] for name in by]
    if timed is not Timed.NEVER:
        keys.insert(0, at.label("at"))
    keys += kind.apart_of_rows
    # The 0 keeps SQLite from going through all rows of a user, in place of those of the time.
    chosen = [_G[name] + 0 == bindparam(name) for name in sorted(filters)]
    within = [_G.started >= whole("low"), _G.started < whole("high")]
    if kind.condition is not None:
        within.append(kind.condition)
    made = select(*keys, *kind.of_rows()).select_from(kind.source)
    return made.where(*within, *chosen).group_by(*keys).limit(whole("most"))


def _of_rollups(
    kind: Kind, source: Source, filters: frozenset[str], by: Sequence[str], timed: Timed
) -> Select[Any]:
    columns = kind.table.c
    keys: list[ColumnElement[Any]] = [*(columns[name] for name in by), *kind.keys_apart]
    within: list[ColumnElement[bool]] = [
        columns.level == _LEVELS[source],
        columns.shape == shape_of({*by, *filters}),
        columns.start >= whole("low"),
        columns.start < whole("high"),
        *(columns[name] == bindparam(name) for name in sorted(filters)),
    ]
    at: list[ColumnElement[Any]] = []
    grouped = list(keys)
    if timed is Timed.BEGINNING:
        at, grouped = [columns.start], [columns.start, *keys]
    elif timed is Timed.LOCAL:
        offset, unit = _small("offset"), _small("unit")
        at, grouped = [func.min(columns.start)], [(columns.start + offset) // unit, *keys]
        since = (columns.start - columns.start % HOUR + offset) % unit
        within.append(since.between(_small("earliest"), _small("latest")))
    made = select(*at, *keys, *kind.of_rollups())
    return made.where(*within).group_by(*grouped).limit(whole("most"))


def _small(name: str) -> ColumnElement[int]:
    return bindparam(name, type_=Integer)
