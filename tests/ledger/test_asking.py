"""The statements that read pieces: SQLite finds what they want by an index."""

from pathlib import Path

import pytest

from gemproxy.ledger.asking import AT_ONCE, Batch, Timed, batches, statement
from gemproxy.ledger.engine import Engines, place_of
from gemproxy.ledger.pieces import DAY, Local, Piece, Source
from gemproxy.ledger.schema import prepare
from gemproxy.ledger.summing import KINDS, Kind

ABROAD = Piece(Source.HOURS, 0, 86_400_000, Local(3600, DAY))
OF_A_MONTH = Piece(Source.DAYS, 0, 86_400_000, month=7)
OF_ROWS = Piece(Source.ROWS, 0, 86_400_000)
OF_DAYS = Piece(Source.DAYS, 0, 86_400_000)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.table.name))
@pytest.mark.parametrize("piece", [OF_DAYS, ABROAD, OF_A_MONTH, OF_ROWS])
@pytest.mark.parametrize("grouped", [True, False])
async def test_a_piece_is_read_by_its_time(
    tmp_path: Path,
    kind: Kind,
    piece: Piece,
    grouped: bool,
) -> None:
    engines = Engines.of(place_of("", tmp_path))
    await prepare(engines)
    (batch,) = batches([piece], grouped=grouped)
    made = statement(kind, frozenset({"user"}), ("model",), batch.timed, rows=batch.rows)
    values = {**batch.parameters, "user": 3, "most": 9}
    words = str(made.params(values).compile(compile_kwargs={"literal_binds": True}))
    async with engines.reading() as connection:
        plan = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}")).all()
    await engines.close()

    steps = [step.detail for step in plan]
    by_start = "SEARCH generations USING INDEX generations_by_start (started>? AND started<?)"
    key = "(level=? AND shape=? AND start>? AND start<?)"
    of_rollups = f"SEARCH {kind.table.name} USING PRIMARY KEY {key}"
    assert (by_start if batch.rows else of_rollups) in steps
    assert [step for step in steps if step.startswith("SCAN") and "CONSTANT" not in step] == [
        "SCAN pieces"
    ]


def test_pieces_that_are_read_alike_are_read_together() -> None:
    pieces = [ABROAD, OF_ROWS, OF_A_MONTH, *[OF_DAYS] * (AT_ONCE + 1), ABROAD]

    found = list(batches(pieces, grouped=True))
    plain = list(batches([ABROAD, OF_ROWS, OF_DAYS], grouped=False))

    assert found == [
        Batch(rows=False, timed=Timed.LOCAL, pieces=[ABROAD, ABROAD]),
        Batch(rows=True, timed=Timed.BEGINNING, pieces=[OF_ROWS]),
        Batch(rows=False, timed=Timed.KNOWN, pieces=[OF_A_MONTH]),
        Batch(rows=False, timed=Timed.BEGINNING, pieces=[OF_DAYS] * AT_ONCE),
        Batch(rows=False, timed=Timed.BEGINNING, pieces=[OF_DAYS]),
    ]
    assert plain == [
        Batch(rows=False, timed=Timed.NEVER, pieces=[ABROAD, OF_DAYS]),
        Batch(rows=True, timed=Timed.NEVER, pieces=[OF_ROWS]),
    ]


async def test_a_statement_is_compiled_once(tmp_path: Path) -> None:
    for kind in KINDS:
        made = statement(kind, frozenset(), (), Timed.LOCAL, rows=False)
        assert statement(kind, frozenset(), (), Timed.LOCAL, rows=False) is made
        assert made._generate_cache_key() is not None
