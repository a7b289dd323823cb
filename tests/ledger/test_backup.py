"""Backups: made from a ledger in use, restored to either database, refused where that harms."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from gemproxy.accounts.calendar import Calendar
from gemproxy.ledger.backup import Refused, back_up, restore
from gemproxy.ledger.check import check
from gemproxy.ledger.engine import Engines, Place, place_of
from gemproxy.ledger.ledger import Ledger
from gemproxy.ledger.rollup import Rollups
from gemproxy.ledger.row import Row
from tests.ledger.rows import MOMENT, NOW, row, settled, stored

pytestmark = pytest.mark.production_loop

ROWS = [
    *(settled(serial, started=MOMENT - serial * 3_600_000, user=f"u{serial}") for serial in (1, 2)),
    row(3),
]


async def filled(place: Place, rows: list[Row] | None = None) -> Ledger:
    """Return an open ledger with rows, whose hours are folded."""
    ledger = await Ledger.open(place, now=lambda: NOW)
    for one in rows or ROWS:
        ledger.put(one)
    assert await ledger.flush()
    while await Rollups(ledger.engines, Calendar()).fold(NOW):
        pass
    return ledger


def files(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


async def rows_at(place: Place) -> list[Row]:
    engines = Engines.of(place)
    rows = await stored(engines)
    await engines.close()
    return rows


@pytest.fixture
def other_kind(place: Place, request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Return an empty place of the other kind."""
    if place.file is None:
        return place_of("", tmp_path / "other")
    return place_of(request.getfixturevalue("postgres").empty(), tmp_path)


async def test_a_ledger_in_use_is_backed_up_and_goes_on(place: Place, tmp_path: Path) -> None:
    ledger = await filled(place)
    assert await back_up(place, tmp_path / "backup") == 3
    ledger.put(settled(4))
    assert await ledger.flush()
    assert len(await stored(ledger.engines)) == 4
    await ledger.close()

    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o600
    assert [name for name in files(tmp_path) if name.startswith(".")] == []


async def test_a_backup_restores_to_the_same(place: Place, tmp_path: Path) -> None:
    ledger = await filled(place)
    before = await stored(ledger.engines)
    await back_up(place, tmp_path / "backup")
    for serial in (1, 4, 5):
        ledger.put(settled(serial, input_tokens=1000))
    await ledger.close()
    assert await restore(place, tmp_path / "backup") == 3

    assert await rows_at(place) == before
    engines = Engines.of(place)
    report = await check(engines)
    await engines.close()
    assert (report.problems, report.requests, report.hours) == ((), 3, 2)


async def test_a_backup_of_one_kind_restores_to_the_other(
    place: Place, other_kind: Place, tmp_path: Path
) -> None:
    ledger = await filled(place)
    before = await stored(ledger.engines)
    await back_up(place, tmp_path / "backup")
    await ledger.close()
    await restore(other_kind, tmp_path / "backup")
    ledger = await Ledger.open(other_kind, now=lambda: NOW)
    ledger.put(settled(9, user="new"))
    assert await ledger.flush()

    assert [it for it in await stored(ledger.engines) if it.serial in {1, 2}] == before[:2]
    assert (await stored(ledger.engines))[-1] == settled(9, user="new")
    await ledger.close()


async def test_a_restore_is_refused_while_a_process_has_the_ledger(
    place: Place, tmp_path: Path
) -> None:
    ledger = await filled(place)
    before = await stored(ledger.engines)
    await back_up(place, tmp_path / "backup")
    with pytest.raises(Refused, match="stop it"):
        await restore(place, tmp_path / "backup")

    assert await stored(ledger.engines) == before
    await ledger.close()


async def test_a_file_that_is_there_is_not_overwritten(place: Place, tmp_path: Path) -> None:
    ledger = await filled(place)
    await ledger.close()
    (tmp_path / "backup").write_text("mine")
    with pytest.raises(Refused, match="is there already"):
        await back_up(place, tmp_path / "backup")

    assert (tmp_path / "backup").read_text() == "mine"


def _text(path: Path) -> None:
    path.write_text("no database at all, but long enough to be looked at as one" * 99)


def _songs(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE songs (id INTEGER)")
    connection.close()


def _nothing(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("make", [_text, _songs, _nothing])
async def test_what_is_no_backup_is_refused(
    place: Place, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    ledger = await filled(place)
    before = await stored(ledger.engines)
    await ledger.close()
    make(tmp_path / "backup")
    with pytest.raises(Refused):
        await restore(place, tmp_path / "backup")

    after = [it for it in await rows_at(place) if it.serial in {1, 2}]
    assert after == before[:2]


async def test_a_damaged_backup_is_refused(place: Place, tmp_path: Path) -> None:
    ledger = await filled(place)
    await back_up(place, tmp_path / "backup")
    await ledger.close()
    content = bytearray((tmp_path / "backup").read_bytes())
    content[4096:8192] = b"\xff" * 4096
    (tmp_path / "backup").write_bytes(content)
    with pytest.raises(Refused):
        await restore(place, tmp_path / "backup")

    assert len(await rows_at(place)) == 3


async def test_a_ledger_that_is_not_there_is_not_backed_up(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no ledger"):
        await back_up(place_of("", tmp_path / "none"), tmp_path / "backup")

    assert files(tmp_path) == []


async def test_a_damaged_ledger_is_moved_away_by_a_restore(tmp_path: Path) -> None:
    place = place_of("", tmp_path)
    ledger = await filled(place)
    before = await stored(ledger.engines)
    await back_up(place, tmp_path / "backup")
    await ledger.close()
    assert place.file is not None
    place.file.write_text("no longer a database" * 999)
    await restore(place, tmp_path / "backup")

    assert await rows_at(place) == before
    assert len([name for name in files(tmp_path) if "sqlite.damaged-" in name]) == 1


async def test_a_backup_that_fails_leaves_nothing(place: Place, tmp_path: Path) -> None:
    ledger = await filled(place)
    await ledger.close()
    with pytest.raises(Refused, match="was not written"):
        await back_up(place, tmp_path / "no" / "folder" / "backup")

    assert not (tmp_path / "no").exists()
