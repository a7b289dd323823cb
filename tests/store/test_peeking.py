"""Databases of SQLite are read, and nothing of them is changed."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from gemproxy.pool.key import Key
from gemproxy.store import learnt
from gemproxy.store.database import FILE
from gemproxy.store.peeking import peek_at_disabled, peek_at_keys, peek_at_projects, peeking
from gemproxy.store.store import Store
from gemproxy.store.unusable import Unusable


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}


def filled(folder: Path) -> Store:
    store = Store.open(folder)
    keys = [Key("AIza-one", "lab"), Key("AIza-two", "home")]
    store.database.write(lambda to: store.ring.add(to, keys, 0.0)).result()
    return store


def test_a_directory_that_is_not_there_is_empty_and_is_not_made(tmp_path: Path) -> None:
    assert peek_at_projects(tmp_path / "none") == frozenset()
    assert peek_at_keys(tmp_path / "none", "") == ([], 0)
    assert not (tmp_path / "none").exists()


def test_a_closed_store_is_read(tmp_path: Path) -> None:
    filled(tmp_path).database.close()
    before = state(tmp_path)
    keys, damaged = peek_at_keys(tmp_path, "")

    assert [(key.secret, key.project) for key in keys] == [
        ("AIza-one", "lab"),
        ("AIza-two", "home"),
    ]
    assert damaged == 0
    assert peek_at_projects(tmp_path) == {"lab", "home"}
    assert state(tmp_path) == before


def test_a_store_whose_process_died_is_read_with_its_log(tmp_path: Path) -> None:
    store = filled(tmp_path / "alive")
    shutil.copytree(tmp_path / "alive", tmp_path / "dead")
    store.database.close()
    before = state(tmp_path / "dead")

    assert f"{FILE}-wal" in before
    assert peek_at_projects(tmp_path / "dead") == {"lab", "home"}
    assert state(tmp_path / "dead") == before


def test_disabled_keys_are_seen_and_an_earlier_database_has_none(tmp_path: Path) -> None:
    assert peek_at_disabled(tmp_path) == frozenset()
    store = filled(tmp_path)
    store.database.write(lambda it: learnt.switch(it, ["a", "b"], 0.0, enabled=False)).result()
    store.database.write(lambda it: learnt.switch(it, ["a"], 0.0, enabled=True)).result()
    assert peek_at_disabled(tmp_path) == {"b"}

    store.database.write(lambda it: it.execute("PRAGMA user_version = 1")).result()
    assert peek_at_disabled(tmp_path) == frozenset()
    store.database.close()


def test_a_key_that_is_damaged_is_counted(tmp_path: Path) -> None:
    store = filled(tmp_path)
    store.database.write(
        lambda to: to.execute("UPDATE keys SET sealed = x'00' WHERE project = 'lab'")
    ).result()
    store.database.close()
    keys, damaged = peek_at_keys(tmp_path, "")

    assert ([key.project for key in keys], damaged) == (["home"], 1)


def test_an_empty_store_needs_no_secret(tmp_path: Path) -> None:
    Store.open(tmp_path).database.close()
    (tmp_path / "secret.key").unlink()

    assert peek_at_keys(tmp_path, "") == ([], 0)


@pytest.mark.parametrize("content", [b"no database" * 400])
def test_a_damaged_file_is_unusable(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)

    with pytest.raises(Unusable, match="is damaged"):
        peek_at_projects(tmp_path)


def test_it_cannot_write(tmp_path: Path) -> None:
    filled(tmp_path).database.close()

    with pytest.raises(Unusable, match="readonly"), peeking(tmp_path / FILE) as connection:
        connection.execute("DELETE FROM keys")
    assert sqlite3.connect(tmp_path / FILE).execute("SELECT count(*) FROM keys").fetchone() == (2,)
