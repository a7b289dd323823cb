"""Access keys are made and changed: what the command and the admin API have in common."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gemproxy.access.secret import hashed, id_in
from gemproxy.accounts.user import Kind, Limit
from gemproxy.ledger.engine import Engines, place_of
from gemproxy.ledger.schema import prepare
from gemproxy.ledger.users import Users
from gemproxy.metering.permits import Amount, Unfit
from gemproxy.metering.roster import Refused, Roster, Wish

NOW = 1_800_000_000.0
PEPPER = b"pepper"


@pytest.fixture
async def users(tmp_path: Path) -> AsyncIterator[Users]:
    engines = Engines.of(place_of("", tmp_path))
    await prepare(engines)
    yield Users(engines, b"check")
    await engines.close()


async def test_a_made_key_is_stored_as_its_hash(users: Users) -> None:
    made = await Roster(users, PEPPER).add("ann", Wish([Amount(Kind.RPM, "", 5)]), NOW)

    entry = await users.find("ann")
    assert entry.user == made.user
    assert entry.user.limits == (Limit(Kind.RPM, 5),)
    assert (entry.user.id, entry.hash) == (id_in(made.key), hashed(made.key, PEPPER))
    assert made.key not in repr(made)


async def test_an_empty_wish_changes_nothing(users: Users) -> None:
    roster = Roster(users, PEPPER)
    wish = Wish([Amount(Kind.RPM, "", 5)], ("m",), NOW, expiring=True)
    made = await roster.add("ann", wish, NOW)

    assert Wish().is_empty
    assert await roster.change(made.user, Wish()) == made.user
    assert (await roster.change(made.user, Wish(expiring=True))).expires is None


async def test_a_name_that_cannot_be_is_refused(users: Users) -> None:
    roster = Roster(users, PEPPER, {"lab"})
    made = await roster.add("ann", Wish(), NOW)

    for name in ("ann", "lab", made.user.id):
        with pytest.raises(Refused):
            await roster.add(name, Wish(), NOW)
    with pytest.raises(Unfit):
        await roster.add("a/b", Wish(), NOW)


async def test_several_workers_take_a_limit_away_and_set_none(users: Users) -> None:
    made = await Roster(users, PEPPER).add("ann", Wish([Amount(Kind.RPM, "", 5)]), NOW)
    roster = Roster(users, PEPPER, workers=2)

    with pytest.raises(Refused, match=r"server\.workers"):
        await roster.change(made.user, Wish([Amount(Kind.RPM, "", 6)]))
    assert not (await roster.change(made.user, Wish([Amount(Kind.RPM, "", None)]))).limits
