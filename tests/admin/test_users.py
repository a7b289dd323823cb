"""Access keys through the handlers of the admin API."""

import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import msgspec
import pytest

from gemproxy.access.keys import AccessKeys
from gemproxy.accounts.hold import Asked
from gemproxy.accounts.limiter import MemoryLimiter
from gemproxy.accounts.user import NANO, Kind
from gemproxy.admin import users
from gemproxy.admin.desk import Answers, Desk, Figures
from gemproxy.admin.route import NOTHING, Call
from gemproxy.core.errors import BadField, BadRequest, Busy, Conflict, Unrouted
from gemproxy.ledger.audit import Audit, Wanted
from gemproxy.ledger.engine import Engines, place_of
from gemproxy.ledger.schema import prepare
from gemproxy.ledger.tables import USERS
from gemproxy.ledger.users import Users
from gemproxy.metering.directory import Directory
from gemproxy.metering.roster import Roster
from tests.ledger.book import MS, Book, row

NOW = 1_800_000_000.0
MODEL = "gemini-2.5-pro"
WISH: dict[str, Any] = {
    "models": ["gemini-*"],
    "limits": [
        {"kind": "rpm", "amount": 5},
        {"kind": "usd_per_day", "amount": "1.50"},
        {"kind": "per_ip_rpm", "amount": 3, "shadow": True},
    ],
    "expires": "2027-01-31",
}


class Place:
    """A database of access keys, and what a process knows of them."""

    def __init__(self, engines: Engines, workers: int = 1) -> None:
        self.now = NOW
        self.keys = AccessKeys.of({"lab": "a-key-of-the-settings"})
        self.limiter = MemoryLimiter()
        directory = Directory(Users(engines, b"check"), self.keys, b"pepper")
        roster = Roster(directory.users, b"pepper", {"lab", "open"}, workers)
        zone = ZoneInfo("Europe/Berlin")
        self.holders = users.Holders(roster, directory, self.states, zone, lambda: self.now)
        self.desk = Desk(users=self.holders, audit=Audit(engines, lambda: NOW))

    def states(self, user: Any) -> Any:
        return self.limiter.states(user, NOW)

    def call(self, name: str = "", query: Any = NOTHING, body: Any = NOTHING) -> Call[Any, Any]:
        return Call(self.desk, {"name": name}, query, body, "operator", "192.0.2.7")

    async def add(self, name: str = "ann", **wish: Any) -> users.NewKey:
        body = msgspec.convert({"name": name, **wish}, users.NewUser)
        return await users.add(self.call(body=body))

    async def change(self, name: str = "ann", **wish: Any) -> users.UserState:
        return await users.change(self.call(name, body=msgspec.convert(wish, users.UserChange)))

    async def noted(self) -> list[tuple[str, str]]:
        assert self.desk.audit is not None
        wanted = Wanted(None, None, None, None, None)
        found = await self.desk.audit.read(100, wanted)
        return [(entry.deed.action, entry.deed.target) for entry in reversed(found)]


@pytest.fixture
async def engines(tmp_path: Path) -> AsyncIterator[Engines]:
    engines = Engines.of(place_of("", tmp_path))
    await prepare(engines)
    yield engines
    await engines.close()


@pytest.fixture
def place(engines: Engines) -> Place:
    return Place(engines)


