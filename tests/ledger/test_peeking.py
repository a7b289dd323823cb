"""The database of the ledger is looked at, and nothing of it is changed."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from gemproxy.ledger.engine import FILE, Engines, place_of
from gemproxy.ledger.peeking import Sight, look
from gemproxy.ledger.schema import NEWEST, prepare
from gemproxy.store.unusable import Unusable


async def made(folder: Path) -> None:
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    engines = Engines.of(place_of("", folder))
    await prepare(engines)
    await engines.close()


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}


async def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    sight = await look("", tmp_path / "none")

    assert (sight.exists, sight.version, sight.users) == (False, "", ())
    assert not (tmp_path / "none").exists()


async def test_an_empty_file_is_new(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()

    assert (await look("", tmp_path)).version == ""
    assert (tmp_path / FILE).read_bytes() == b""


@pytest.mark.parametrize("name", ["plain", "with a space, a ? and a %41"])
async def test_tables_of_this_version_are_known(tmp_path: Path, name: str) -> None:
    await made(tmp_path / name)
    before = state(tmp_path / name)
    sight = await look("", tmp_path / name)

    assert (sight.exists, sight.version, sight.users, sight.older) == (True, NEWEST, [], False)
    assert state(tmp_path / name) == before


async def test_older_tables_are_known_and_stay(tmp_path: Path) -> None:
    await made(tmp_path)
    await asyncio.to_thread(set_version, tmp_path / FILE, "0000")
    before = state(tmp_path)
    sight: Sight = await look("", tmp_path)

    assert (sight.older, sight.users) == (True, None)
    assert state(tmp_path) == before


async def test_newer_tables_are_refused_with_the_words_of_a_start(tmp_path: Path) -> None:
    await made(tmp_path)
    await asyncio.to_thread(set_version, tmp_path / FILE, "9999")

    with pytest.raises(Unusable, match="was written by a newer gemproxy"):
        await look("", tmp_path)


def set_version(file: Path, version: str) -> None:
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("UPDATE gemproxy_version SET version_num = ?", (version,))
    connection.close()
