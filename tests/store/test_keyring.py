"""Keys are kept encrypted, and a wrong secret is told from damage."""

import sqlite3
from pathlib import Path

import pytest
from yarl import URL

from gemproxy.pool.key import Key
from gemproxy.store.database import FILE
from gemproxy.store.keyring import Added
from gemproxy.store.store import Store, stored_projects
from gemproxy.store.unusable import DATA_DIR, SECRET_KEY, Unusable
from gemproxy.store.vault import KEY_FILE
from tests.store.conftest import OpenStore

NOW = 1_795_000_000.0
ONE = Key("AIza-canary-one", "lab", proxy=URL("http://u:canary-pass@proxy:3128"))
TWO = Key("any shape: 'ü' {}", "")


def add(store: Store, *keys: Key) -> list[Added]:
    return store.database.write(lambda it: store.ring.add(it, keys, NOW)).result()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a data directory with two keys, whose store is closed."""
    store = Store.open(tmp_path / "data")
    add(store, ONE, TWO)
    store.database.close()
    return tmp_path / "data"


async def test_keys_come_back_in_order_with_all_that_belongs_to_them(
    opened: OpenStore, folder: Path
) -> None:
    first, second = opened().pool.keys()

    assert (first.secret, first.project, first.proxy) == (ONE.secret, "lab", ONE.proxy)
    assert first.origin == "store"
    assert (second.secret, second.project, second.proxy) == (TWO.secret, TWO.name, None)
    assert opened().pool.keys() == [first, second]


async def test_a_key_that_is_known_is_not_changed(opened: OpenStore, folder: Path) -> None:
    store = opened()

    assert add(store, Key(ONE.secret, "other"), Key("new", "")) == [Added.KNOWN, Added.NEW]
    first, *_ = store.pool.keys()
    assert first.project == "lab"


async def test_another_key_with_the_same_fingerprint_is_not_taken(
    opened: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gemproxy.pool.key.fingerprint", lambda _: "0badcafe")
    store = opened()

    assert add(store, Key("one", ""), Key("two", ""), Key("one", "")) == [
        Added.NEW,
        Added.TWIN,
        Added.KNOWN,
    ]


def test_no_file_contains_a_secret(folder: Path) -> None:
    store = Store.open(folder)
    add(store, Key("AIza-canary-later", ""))

    for file in folder.iterdir():
        content = file.read_bytes()
        assert b"canary" not in content, file.name
        assert b"shape" not in content, file.name
    store.database.close()


def refusal(folder: Path, secret_key: str = "") -> tuple[str, str]:
    with pytest.raises(Unusable) as caught:
        Store.open(folder, secret_key)
    with pytest.raises(ValueError, match="key"):
        stored_projects(str(folder), secret_key)
    return caught.value.setting, str(caught.value)


def test_a_key_file_that_is_missing_is_refused(folder: Path) -> None:
    (folder / KEY_FILE).unlink()

    setting, why = refusal(folder)

    assert setting == DATA_DIR
    assert "which opens them, is missing" in why
    assert not (folder / KEY_FILE).exists()


def test_another_key_file_is_refused(folder: Path, tmp_path: Path) -> None:
    Store.open(tmp_path / "other").database.close()
    (tmp_path / "other" / KEY_FILE).replace(folder / KEY_FILE)

    setting, why = refusal(folder)

    assert setting == DATA_DIR
    assert "is not the one that encrypted the stored keys" in why


def test_another_secret_is_refused_with_the_way_out(folder: Path) -> None:
    setting, why = refusal(folder, "a text")

    assert setting == SECRET_KEY
    assert "server.secret_key is not the one" in why
    assert "leave server.secret_key empty" in why

    (folder / KEY_FILE).unlink()
    assert "leave" not in refusal(folder, "a text")[1]


def test_without_keys_the_secret_may_change(folder: Path) -> None:
    store = Store.open(folder)
    store.database.write(lambda it: store.ring.remove(it, [ONE.name, TWO.name])).result()
    store.database.close()
    (folder / KEY_FILE).unlink()

    again = Store.open(folder, "a text")
    assert add(again, ONE) == [Added.NEW]
    again.database.close()

    after = Store.open(folder, "a text")
    (key,) = after.pool.keys()
    assert key.secret == ONE.secret
    after.database.close()


async def test_a_damaged_key_is_left_out_and_named(
    opened: OpenStore, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = sqlite3.connect(folder / FILE)
    other.execute("UPDATE keys SET sealed = ? WHERE fingerprint = ?", (b"x", ONE.name))
    other.commit()
    other.close()

    (key,) = opened().pool.keys()
    assert key.name == TWO.name
    assert f"the stored key {ONE.name} is damaged" in caplog.text


def test_the_projects_of_stored_keys_are_known_beforehand(folder: Path, tmp_path: Path) -> None:
    assert stored_projects(str(folder), "") == {"lab", TWO.name}
    assert stored_projects(str(tmp_path / "none"), "") == frozenset()
    assert not (tmp_path / "none").exists()
