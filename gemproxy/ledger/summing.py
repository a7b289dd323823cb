"""How sums are asked for in SQL: the same ones from rows and from roll-ups of rows."""

from sqlalchemy import ColumnElement, case, cast, func

from gemproxy.ledger.sums import SUMMED
from gemproxy.ledger.tables import ENDINGS, GENERATIONS, ROLLUPS, WHOLE

_ROW = GENERATIONS.c
_GIVEN = frozenset(SUMMED) & frozenset(_ROW.keys())


def of_rows() -> list[ColumnElement[int]]:
    """Return the columns of a SELECT that sums rows, in the order of ``SUMMED``."""
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
    return _labelled(counted | given)


def of_rollups() -> list[ColumnElement[int]]:
    """Return the columns of a SELECT that sums roll-ups, in the order of ``SUMMED``."""
    return _labelled({name: func.sum(ROLLUPS.c[name]) for name in SUMMED})


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _labelled(columns: dict[str, ColumnElement[int]]) -> list[ColumnElement[int]]:
    return [cast(columns[name], WHOLE).label(name) for name in SUMMED]