async def test_a_key_is_made_with_what_it_may_use(place: Place) -> None:
    made = await place.add(**WISH)
    shown = await users.one(place.call(made.user.id))
    await place.holders.directory.load()

    user = place.keys.find(made.key, NOW)
    assert user is not None
    assert (user.name, user.models) == ("ann", ("gemini-*",))
    assert [(limit.kind, limit.amount, limit.shadow) for limit in user.limits] == [
        (Kind.RPM, 5, False),
        (Kind.USD_PER_DAY, NANO * 3 // 2, False),
        (Kind.PER_IP_RPM, 3, True),
    ]
    assert shown == made.user
    assert (shown.origin, shown.state, shown.made) == (
        "stored",
        "good",
        dt.datetime.fromtimestamp(NOW, dt.UTC),
    )
    assert shown.expires == dt.datetime(2027, 1, 30, 23, tzinfo=dt.UTC)
    assert [(one.kind, one.amount, one.used, one.left) for one in shown.limits] == [
        ("rpm", 5, 0, 5),
        ("usd_per_day", "1.50", "0.00", "1.50"),
        ("per_ip_rpm", 3, None, None),
    ]
    assert made.key not in str(msgspec.json.encode(shown))


async def test_what_is_used_and_left_is_shown(place: Place) -> None:
    made = await place.add(
        limits=[
            {"kind": "rpm", "amount": 5},
            {"kind": "rpm", "amount": 4, "model": MODEL},
            {"kind": "tokens_per_day", "amount": 100},
        ]
    )
    await place.holders.directory.load()
    user = place.keys.find(made.key, NOW)
    assert user is not None
    await place.limiter.admit(Asked(1, user, MODEL, tokens=30), NOW)
    await place.limiter.admit(Asked(2, user, "another", tokens=30), NOW)

    shown = await users.one(place.call("ann"))

    assert [(one.model, one.used, one.held, one.left) for one in shown.limits] == [
        ("", 2, 0, 3),
        (MODEL, 1, 0, 3),
        ("", 0, 60, 40),
    ]


async def test_limits_models_and_expiry_change_one_by_one(place: Place) -> None:
    await place.add(**WISH)

    shown = await place.change(
        limits=[{"kind": "rpm", "amount": None}, {"kind": "tpm", "amount": 9}]
    )
    assert [(one.kind, one.amount) for one in shown.limits] == [
        ("tpm", 9),
        ("usd_per_day", "1.50"),
        ("per_ip_rpm", 3),
    ]
    assert (await place.change(models=[])).models == []
    shown = await place.change(expires="2027-01-01T00:00Z")
    assert shown.state == "expired"
    assert (await place.change(expires=None)).expires is None


async def test_a_key_is_rotated_and_revoked(place: Place) -> None:
    old = await place.add()
    new = await users.rotate(place.call("ann", body=users.Rotation(grace=60)))
    await place.holders.directory.load()

    assert new.user.old_key_until == dt.datetime.fromtimestamp(NOW + 60, dt.UTC)
    assert place.keys.find(old.key, NOW) == place.keys.find(new.key, NOW) is not None
    assert place.keys.find(old.key, NOW + 61) is None

    newest = await users.rotate(place.call("ann", body=users.Rotation()))
    await place.holders.directory.load()
    assert place.keys.find(new.key, NOW) is None

    revoked = await users.revoke(place.call("ann"))
    again = await users.revoke(place.call("ann"))
    await place.holders.directory.load()
    assert place.keys.find(newest.key, NOW) is None
    assert revoked == again
    assert (revoked.state, revoked.revoked) == ("revoked", dt.datetime.fromtimestamp(NOW, dt.UTC))
    with pytest.raises(Conflict, match="revoked, for good"):
        await users.rotate(place.call("ann", body=users.Rotation()))
    assert await place.noted() == [
        ("users.add", "ann"),
        ("users.rotate", "ann"),
        ("users.rotate", "ann"),
        ("users.revoke", "ann"),
    ]


async def test_the_list_has_those_of_the_settings_and_pages(place: Place) -> None:
    for name in ("ann", "ben"):
        await place.add(name)
        place.now += 1

    for limit in (1, 2, 3):
        found, cursor = [], ""
        while cursor is not None:
            query = users.UsersQuery(cursor=cursor, limit=limit)
            page = await users.listed(place.call(query=query))
            found += page.users
            cursor = page.next or None  # type: ignore[assignment]
        assert [(one.name, one.origin) for one in found] == [
            ("lab", "settings"),
            ("ann", "stored"),
            ("ben", "stored"),
        ]
        assert page.total == 3
    for wrong in ("x", "stored:", "stored:x", "elsewhere:1"):
        with pytest.raises(BadField, match="cursor"):
            await users.listed(place.call(query=users.UsersQuery(cursor=wrong)))


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({}, ["lab", "ann", "ben", "hanna"]),
        ({"search": "AN"}, ["ann", "hanna"]),
        ({"search": "la", "state": users.Word.GOOD}, ["lab"]),
        ({"search": "nobody"}, []),
        ({"state": users.Word.REVOKED}, ["ben"]),
        ({"state": users.Word.EXPIRED, "search": "hann"}, ["hanna"]),
    ],
)
async def test_a_list_is_searched_and_filtered_across_its_pages(
    place: Place, wanted: dict[str, Any], names: list[str]
) -> None:
    for name in ("ann", "ben", "hanna"):
        await place.add(name)
        place.now += 1
    await users.revoke(place.call("ben"))
    await place.change("hanna", expires="2020-01-01")

    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = users.UsersQuery(cursor=cursor, limit=1, **wanted)
        page = await users.listed(place.call(query=query))
        assert page.total == len(names)
        found += [one.name for one in page.users]
        cursor = page.next
    assert found == names


async def test_a_rotation_that_knows_another_change_is_refused(place: Place) -> None:
    made = await place.add()
    known = users.Rotation(change=made.user.change)
    once = await users.rotate(place.call("ann", body=known))

    with pytest.raises(Conflict, match="changed meanwhile"):
        await users.rotate(place.call("ann", body=known))
    assert once.user.change > made.user.change
    assert (await users.one(place.call("ann"))).change == once.user.change


