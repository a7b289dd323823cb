"""The ledger's bench: its rows fit the tables, and its report knows the limits."""

import random
from pathlib import Path

import pytest

from bench import ledger
from bench.ledger import attempts_of, invented, measure, report
from gemproxy.ledger.tables import ATTEMPTS, GENERATIONS


def test_invented_rows_fit_the_tables() -> None:
    rows = list(invented(500, 3, random.Random(1)))
    attempts = [one for row in rows for one in attempts_of(row)]

    assert {len(row) for row in rows} == {len(GENERATIONS.c)}
    assert {len(one) for one in attempts} == {len(ATTEMPTS.c)}
    assert [row[0] for row in rows] == sorted({row[0] for row in rows}, key=str)
    assert 10 < len(attempts) < 120


async def test_a_small_run_answers_all_questions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ledger, "ROUNDS", 1)

    await measure(tmp_path, 300, 3)

    out = capsys.readouterr().out
    assert "300 rows written" in out
    assert "newest 50 of an access key" in out
    assert "bytes a row" in out


@pytest.mark.parametrize(("factor", "code"), [(29.0, 0), (31.0, 1)])
def test_a_question_beyond_thirty_look_ups_is_a_miss(
    tmp_path: Path, factor: float, code: int
) -> None:
    file = tmp_path / "ledger.sqlite"
    file.write_bytes(b"")

    assert report(file, 1000, {"look-up of a row": 0.001, "usage by day": factor / 1000}) == code
