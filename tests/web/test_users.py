"""The composition of stored access keys: what a start refuses, and what it takes up."""

import asyncio
from pathlib import Path

import pytest

from gemproxy.access.keys import AccessKeys
from gemproxy.access.secret import PURPOSE, hashed, new_key
from gemproxy.accounts.user import User
from gemproxy.config.sections import Ledger, Pool, Server
from gemproxy.config.settings import Loaded, Settings
from gemproxy.pool.key import Key
from gemproxy.store.unusable import SECRET_KEY, Unusable
from gemproxy.store.vault import Vault
from gemproxy.web.server import serve
from gemproxy.web.users import open_users
from tests.ledger.conftest import postgres

__all__ = ["postgres"]

NOW = 1_800_000_000.0


def settings(folder: Path, database_url: str = "") -> Settings:
    ledger = Ledger(database_url=database_url)
    return Settings(server=Server(data_dir=str(folder)), ledger=ledger)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_users_of_an_earlier_start_are_there_at_once(
    request: pytest.FixtureRequest, tmp_path: Path, database: str
) -> None:
    url = "" if database == "sqlite" else request.getfixturevalue("postgres").empty()
    place = settings(tmp_path, url)
    vault, key = Vault.open(tmp_path), new_key("abcdefghjkmn")
    async with open_users(place, vault, AccessKeys()) as directory:
        user = User("abcdefghjkmn", "ann")
        await directory.users.add(user, hashed(key, vault.subkey(PURPOSE)), NOW)

    keys = AccessKeys()
    async with open_users(place, vault, keys):
        assert keys.find(key, NOW) == user
        assert len(asyncio.all_tasks()) == 2, "this one and the one that keeps the keys"
    assert len(asyncio.all_tasks()) == 1


async def test_another_secret_is_refused(tmp_path: Path) -> None:
    async with open_users(settings(tmp_path), Vault.open(tmp_path), AccessKeys()) as directory:
        await directory.users.add(User("abcdefghjkmn", "ann"), b"hash", NOW)

    with pytest.raises(Unusable) as caught:
        async with open_users(settings(tmp_path), Vault.open(tmp_path, "other"), AccessKeys()):
            raise AssertionError
    assert caught.value.setting == SECRET_KEY


async def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"no database at all" * 100)

    with pytest.raises(Unusable, match=r"ledger\.sqlite"):
        async with open_users(settings(tmp_path), Vault.open(tmp_path), AccessKeys()):
            raise AssertionError


def test_what_is_wrong_is_said_once_before_the_processes_start(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"no database at all" * 100)
    pool = Pool(keys=(Key("AIzaSyPool", "P"),), open=True)
    server = Server(data_dir=str(tmp_path), port=1, workers=2)

    assert serve(Loaded(Settings(server=server, pool=pool), {})) == 2

    err = capfd.readouterr().err
    assert err.startswith("gemproxy: server.data_dir: ")
    assert err.count("\n") == 1