async def test_the_newest_request_of_an_access_key_is_known(engines: Engines) -> None:
    book = Book(engines)
    place = Place(engines)
    for name in ("ann", "ben"):
        await place.add(name)
    rows = [row(int((NOW - age) * MS), user=user) for age, user in ((9, "ann"), (5, "ann"))]
    await book.put(*rows)
    place.desk = attrs.evolve(place.desk, figures=Figures(book.queries))

    page = await users.listed(place.call(query=users.UsersQuery()))

    used = {one.name: one.last_used for one in page.users}
    assert used["ann"] == dt.datetime.fromtimestamp(NOW - 5, dt.UTC)
    assert (used["ben"], used["lab"]) == (None, None)


async def test_a_number_is_the_same_amount_however_it_is_written(place: Place) -> None:
    made = await place.add(
        "ann",
        limits=[
            {"kind": "rpm", "amount": 5.0},
            {"kind": "usd_per_day", "amount": 1e-7},
            {"kind": "usd_per_month", "amount": 57 * 0.01},
        ],
    )

    amounts = {one.kind: one.amount for one in made.user.limits}
    assert amounts == {"rpm": 5, "usd_per_day": "0.0000001", "usd_per_month": "0.57"}


async def test_a_key_of_the_settings_is_shown_and_does_not_change(place: Place) -> None:
    assert (await users.one(place.call("lab"))).origin == "settings"
    with pytest.raises(Conflict, match="one of the settings"):
        await place.change("lab", models=["x"])
    with pytest.raises(Conflict, match="one of the settings"):
        await users.revoke(place.call("lab"))
    with pytest.raises(Conflict, match="one of the settings"):
        await users.rotate(place.call("lab", body=users.Rotation()))
    with pytest.raises(Conflict, match="of the settings"):
        await place.add("lab")
    assert await place.noted() == []


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"limits": [{"kind": "rpm", "amount": 0}]}, "limits"),
        ({"limits": [{"kind": "rpm", "amount": 1.5}]}, "limits"),
        ({"limits": [{"kind": "rpm", "amount": 1}] * 2}, "limits"),
        ({"limits": [{"kind": "rpm", "amount": 1, "model": "a b"}]}, "limits"),
        ({"models": ["a,b"]}, "models"),
        ({"expires": "soon"}, "expires"),
        ({"name": "a/b"}, "name"),
        ({"name": "AIzaSyCanaryCanaryCanaryCanaryCanaryCanary"}, "name"),
    ],
)
async def test_what_does_not_fit_is_refused_by_its_field(
    place: Place, wish: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadField) as caught:
        await place.add(**{"name": "ann", **wish})

    assert caught.value.field == field
    assert "Canary" not in caught.value.message
    assert await place.noted() == []


async def test_names_are_used_once_and_must_be_known(place: Place) -> None:
    made = await place.add()
    for name in ("ann", made.user.id):
        with pytest.raises(Conflict):
            await place.add(name)
    with pytest.raises(Unrouted, match="No access key"):
        await users.one(place.call("nobody"))
    with pytest.raises(Unrouted, match="No access key"):
        await place.change("nobody", models=[])
    with pytest.raises(BadRequest, match="Nothing is to be changed"):
        await place.change()


async def test_several_workers_take_no_limits(engines: Engines) -> None:
    place = Place(engines, workers=2)
    await place.add()
    with pytest.raises(Conflict, match=r"server\.workers"):
        await place.change(limits=[{"kind": "rpm", "amount": 1}])


@attrs.define
class Others:
    """The other workers, who note what they are asked."""

    asked: list[str] = attrs.field(factory=list)
    number: int = 0

    async def ask(self, path: str, document: Any = None) -> Answers:
        assert document is None
        self.asked.append(path)
        return Answers(asked=1)


async def test_every_change_is_told_to_the_other_workers(place: Place) -> None:
    others = Others()
    place.desk = attrs.evolve(place.desk, neighbours=others)

    await place.add()
    await place.change(models=["x"])
    await users.rotate(place.call("ann", body=users.Rotation()))
    await users.revoke(place.call("ann"))

    assert others.asked == [users.CHANGED] * 4


async def test_without_a_pool_there_are_no_access_keys() -> None:
    call = Call(Desk(), {}, users.UsersQuery(), NOTHING, "operator", "192.0.2.7")
    with pytest.raises(Unrouted, match=r"no pool.*GEMINI_API_KEYS"):
        await users.listed(call)


async def test_a_database_that_fails_is_said(engines: Engines) -> None:
    async with engines.writing() as connection:
        await connection.run_sync(USERS.drop)

    with pytest.raises(Busy, match="database of access keys"):
        await users.listed(Place(engines).call(query=users.UsersQuery()))
