"""Engines: how each database is spoken to, and what of its address anybody may see."""

import builtins
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from gemproxy.ledger.engine import Engines, Place, place_of, words_of
from gemproxy.ledger.tables import NAMES
from gemproxy.store.unusable import Unusable

SECRET = "geheim-canary"


async def add(engines: Engines, name: str) -> None:
    async with engines.writing() as connection:
        await connection.execute(NAMES.insert(), {"name": name})


async def count(engines: Engines) -> int:
    async with engines.reading() as connection:
        return (await connection.execute(select(func.count()).select_from(NAMES))).scalar_one()


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("postgres://ann@db/gemproxy", "postgresql+asyncpg"),
        ("postgresql://ann@db:6543/gemproxy", "postgresql+asyncpg"),
        ("postgresql+asyncpg://ann@db/gemproxy?ssl=require", "postgresql+asyncpg"),
        (" postgresql:///gemproxy?host=/run/postgresql ", "postgresql+asyncpg"),
    ],
)
def test_urls_of_postgresql(url: str, driver: str, tmp_path: Path) -> None:
    place = place_of(url, tmp_path)

    assert place.url.drivername == driver
    assert place.url.database == "gemproxy"
    assert place.file is None


def test_a_url_for_other_drivers_is_understood(tmp_path: Path) -> None:
    place = place_of("postgres://a:b@h/d?sslmode=require&channel_binding=require", tmp_path)

    assert dict(place.url.query) == {"ssl": "require"}


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("", "{data}/ledger.sqlite"),
        ("sqlite:////var/lib/l.db", "/var/lib/l.db"),
        ("sqlite:///l.db", "l.db"),
        ("sqlite+aiosqlite:///a%20b.db", "a b.db"),
    ],
)
def test_files(url: str, file: str, tmp_path: Path) -> None:
    assert place_of(url, tmp_path).file == Path(file.format(data=tmp_path))


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://ann:{SECRET}@db/gemproxy",
        f"postgres//ann:{SECRET}@db",
        f"postgres://ann:{SECRET}@db/",
        f"postgres://ann:{SECRET}@db:port/gemproxy",
        f"postgres://ann:{SECRET}@db/gemproxy?{SECRET}x=1",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///a.db?mode=ro",
    ],
)
def test_another_url_is_refused_in_words_without_its_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(Unusable) as refusal:
        place_of(url, tmp_path)

    assert refusal.value.setting == "ledger.database_url"
    assert SECRET not in str(refusal.value)


async def test_the_password_is_in_no_repr_and_no_error(tmp_path: Path) -> None:
    place = place_of(f"postgres://ann:{SECRET}@127.0.0.1:1/gemproxy", tmp_path)
    engines = Engines.of(place)
    with pytest.raises((OSError, DBAPIError)) as error:
        await count(engines)
    await engines.close()

    shown = f"{place!r} {place} {place.words} {engines!r} {error.value!r} {words_of(error.value)}"
    assert SECRET not in shown
    assert place.words == "database 'gemproxy' at 127.0.0.1"


def test_the_missing_driver_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def fail(name: str, *more: Any) -> Any:
        if name == "asyncpg":
            raise ModuleNotFoundError(name)
        return imported(name, *more)

    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(Unusable, match=r"pip install 'gemproxy\[postgres\]'"):
        Engines.of(place_of("postgres://h/d", tmp_path))


async def test_what_is_committed_is_read(engines: Engines) -> None:
    await add(engines, "ann")

    assert await count(engines) == 2


async def test_a_transaction_that_fails_changes_nothing(engines: Engines) -> None:
    async def fail() -> None:
        async with engines.writing() as connection:
            await connection.execute(NAMES.insert(), {"name": "ann"})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    assert await count(engines) == 1


async def test_a_snapshot_sees_one_state(engines: Engines) -> None:
    async with engines.snapshot() as connection:
        seen = [len((await connection.execute(select(NAMES))).all())]
        await add(engines, "ann")
        seen.append(len((await connection.execute(select(NAMES))).all()))

    assert seen == [1, 1]
    assert await count(engines) == 2


async def test_a_snapshot_refuses_to_write(engines: Engines) -> None:
    with pytest.raises(DBAPIError):
        async with engines.snapshot() as connection:
            await connection.execute(NAMES.insert(), {"name": "ann"})

    assert await count(engines) == 1


async def test_an_error_is_one_line_without_values(engines: Engines) -> None:
    await add(engines, SECRET)
    with pytest.raises(DBAPIError) as error:
        await add(engines, SECRET)

    assert SECRET not in str(error.value)
    assert SECRET not in words_of(error.value)
    assert "\n" not in words_of(error.value)


class TestSQLite:
    """Only SQLite has these."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return place_of("", tmp_path)

    async def test_a_transaction_has_the_lock_from_its_beginning(self, engines: Engines) -> None:
        other = Engines.of(engines.place)
        async with engines.writing() as connection:
            await connection.execute(select(NAMES))
            with pytest.raises(OperationalError, match="locked"):
                async with other.writing():
                    pass
        await other.close()

    async def test_reading_goes_on_while_another_writes(self, engines: Engines) -> None:
        async with engines.writing() as connection:
            await connection.execute(NAMES.insert(), {"name": "ann"})
            seen = await count(engines)

        assert seen == 1

    async def test_the_modes(self, engines: Engines) -> None:
        async with engines.writing() as connection:
            modes = [
                (await connection.execute(text(f"PRAGMA {name}"))).scalar_one()
                for name in ("journal_mode", "synchronous")
            ]

        assert modes == ["wal", 1]
