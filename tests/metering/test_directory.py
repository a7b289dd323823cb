"""The access keys of a process follow the stored users."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import attrs
import pytest
from sqlalchemy.exc import SQLAlchemyError

from gemproxy.access.keys import AccessKeys
from gemproxy.access.secret import hashed, new_id, new_key
from gemproxy.accounts.user import Kind, Limit, User
from gemproxy.ledger.engine import Engines, place_of
from gemproxy.ledger.schema import prepare
from gemproxy.ledger.users import News, Users
from gemproxy.metering.directory import Directory

NOW = 1_800_000_000.0
PEPPER = b"pepper"


@pytest.fixture
async def users(tmp_path: Path) -> AsyncIterator[Users]:
    engines = Engines.of(place_of("", tmp_path))
    await prepare(engines)
    yield Users(engines, b"check")
    await engines.close()


@contextlib.asynccontextmanager
async def keeping(directory: Directory) -> AsyncIterator[Directory]:
    task = asyncio.create_task(directory.keep())
    await asyncio.sleep(0)
    try:
        yield directory
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def add(users: Users, name: str) -> str:
    key = new_key(public := new_id())
    await users.add(User(public, name), hashed(key, PEPPER), NOW)
    return key


async def test_a_look_takes_up_new_changed_and_revoked_keys(users: Users) -> None:
    keys = AccessKeys()
    ann = await add(users, "ann")
    directory = Directory(users, keys, PEPPER, rest=0)
    await directory.load()
    assert keys.find(ann, NOW) is not None

    async with keeping(directory):
        bob = await add(users, "bob")
        assert keys.find(bob, NOW) is None
        assert await directory.look()
        user = keys.find(bob, NOW)
        assert user is not None
        assert keys.find(ann, NOW) is not None
        another = new_key(user.id)
        await users.rotate(user.id, hashed(another, PEPPER), NOW + 60)
        assert await directory.look()
        assert keys.find(another, NOW) == keys.find(bob, NOW) == user
        assert keys.find(bob, NOW + 61) is None
        await users.revoke(user.id, NOW)
        assert await directory.look()
        assert keys.find(another, NOW) is keys.named("bob") is None


async def test_changes_are_taken_up_without_a_request(users: Users) -> None:
    keys = AccessKeys()
    async with keeping(Directory(users, keys, PEPPER, rest=0, interval=0.001)):
        await add(users, "ann")
        while keys.named("ann") is None:  # noqa: ASYNC110 (it is what polls)
            await asyncio.sleep(0.001)


async def test_a_name_of_the_settings_is_not_taken_over(
    users: Users, caplog: pytest.LogCaptureFixture
) -> None:
    keys = AccessKeys.of({"ann": "ann-5f2c9a7e31d84b60"})
    key = await add(users, "ann")

    await Directory(users, keys, PEPPER).load()

    assert keys.find(key, NOW) is None
    assert "the settings have that name" in caplog.text


async def test_limits_that_each_worker_would_count_alone_are_told(
    users: Users, caplog: pytest.LogCaptureFixture
) -> None:
    await users.add(User("abcdefghjkmn", "ann", (Limit(Kind.RPM, 5),)), b"x", NOW)

    await Directory(users, AccessKeys(), PEPPER).load()
    assert not caplog.text
    await Directory(users, AccessKeys(), PEPPER, workers=2).load()

    assert "each of the 2 workers counts the limits of ann alone" in caplog.text
    caplog.clear()
    await users.revoke("abcdefghjkmn", NOW)
    await Directory(users, AccessKeys(), PEPPER, workers=2).load()
    assert not caplog.text, "nobody uses a revoked key"


@attrs.define
class Counted:
    """Users that count the looks, and may fail."""

    looks: int = 0
    error: Exception | None = None
    entered: asyncio.Event = attrs.field(factory=asyncio.Event)
    go_on: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def since(self, change: int) -> News:
        self.looks += 1
        self.entered.set()
        await self.go_on.wait()
        if self.error is not None:
            raise self.error
        return News(change)


async def looked(directory: Directory, times: int) -> Sequence[bool]:
    return await asyncio.gather(*(directory.look() for _ in range(times)))


async def test_a_flood_of_wrong_keys_costs_one_look_at_a_time() -> None:
    counted = Counted()
    directory = Directory(counted, AccessKeys(), PEPPER, rest=3600)  # type: ignore[arg-type]
    async with keeping(directory):
        flood = asyncio.create_task(looked(directory, 1500))
        await counted.entered.wait()
        counted.go_on.set()
        found = await flood

        assert counted.looks == 1
        assert found.count(True) == 1000
        late = asyncio.create_task(directory.look())
        await asyncio.sleep(0)
        assert not late.done()
    assert await late, "it ends with what keeps the directory"
    assert counted.looks == 1
    assert not await directory.look()


async def test_a_slow_database_holds_no_request_up() -> None:
    counted = Counted()
    directory = Directory(counted, AccessKeys(), PEPPER, patience=0)  # type: ignore[arg-type]
    async with keeping(directory):
        assert not await directory.look()


@pytest.mark.parametrize("error", [SQLAlchemyError("x"), OSError("x"), TimeoutError()])
async def test_a_database_that_fails_leaves_the_known_keys_good(
    users: Users, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    keys = AccessKeys()
    key = await add(users, "ann")
    directory = Directory(users, keys, PEPPER, rest=0)
    await directory.load()
    failing = Counted(error=error)
    failing.go_on.set()
    directory.users = failing  # type: ignore[assignment]

    async with keeping(directory):
        assert await directory.look()
        assert await directory.look()

    assert keys.find(key, NOW) is not None
    assert caplog.text.count("changes of access keys cannot be read") == 1
