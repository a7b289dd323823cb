"""The statements that read pieces: SQLite finds what they want by an index."""

from pathlib import Path

import pytest

from gemproxy.ledger.asking import Timed, parameters, statement, timed_of
from gemproxy.ledger.engine import Engines, place_of
from gemproxy.ledger.pieces import DAY, Local, Piece, Source
from gemproxy.ledger.schema import prepare
from gemproxy.ledger.summing import BROKEN, KINDS, SPREAD, SUMS, Kind

ROLLUP = "SEARCH {} USING PRIMARY KEY (level=? AND shape=? AND start>? AND start<?)"
DAYS_ABROAD = Piece(Source.HOURS, 0, 86_400_000, Local(3600, DAY))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.table.name)
@pytest.mark.parametrize(
    ("piece", "timed"),
    [
        (Piece(Source.MONTHS, 0, 86_400_000), Timed.NEVER),
        (Piece(Source.DAYS, 0, 86_400_000), Timed.BEGINNING),
        (DAYS_ABROAD, Timed.LOCAL),
        (Piece(Source.ROWS, 0, 86_400_000), Timed.BEGINNING),
    ],
)
async def test_a_piece_is_read_by_its_time(
    tmp_path: Path, kind: Kind, piece: Piece, timed: Timed
) -> None:
    engines = Engines.of(place_of("", tmp_path))
    await prepare(engines)
    made = statement(kind, piece.source, frozenset({"user"}), ("model",), timed)
    values = {**parameters(piece), "user": 3, "most": 9}
    words = str(made.params(values).compile(compile_kwargs={"literal_binds": True}))
    async with engines.reading() as connection:
        plan = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}")).all()
    await engines.close()

    by_start = "SEARCH generations USING INDEX generations_by_start (started>? AND started<?)"
    expected = by_start if piece.source is Source.ROWS else ROLLUP.format(kind.table.name)
    assert plan[0].detail == expected


def test_a_piece_is_grouped_by_its_own_beginning_by_a_local_clock_or_not() -> None:
    month = Piece(Source.DAYS, 0, 1, month=7)

    assert timed_of(DAYS_ABROAD, grouped=True) is Timed.LOCAL
    assert timed_of(Piece(Source.DAYS, 0, 1), grouped=True) is Timed.BEGINNING
    assert timed_of(month, grouped=True) is Timed.NEVER
    assert timed_of(DAYS_ABROAD, grouped=False) is Timed.NEVER


def test_statements_are_made_once() -> None:
    for kind in (SUMS, SPREAD, BROKEN):
        first = statement(kind, Source.DAYS, frozenset(), (), Timed.NEVER)
        assert statement(kind, Source.DAYS, frozenset(), (), Timed.NEVER) is first
