"""What becomes of an open ledger when its database is full, locked or gone, and comes back."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from gemproxy.ledger import engine
from gemproxy.ledger.engine import Place, place_of
from gemproxy.ledger.ledger import Ledger
from gemproxy.store.unusable import Unusable
from tests.ledger.rows import NOW, row, settled, stored
from tests.postgres import Postgres
from tests.running import PATIENCE


@contextlib.asynccontextmanager
async def opened(place: Place, queue: int = 10_000) -> AsyncIterator[Ledger]:
    """Open a ledger that tries again at once."""
    ledger = await Ledger.open(place, queue, now=lambda: NOW)
    ledger._writer.again_seconds = 0.001
    try:
        yield ledger
    finally:
        await ledger.close()


async def turn() -> None:
    """Let others go on: the threads and servers of databases tell nobody what they wait for."""
    await asyncio.sleep(0.001)


async def until_written(ledger: Ledger) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await ledger.flush():
            await turn()


async def until_failing(ledger: Ledger) -> str:
    async with asyncio.timeout(PATIENCE):
        while ledger.health.failing_since is None:
            await turn()
    return ledger.health.why


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message.partition(":")[0] for record in caplog.records]


BOTH = ["the ledger fails", "the ledger works again, after 0 seconds"]


@pytest.fixture
def files(tmp_path: Path) -> Place:
    """Return a place in SQLite."""
    return place_of("", tmp_path)


async def test_a_full_disk(files: Place, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(files) as ledger:
        ledger.put(row(1))
        assert await ledger.flush()
        await run(ledger, "PRAGMA max_page_count = 1")  # as many as there are
        rows = [settled(serial, request_id="x" * 200) for serial in range(1, 2001)]
        for one in rows:
            ledger.put(one)
        assert await until_failing(ledger) == "database or disk is full"
        assert ledger.waiting
        await run(ledger, "PRAGMA max_page_count = 1000000")
        await until_written(ledger)

        found = await stored(ledger.engines)
        assert [it.serial for it in found] == list(range(1, 2001))
        assert found[1:] == rows[1:]
    assert lines(caplog) == BOTH


async def run(ledger: Ledger, statement: str) -> None:
    async with ledger.engines.writing() as connection:
        await connection.execute(text(statement))


async def test_a_lock_of_another_program(
    files: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.01)
    async with opened(files) as ledger:
        assert files.file is not None
        other = sqlite3.connect(files.file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        ledger.put(row(1))
        assert await until_failing(ledger) == "database is locked"
        ledger.put(settled(1))
        ledger.put(row(2))
        assert await stored(ledger.engines) == []  # reading goes on
        other.execute("ROLLBACK")
        other.close()
        await until_written(ledger)

        assert await stored(ledger.engines) == [settled(1), row(2)]
    assert lines(caplog) == BOTH


async def test_a_start_while_another_program_has_the_lock(
    files: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(files) as ledger:
        ledger.put(row(1))
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.01)
    assert files.file is not None
    other = sqlite3.connect(files.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    async with opened(files) as ledger:
        assert ledger.process == 0
        assert ledger.health.why == "database is locked"
        ledger.put(row(2))
        other.execute("ROLLBACK")
        other.close()
        await until_written(ledger)

        assert ledger.process != 0
        assert [it.serial for it in await stored(ledger.engines)] == [1, 2]


async def test_a_file_that_is_gone_and_one_that_takes_its_place(
    files: Place, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(files) as ledger:
        ledger.put(row(1, model="first"))
        assert await ledger.flush()
        assert files.file is not None
        for ending in ("-wal", "-shm", ""):
            files.file.with_name(f"{files.file.name}{ending}").unlink(missing_ok=True)
        ledger.put(row(2, model="first"))
        assert await until_failing(ledger) == "the file is gone"
        async with opened(files) as other:
            other.put(row(9, model="other"))
            assert await other.flush()
        await until_written(ledger)

        assert [(it.serial, it.model) for it in await stored(ledger.engines)] == [
            (2, "first"),
            (9, "other"),
        ]
    assert lines(caplog) == BOTH


async def test_a_server_that_is_gone_and_comes_back(
    postgres: Postgres, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = place_of(postgres.empty(), tmp_path)
    async with opened(place) as ledger:
        ledger.put(row(1))
        assert await ledger.flush()
        with postgres.down():
            ledger.put(settled(1))
            ledger.put(row(2))
            assert await until_failing(ledger)
            assert not await ledger.written(2)
        await until_written(ledger)

        assert await stored(ledger.engines) == [settled(1), row(2)]
    assert lines(caplog) == BOTH


async def test_more_rows_than_may_wait(files: Place, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(files, 100) as ledger:
        await run(ledger, "PRAGMA max_page_count = 1")
        ledger.put(settled(9999, request_id="x" * 200, project="new"))
        for serial in range(1, 5000):
            ledger.put(row(serial, request_id="y" * 200))
        for serial in range(1, 151):
            ledger.put(settled(serial))
        while not ledger.health.lost:
            await turn()
        await run(ledger, "PRAGMA max_page_count = 1000000")
        await until_written(ledger)

        found = {it.serial: it for it in await stored(ledger.engines)}
        assert {serial for serial in found if serial <= 150} >= set(range(60, 151))
        assert all(found[serial] == settled(serial) for serial in range(60, 151))
        assert ledger.waiting == 0
    assert "too many rows of the ledger wait" in lines(caplog)


async def test_values_that_no_database_holds(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(place) as ledger:
        for serial in (1, 2, 3):
            ledger.put(settled(serial, input_tokens=1 << 70 if serial == 2 else 5))
        await until_written(ledger)

        assert [it.serial for it in await stored(ledger.engines)] == [1, 3]
        assert ledger.health.lost == 1
        assert ledger.health.failing_since is None
    assert lines(caplog) == ["a row of the ledger is lost"]


async def test_a_database_that_may_not_be_written_is_refused(
    postgres: Postgres, tmp_path: Path
) -> None:
    place = place_of(postgres.empty(), tmp_path)
    async with opened(place):
        pass
    postgres.run(
        "DROP ROLE IF EXISTS reader",
        "CREATE ROLE reader LOGIN IN ROLE pg_read_all_data",
        "GRANT USAGE ON SCHEMA public TO reader",
    )
    with pytest.raises(Unusable, match="cannot be used: permission denied for table processes"):
        await Ledger.open(place_of(postgres.url("postgres", "reader"), tmp_path))


async def test_a_file_that_may_not_be_written_is_refused(
    files: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(files):
        pass
    monkeypatch.setattr(engine, "_prepare_writer", engine._prepare_reader)
    with pytest.raises(Unusable, match="cannot be used: attempt to write a readonly database"):
        await Ledger.open(files)


async def test_a_file_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no folder")
    with pytest.raises(Unusable, match="cannot be made"):
        await Ledger.open(place_of("", tmp_path / "data"))


async def test_the_file_is_private(files: Place) -> None:
    async with opened(files) as ledger:
        ledger.put(row(1))
        assert await ledger.flush()
        assert files.file is not None
        modes = {it.name: it.stat().st_mode & 0o777 for it in _beside(files.file)}

    assert len(modes) == 5
    assert set(modes.values()) == {0o600}
    assert [it.name for it in _beside(files.file)] == ["ledger.sqlite", "ledger.sqlite.lock"]


def _beside(file: Path) -> list[Path]:
    return sorted(file.parent.iterdir())
