"""The pool's composition: what a start refuses about the data directory."""

import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from gemproxy.config.settings import Access, Server, Settings
from gemproxy.pool.key import Key, fingerprint
from gemproxy.store.store import Store
from gemproxy.store.unusable import Unusable
from gemproxy.web.pooling import needs_pool, prepare

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
