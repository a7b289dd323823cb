"""The pool's composition: what a start refuses about the data directory."""

import stat
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from gemproxy.config.sections import Access, Pool, Server
from gemproxy.config.settings import Loaded, Settings
from gemproxy.pool.key import Key, fingerprint
from gemproxy.store.store import Store
from gemproxy.store.unusable import Unusable
from gemproxy.web.pooling import needs_pool, prepare
from gemproxy.web.server import serve

OF_ONE = Pool(keys=(Key("AIzaSyPool", "P"),))
STORED, ANN = "stored-5f2c9a7e31d84b60", "gp-7Kq2mXv9TzRw4Lp8"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a data directory with one key."""
    store = Store.open(tmp_path)
    keys = [Key(STORED, "lab")]
    store.database.write(lambda connection: store.ring.add(connection, keys, time.time())).result()
    store.database.close()
    return tmp_path


@pytest.mark.parametrize(
    ("keys", "password", "path"),
    [({"ann": ANN, "bob": STORED}, "", "access.keys"), ({}, STORED, "access.password")],
)
def test_a_stored_key_that_clients_know_is_refused(
    folder: Path, keys: Mapping[str, str], password: str, path: str
) -> None:
    access = Access(keys=keys, password=password)

    with pytest.raises(Unusable) as caught:
        prepare(Settings(server=Server(data_dir=str(folder)), access=access))

    assert caught.value.setting == path
    assert fingerprint(STORED) in str(caught.value)
    assert STORED not in str(caught.value)


def test_stored_keys_make_a_pool(folder: Path) -> None:
    settings = Settings(server=Server(data_dir=str(folder)), access=Access(keys={"ann": ANN}))

    prepare(settings)

    assert needs_pool(settings)


def test_a_directory_without_a_pool_is_not_made(tmp_path: Path) -> None:
    settings = Settings(server=Server(data_dir=str(tmp_path / "data")))

    prepare(settings)

    assert not needs_pool(settings)
    assert not (tmp_path / "data").exists()


def test_a_start_makes_a_secret_that_only_its_user_reads(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    keys = Access(keys={"ann": ANN})

    prepare(Settings(server=Server(data_dir=str(folder)), access=keys, pool=OF_ONE))

    assert stat.S_IMODE((folder / "secret.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("workers", [1, 2])
def test_a_directory_that_cannot_be_written_refuses_the_start_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], workers: int
) -> None:
    (tmp_path / "file").touch()
    server = Server(data_dir=str(tmp_path / "file" / "data"), workers=workers, port=1)
    settings = Settings(server=server, access=Access(keys={"ann": ANN}), pool=OF_ONE)

    assert serve(Loaded(settings, {})) == 2

    said = capsys.readouterr().err
    assert said.startswith("gemproxy: server.data_dir: ")
    assert said.count("\n") == 1
