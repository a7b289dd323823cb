"""The statements that read pieces of a span: figures of rows or of roll-ups, by their groups.

A statement reads several pieces at once, by joining what it reads with a small table of them: each
statement costs more than the few rows that most pieces have. There are few statements, and making
one takes longer than asking it, so they are kept.
"""

import enum
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs
from sqlalchemy import CTE, ColumnElement, Select, and_, bindparam, func, select, union_all

from gemproxy.ledger.folding import whole
from gemproxy.ledger.levels import DAYS, HOURS, MONTHS, QUARTERS, SHAPES, shape_of
from gemproxy.ledger.pieces import DAY, HOUR, QUARTER, SECOND_MS, Local, Piece, Source
from gemproxy.ledger.summing import Kind
from gemproxy.ledger.tables import GENERATIONS

AT_ONCE = 8
"""Pieces that a statement reads at most."""

_LEVELS = {
    Source.QUARTERS: QUARTERS,
    Source.HOURS: HOURS,
    Source.DAYS: DAYS,
    Source.MONTHS: MONTHS,
    Source.ROWS: 0,
}
_EMPTY = Piece(Source.HOURS, SECOND_MS, 0)
_ALL = Local(0, DAY)
_G = GENERATIONS.c


class Timed(enum.Enum):
    """The time that figures come with.

    None, that of the row or the roll-up, that in which a day of another zone begins, or a time
    that is known of the piece.
    """

    NEVER = "never"
    BEGINNING = "beginning"
    LOCAL = "local"
    KNOWN = "known"


@attrs.frozen
class Batch:
    """Pieces that one statement reads: of rows, or else of roll-ups."""

    rows: bool
    timed: Timed
    pieces: Sequence[Piece]

    @property
    def parameters(self) -> Mapping[str, int]:
        """The parameters of the pieces in a statement."""
        padded = [*self.pieces, *[_EMPTY] * (AT_ONCE - len(self.pieces))]
        names = _NAMES[self.timed]
        found: dict[str, int] = {}
        for number, piece in enumerate(padded):
            given = _parameters(piece, in_rows=self.rows)
            found |= {f"{name}_{number}": given[name] for name in names}
        return found


def batches(pieces: Iterable[Piece], *, grouped: bool) -> Iterator[Batch]:
    """Yield the pieces of a span in batches; ``grouped``: figures are grouped by time."""
    kinds: dict[tuple[bool, Timed], list[Piece]] = {}
    for piece in pieces:
        timed = _timed_of(piece) if grouped else Timed.NEVER
        kinds.setdefault((piece.source is Source.ROWS, timed), []).append(piece)
    for (rows, timed), found in kinds.items():
        for start in range(0, len(found), AT_ONCE):
            yield Batch(rows, timed, found[start : start + AT_ONCE])


@functools.cache
def statement(
    kind: Kind, filters: frozenset[str], by: Sequence[str], timed: Timed, *, rows: bool
) -> Select[Any]:
    """Return the SELECT over a batch: a time, if wanted, the groups, what is apart, the figures.

    Of a kind with a ``tally`` rows are counted by that: it and a count take the figures' place.
    The statement takes the ``parameters`` of the batch, the numbers of the filters, and ``most``,
    the number of groups that are read at most.
    """
    made = (_of_rows if rows else _of_rollups)(kind, filters, by, timed)
    return made.limit(whole("most"))


def _timed_of(piece: Piece) -> Timed:
    if piece.month is not None:
        return Timed.KNOWN
    return Timed.BEGINNING if piece.local is None else Timed.LOCAL


def _parameters(piece: Piece, *, in_rows: bool) -> Mapping[str, int]:
    unit = 1 if in_rows else SECOND_MS
    local = piece.local or _ALL
    return {
        "level": _LEVELS[piece.source],
        "low": -(-piece.start // unit),
        "high": -(-piece.end // unit),
        "offset": local.offset,
        "unit": local.unit,
        "earliest": local.earliest,
        "latest": local.latest,
        "known": piece.month or 0,
    }


_SPAN = ("level", "low", "high")
_NAMES: Mapping[Timed, Sequence[str]] = {
    Timed.NEVER: _SPAN,
    Timed.BEGINNING: _SPAN,
    Timed.LOCAL: (*_SPAN, "offset", "unit", "earliest", "latest"),
    Timed.KNOWN: (*_SPAN, "known"),
}


def _pieces(timed: Timed) -> CTE:
    """Return the table of the pieces of a batch: SQLAlchemy keeps no statement with VALUES."""
    names = _NAMES[timed]
    rows = [
        select(*(whole(f"{name}_{number}").label(name) for name in names))
        for number in range(AT_ONCE)
    ]
    return union_all(*rows).cte("pieces")


def _of_rows(kind: Kind, filters: frozenset[str], by: Sequence[str], timed: Timed) -> Select[Any]:
    pieces = _pieces(timed)
    keys: list[ColumnElement[Any]] = [*(_G[name] for name in by), *kind.apart_of_rows]
    if timed is Timed.KNOWN:
        keys.insert(0, pieces.c.known)
    elif timed is not Timed.NEVER:
        keys.insert(0, (_G.started // (QUARTER * SECOND_MS) * QUARTER).label("at"))
    # The 0 keeps SQLite from going through all rows of a user, in place of those of the time.
    chosen = [_G[name] + 0 == bindparam(name) for name in sorted(filters)]
    if kind.condition is not None:
        chosen.append(kind.condition)
    within = and_(_G.started >= pieces.c.low, _G.started < pieces.c.high)
    source = pieces.join(kind.source, within)
    figures = kind.of_rows() if kind.tally is None else [func.count()]
    keys += [] if kind.tally is None else [kind.tally]
    return select(*keys, *figures).select_from(source).where(*chosen).group_by(*keys)


def _of_rollups(
    kind: Kind, filters: frozenset[str], by: Sequence[str], timed: Timed
) -> Select[Any]:
    pieces, columns = _pieces(timed), kind.table.c
    shape = shape_of({*by, *filters})
    keys: list[ColumnElement[Any]] = [*(columns[name] for name in by), *kind.keys_apart]
    within = [
        columns.level == pieces.c.level,
        columns.shape == shape,
        columns.start >= pieces.c.low,
        columns.start < pieces.c.high,
        *(columns[name] == bindparam(name) for name in sorted(filters)),
    ]
    source = pieces.join(kind.table, and_(*within))
    if timed is Timed.BEGINNING and SHAPES[shape] == {*by, *filters}:  # each is its own group
        figures = [columns[name] for name in kind.figures]
        return select(columns.start, *keys, *figures).select_from(source)
    at, grouped = _time(timed, pieces, columns.start)
    made = select(*at, *keys, *kind.of_rollups()).select_from(source)
    if timed is Timed.LOCAL:
        local, start = pieces.c, columns.start
        since = (start - start % HOUR + local.offset) % local.unit
        made = made.where(since.between(local.earliest, local.latest))
    return made.group_by(*grouped, *keys)


def _time(
    timed: Timed, pieces: CTE, start: ColumnElement[int]
) -> tuple[list[ColumnElement[Any]], list[ColumnElement[Any]]]:
    """Return the time of a group of roll-ups, and what they are grouped by for it."""
    match timed:
        case Timed.NEVER:
            return [], []
        case Timed.BEGINNING:
            return [start], [start]
        case Timed.KNOWN:
            return [pieces.c.known], [pieces.c.known]
    unit = (start + pieces.c.offset) // pieces.c.unit
    return [func.min(start)], [unit]
