"""The file is only ours, and a file that cannot be used is refused in words."""

import asyncio
import os
import sqlite3
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gemproxy.store.database import FILE, Database
from gemproxy.store.schema import STEPS
from gemproxy.store.unusable import DATA_DIR, Unusable


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_directory_and_files_are_ours_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        database = Database.open(tmp_path / "a" / "data")
        database.write(lambda it: it.execute("INSERT INTO meta VALUES ('x', 1)")).result()
    finally:
        os.umask(before)
    files = list((tmp_path / "a" / "data").iterdir())
    modes = {mode_of(file) for file in files}
    database.close()

    assert {file.name for file in files} == {FILE, f"{FILE}-wal", f"{FILE}-shm"}
    assert modes == {0o600}
    assert mode_of(tmp_path / "a" / "data") == 0o700


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    Database.open(tmp_path).close()
    (tmp_path / FILE).chmod(0o644)

    Database.open(tmp_path).close()

    assert mode_of(tmp_path / FILE) == 0o600


def test_a_directory_that_was_there_keeps_its_permissions(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    Database.open(tmp_path).close()

    assert mode_of(tmp_path) == 0o755


def test_those_that_start_at_once_make_one_database(tmp_path: Path) -> None:
    def start(number: int) -> None:
        database = Database.open(tmp_path)
        database.write(
            lambda it: it.execute("INSERT INTO meta VALUES (?, 1)", (str(number),))
        ).result()
        database.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(start, range(8)))

    database = Database.open(tmp_path)
    count = database.read(lambda it: it.execute("SELECT count(*) FROM meta").fetchone()).result()
    database.close()
    assert count == (8,)


def refusal(folder: Path) -> str:
    with pytest.raises(Unusable) as caught:
        Database.open(folder)
    assert caught.value.setting == DATA_DIR
    return str(caught.value)


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    Database.open(tmp_path).close()
    other = sqlite3.connect(tmp_path / FILE)
    other.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    other.close()

    assert "was written by a newer gemproxy" in refusal(tmp_path)


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / FILE)
    other.execute("CREATE TABLE songs (title)")
    other.close()

    assert "is a database of another program" in refusal(tmp_path)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database" * 1_000)

    assert "is damaged (file is not a database)" in refusal(tmp_path)


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert "cannot be made: Not a directory" in refusal(tmp_path / "file" / "data")


def test_a_file_that_cannot_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Database.open(tmp_path).close()
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect

    def read_only(path: Path, **options: float | None) -> sqlite3.Connection:
        connection = connect(path, **options)
        connection.execute("PRAGMA query_only = ON")
        return connection

    monkeypatch.setattr("sqlite3.connect", read_only)

    assert "cannot be used: attempt to write a readonly database" in refusal(tmp_path)


def test_a_lock_of_another_does_not_stop_a_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gemproxy.store.database.BUSY_SECONDS", 0.01)
    Database.open(tmp_path).close()
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    database = Database.open(tmp_path)

    assert database.read(lambda it: it.execute("SELECT 1").fetchone()).result() == (1,)
    database.close()
    other.close()


async def test_a_write_is_whole_or_nothing(tmp_path: Path) -> None:
    database = Database.open(tmp_path)

    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO meta VALUES ('half', 1)")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await asyncio.wrap_future(database.write(fail))

    rows = database.read(lambda it: it.execute("SELECT * FROM meta").fetchall()).result()
    database.close()
    assert rows == []


def test_a_file_that_was_replaced_is_opened(tmp_path: Path) -> None:
    database = Database.open(tmp_path)
    before = database.version().result()
    for file in tmp_path.iterdir():
        file.rename(tmp_path / f"{file.name}.old")
    with pytest.raises(sqlite3.OperationalError, match="the file is gone"):
        database.write(lambda it: None).result()

    other = Database.open(tmp_path)
    other.write(lambda it: it.execute("INSERT INTO meta VALUES ('x', 1)")).result()

    row = database.read(lambda it: it.execute("SELECT name FROM meta").fetchone()).result()
    after = database.version().result()
    database.close()
    other.close()
    assert row == ("x",)
    assert after[0] != before[0]
