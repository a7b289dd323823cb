"""Days and months of limits, over midnight, changes of the clocks, and a restart."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from gemproxy.accounts.user import Kind, Limit
from gemproxy.chaos.answers import Answer as Told
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.metered.conftest import StartHouse, StartProxy
from tests.metered.house import limited, rows_of
from tests.pooled.conftest import Clock
from tests.pooled.house import access, projects, stream_of
from tests.wire import body_of

pytestmark = pytest.mark.production_loop

SHORT = Script(Told("Well."), rearm=True)
HOUR = 3600


def at(zone: str, *moment: int) -> float:
    """Return a moment by the clock of a zone, as a Unix time."""
    return dt.datetime(*moment, tzinfo=ZoneInfo(zone)).timestamp()  # type: ignore[arg-type,misc]


BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("zone", "begins", "hours"),
    [
        ("UTC", (2026, 11, 28), 24),
        (BERLIN, (2026, 10, 25), 25),
        (BERLIN, (2027, 3, 28), 23),
        ("America/Havana", (2026, 11, 1), 25),
        ("Asia/Kolkata", (2026, 12, 31), 24),
    ],
)
async def test_a_day_has_the_hours_of_its_zone(
    house: StartHouse, clock: Clock, zone: str, begins: tuple[int, int, int], hours: int
) -> None:
    begun = at(zone, *begins)
    clock.at = begun + 10
    started = await house({"ann": limited(rpd=1)}, SHORT, accounts={"timezone": zone})
    key = started.people["ann"]
    first, refused = await started.ask(key=key), await started.ask(key=key)
    clock.at = begun + hours * HOUR - 1
    late = await started.ask(key=key)
    clock.at += 1
    early, again = await started.ask(key=key), await started.ask(key=key)

    assert [first.status, refused.status, late.status] == [200, 429, 429]
    assert [early.status, again.status] == [200, 429]
    assert int(refused.headers["Retry-After"]) == hours * HOUR - 10
    assert int(late.headers["Retry-After"]) == 1


@pytest.mark.parametrize("kind", [Kind.TOKENS_PER_MONTH, Kind.USD_PER_MONTH])
async def test_a_month_ends_with_its_last_day(house: StartHouse, clock: Clock, kind: Kind) -> None:
    clock.at = at(BERLIN, 2027, 2, 27, 12)
    amount = 8500 if kind is Kind.TOKENS_PER_MONTH else 70_000_000
    ann = limited(Limit(kind, amount))
    started = await house({"ann": ann}, SHORT, accounts={"timezone": BERLIN})
    key = started.people["ann"]
    statuses: list[int] = []
    while not statuses or statuses[-1] == 200:
        statuses.append((await started.ask("A prompt of some length " * 9, key=key)).status)
    clock.at = at(BERLIN, 2027, 2, 28, 23, 59)
    late = await started.ask("A prompt of some length " * 9, key=key)
    clock.at = at(BERLIN, 2027, 3, 1)
    early = await started.ask("A prompt of some length " * 9, key=key)

    assert (statuses[0], statuses[-1], late.status, early.status) == (200, 429, 429, 200)


async def test_a_request_over_midnight_counts_for_the_day_of_its_beginning(
    house: StartHouse, clock: Clock
) -> None:
    clock.at = at("UTC", 2026, 11, 28, 23, 59, 59)
    started = await house({"ann": limited(rpd=1)}, SHORT, latency=0.2)
    key = started.people["ann"]
    async with started.proxy.connect() as connection:
        await connection.send(stream_of(), body_of("Hello"), access(key))
        await started.fake.until_requests(1)
        clock.at += 2
        assert (await connection.answer()).status == 200
    assert (await started.ask(key=key)).status == 200
    assert (await started.ask(key=key)).status == 429


@pytest.mark.parametrize(("later", "status"), [(1 * HOUR, 429), (13 * HOUR, 200)])
async def test_a_restart_counts_what_the_day_has_had(
    front: StartProxy, clock: Clock, later: int, status: int
) -> None:
    clock.at = at("UTC", 2026, 11, 28, 12)
    async with ChaosServer(SHORT, projects=projects()) as fake:
        first, keys = await front(fake.url, {"ann": limited(rpd=1)}, projects())
        asked = stream_of(), body_of("Hello"), access(keys["ann"])
        assert (await first.ask(*asked)).status == 200
        assert len(await rows_of(first)) == 1
        clock.at += later
        second, _ = await front(fake.url, {}, projects())

        assert (await second.ask(*asked)).status == status
