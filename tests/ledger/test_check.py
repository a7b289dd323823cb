"""The check: a sound ledger has no problems, and each kind of damage is found."""

from pathlib import Path

import pytest
from sqlalchemy import text

from gemproxy.accounts.calendar import Calendar
from gemproxy.ledger.check import check
from gemproxy.ledger.engine import Engines, place_of
from gemproxy.ledger.rollup import Rollups
from gemproxy.ledger.rows import Rows
from gemproxy.ledger.schema import prepare
from tests.ledger.rows import MOMENT, NOW, row, settled

pytestmark = pytest.mark.production_loop

HOUR_MS = 3_600_000


async def fill(engines: Engines) -> None:
    rows = [
        settled(serial, started=MOMENT - serial * HOUR_MS, user=f"u{serial % 7}")
        for serial in range(1, 80)
    ]
    async with engines.writing() as connection:
        await Rows(engines.write.dialect).put(connection, 1, [*rows, row(99)], NOW)
    while await Rollups(engines, Calendar()).fold(NOW):
        pass


async def test_an_empty_ledger_is_well(engines: Engines) -> None:
    report = await check(engines)

    assert (report.problems, report.requests, report.hours) == ((), 0, 0)


async def test_a_ledger_is_well(engines: Engines) -> None:
    await fill(engines)
    report = await check(engines)

    assert report.problems == ()
    assert (report.requests, report.unfinished, report.hours) == (80, 1, 79)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("UPDATE generations SET input_tokens = 1000 WHERE serial = 7", "sums of the hour"),
        ("DELETE FROM generations WHERE serial = 7", "sums of the hour"),
        ("DELETE FROM rollups WHERE level = 0 AND shape = 8", "sums of the hour"),
        ("UPDATE rollups SET requests = requests + 1 WHERE level = 0 AND shape = 2", "shape 2"),
        ("UPDATE rollups SET done = done + 1 WHERE level = 1 AND shape = 0", "level 1"),
        ("UPDATE attempts SET serial = 4711 WHERE serial = 7", "2 attempts"),
    ],
)
async def test_what_does_not_agree_is_found(engines: Engines, damage: str, problem: str) -> None:
    await fill(engines)
    async with engines.writing() as connection:
        await connection.execute(text(damage))
    report = await check(engines)

    assert problem in report.problems[0]


async def test_a_damaged_file_is_found(tmp_path: Path) -> None:
    engines = Engines.of(place_of("", tmp_path))
    await prepare(engines)
    await fill(engines)
    await engines.close()
    file = tmp_path / "ledger.sqlite"
    content = bytearray(file.read_bytes())
    content[-4000:-2000] = b"\xff" * 2000
    file.write_bytes(content)
    report = await check(engines)
    await engines.close()

    assert "damaged" in report.problems[0]
