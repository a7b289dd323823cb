"""The stored users: added, changed, rotated, revoked, and found by what changed."""

import asyncio

import attrs
import pytest

from gemproxy.accounts.user import Kind, Limit, User
from gemproxy.ledger.engine import Engines
from gemproxy.ledger.users import Missing, Revoked, Taken, Users
from gemproxy.store.unusable import Unusable

NOW = 1_800_000_000.0
ANN = User(
    "abcdefghjkmn",
    "ann",
    (Limit(Kind.RPM, 5, "gemini-2.5-pro"), Limit(Kind.USD_PER_DAY, 1_500_000_001, shadow=True)),
    ("gemini-2.5-pro", "gemini-2.5-flash*"),
    NOW + 0.25,
)
BOB = User("pqrstuvwxyz2", "bob")


@pytest.fixture
def users(engines: Engines) -> Users:
    return Users(engines, b"check")


async def test_a_user_is_kept_as_it_was_added(users: Users) -> None:
    await users.add(ANN, b"secret", NOW)
    await users.add(BOB, b"two", NOW + 1)

    one, two = await users.all()

    assert (one.user, one.hash, one.made) == (ANN, b"secret", NOW)
    assert (one.old_hash, one.old_until, one.revoked) == (None, None, None)
    assert two.user == BOB
    assert "secret" not in repr(one)


async def test_a_name_is_taken_for_ever(users: Users) -> None:
    await users.add(ANN, b"one", NOW)
    await users.revoke(ANN.id, NOW)

    with pytest.raises(Taken):
        await users.add(attrs.evolve(BOB, name="ann"), b"two", NOW)

    assert len(await users.all()) == 1


async def test_of_many_that_add_one_name_at_once_one_does(users: Users) -> None:
    async def add(number: int) -> bool:
        try:
            await users.add(User(f"abcdefghjk{number:02}", "ann"), b"x", NOW)
        except Taken:
            return False
        return True

    done = await asyncio.gather(*map(add, range(8)))

    assert sum(done) == 1


async def test_a_user_is_found_by_name_or_id(users: Users) -> None:
    await users.add(ANN, b"one", NOW)
    await users.add(attrs.evolve(BOB, name=ANN.id), b"two", NOW)

    assert (await users.find("ann")).user == ANN
    assert (await users.find(BOB.id)).user.name == ANN.id
    assert (await users.find(ANN.id)).user.id == BOB.id, "a name comes before an id"
    with pytest.raises(Missing):
        await users.find("carl")


@pytest.mark.parametrize(("until", "old"), [(None, None), (NOW + 60, b"one")])
async def test_a_rotation_replaces_the_hash(
    users: Users, until: float | None, old: bytes | None
) -> None:
    await users.add(ANN, b"one", NOW)

    await users.rotate(ANN.id, b"two", until)

    entry = await users.find("ann")
    assert (entry.hash, entry.old_hash, entry.old_until) == (b"two", old, until)
    await users.rotate(ANN.id, b"three", None)
    entry = await users.find("ann")
    assert (entry.hash, entry.old_hash, entry.old_until) == (b"three", None, None)


async def test_a_revoked_key_stays_revoked(users: Users) -> None:
    await users.add(ANN, b"one", NOW)
    await users.rotate(ANN.id, b"two", NOW + 60)

    assert await users.revoke(ANN.id, NOW + 5)
    assert not await users.revoke(ANN.id, NOW + 6)

    entry = await users.find("ann")
    assert (entry.revoked, entry.old_hash) == (NOW + 5, None)
    with pytest.raises(Revoked):
        await users.rotate(ANN.id, b"three", None)


async def test_limits_of_a_user_may_change(users: Users) -> None:
    await users.add(ANN, b"one", NOW)
    changed = attrs.evolve(ANN, limits=(Limit(Kind.RPM, 9),), models=(), expires=None)

    await users.change(changed)

    entry = await users.find("ann")
    assert (entry.user, entry.hash) == (changed, b"one")


async def test_changes_come_by_their_number(users: Users) -> None:
    nothing = await users.since(0)
    await users.add(ANN, b"one", NOW)
    await users.add(BOB, b"two", NOW)
    both = await users.since(nothing.change)
    await users.revoke(BOB.id, NOW)
    one = await users.since(both.change)

    assert (nothing.change, nothing.entries) == (0, ())
    assert [entry.user.name for entry in both.entries] == ["ann", "bob"]
    assert [(entry.user.name, entry.revoked) for entry in one.entries] == [("bob", NOW)]
    assert (await users.since(one.change)).entries == ()
    assert len((await users.since(one.change + 7)).entries) == 2, "a backup was restored"


async def test_another_secret_than_that_of_the_keys_is_refused(users: Users) -> None:
    other = Users(users.engines, b"other")
    await users.add(ANN, b"one", NOW)

    for attempt in (other.add(BOB, b"two", NOW), other.since(0), other.rotate(ANN.id, b"x", None)):
        with pytest.raises(Unusable, match="made with another secret"):
            await attempt
    assert [entry.hash for entry in await users.all()] == [b"one"]
    await users.revoke(ANN.id, NOW)
    await other.add(BOB, b"two", NOW)
    assert len((await other.since(0)).entries) == 2, "no good key is lost"
