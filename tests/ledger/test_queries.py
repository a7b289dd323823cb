"""Queries: every view has the same total, wherever its sums come from."""

import datetime as dt
import itertools
import math
import random
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

import attrs
import pytest
from sqlalchemy import select

from gemproxy.ledger import queries, sums
from gemproxy.ledger.buckets import LARGEST_ERROR
from gemproxy.ledger.engine import Engines, place_of
from gemproxy.ledger.naming import ALL, Only
from gemproxy.ledger.pieces import Span
from gemproxy.ledger.queries import By, Committed, Interruptions
from gemproxy.ledger.requests import Wanted, conditions_of, order_of
from gemproxy.ledger.row import Ending, Row, Try
from gemproxy.ledger.schema import prepare
from gemproxy.ledger.sums import Sums
from gemproxy.ledger.tables import GENERATIONS
from tests.ledger.book import MS, Book, at, grouped, row, summed, zone

ZONES = {
    "America/New_York": "2026-11-01",
    "Asia/Kathmandu": "2026-11-01",
    "Australia/Lord_Howe": "2026-10-04",
    "America/Havana": "2026-11-01",
}
"""Zones, and a day of each; the clocks change in it, but for Kathmandu (UTC+5:45)."""


def some_rows(dice: random.Random, start: int, days: float, count: int) -> list[Row]:
    """Return rows of all kinds, spread over some days."""
    return [
        row(
            start + dice.randrange(int(days * 86_400 * MS)),
            user=dice.choice(["ann", "bob", ""]),
            model=dice.choice(["gemini-x", "gemini-y"]),
            project=dice.choice(["lab", "home", ""]),
            key=dice.choice(["aaaa0000", "bbbb1111"]),
            ending=dice.choice([*Ending, None]),
            cost_nano_usd=dice.choice([None, 0, 12_345_678_901]),
            attempts=dice.randrange(4),
            calls=dice.randrange(1, 3),
            thought_tokens=dice.randrange(50),
            first_byte_ms=dice.choice([None, 250]),
            estimated=dice.random() < 0.1,
        )
        for _ in range(count)
    ]


def clock_of(book: Book, by: By) -> Callable[[Row], str]:
    """Return the key of a row: its date, or the hour that it is in, by the wall clock."""

    def key(one: Row) -> str:
        local = dt.datetime.fromtimestamp(one.started // MS, book.zone)
        if by is not By.HOUR:
            return local.date().isoformat()[: 10 if by is By.DAY else 7]
        hour = local.replace(minute=0, second=0).timestamp()  # skipped: the change itself
        return dt.datetime.fromtimestamp(hour, book.zone).isoformat()

    return key


async def views(book: Book, span: Span, only: Only = ALL) -> Sequence[dict[str, Sums]]:
    """Return all views of a span."""
    groups = [await book.queries.usage([by], span, only) for by in By]
    return [{group.keys[0]: group.sums for group in found} for found in groups]


def added(groups: dict[str, Sums]) -> Sums:
    """Return the sum of groups."""
    return sums.added(groups.values())


def plain(figures: Sums) -> Sums:
    """Return sums without the spread of the times, which is not kept by any two names."""
    return attrs.evolve(figures, spread=())


@pytest.mark.parametrize("name", ZONES)
async def test_all_views_of_a_day_on_which_the_clocks_change_have_the_same_total(
    engines: Engines, name: str
) -> None:
    book = Book(engines, zone(name))
    day = book.calendar.day(at(f"{ZONES[name]}T12:00+00:00") / MS)
    rows = some_rows(random.Random(7), int(day.start - 86_400) * MS, 3, 300)
    await book.put(*rows)
    span = Span(int(day.start) * MS, int(day.end) * MS)
    within = [one for one in rows if span.start <= one.started < span.end]

    for _ in range(2):  # from rows, then from roll-ups
        found = await views(book, span)
        assert await book.queries.total(span) == summed(within)
        assert found == [
            grouped(within, clock_of(book, By.HOUR)),
            grouped(within, clock_of(book, By.DAY)),
            grouped(within, clock_of(book, By.MONTH)),
            grouped(within, lambda one: one.model),
            grouped(within, lambda one: one.user),
            grouped(within, lambda one: one.project),
            grouped(within, lambda one: one.key),
        ]
        assert [added(groups) for groups in found] == [summed(within)] * len(By)
        await book.fold(day.end + 2 * 86_400)


@pytest.mark.parametrize("name", [*ZONES, "Europe/Berlin"])
async def test_any_zone_may_be_asked_for_whatever_the_days_of_the_ledger_are(
    engines: Engines, name: str
) -> None:
    book, other = Book(engines), Book(engines, zone(name))
    rows = some_rows(random.Random(9), at("2026-10-02T18:00"), 32, 300)
    await book.put(*rows)
    asked = book.queries.by_clock(zone(name))

    for _ in range(2):  # from rows, then from roll-ups
        for by in (By.HOUR, By.DAY, By.MONTH):
            found = await asked.usage([by])
            assert {group.keys[0]: plain(group.sums) for group in found} == {
                key: plain(figures) for key, figures in grouped(rows, clock_of(other, by)).items()
            }
            assert sums.added(group.sums for group in found) == summed(rows)
        await book.fold(at("2026-11-08") / MS)


async def test_two_groupings_have_the_same_total_as_one(engines: Engines) -> None:
    book = Book(engines)
    rows = some_rows(random.Random(9), at("2026-02-27"), 4, 100)
    await book.put(*rows)
    await book.fold(at("2026-03-02T12:30") / MS)

    groups = await book.queries.usage([By.MODEL, By.DAY])

    keys = [group.keys for group in groups]
    assert keys == sorted(keys)
    day = clock_of(book, By.DAY)
    assert {"/".join(group.keys): group.sums for group in groups} == grouped(
        rows, lambda one: f"{one.model}/{day(one)}"
    )
    for by in ([By.DAY, By.HOUR], [By.USER] * 2, [], [By.DAY, By.USER, By.KEY]):
        with pytest.raises(ValueError, match="usage is grouped by"):
            await book.queries.usage(by)


async def test_the_total_of_a_list_is_that_of_all_its_pages(engines: Engines) -> None:
    book = Book(engines)
    rows = some_rows(random.Random(4), at("2026-03-01"), 3, 120)
    await book.put(*rows)
    await book.fold(at("2026-03-03T07:00") / MS)
    taken = [one for one in rows if one.attempts > one.calls]
    dear = [one for one in rows if one.cost_nano_usd]

    total = book.queries.total_of
    assert await total(Wanted(before=rows[3].serial)) == summed(rows)
    assert await total(Wanted(interrupted=True)) == summed(taken)
    assert await total(Wanted(least_usd=Decimal(12))) == summed(dear)
    assert await total(Wanted(running=True)) == summed(one for one in rows if one.ending is None)
    assert await total(Wanted(Only("nobody"))) == Sums()
    assert await total(Wanted(Only("nobody"), status=503)) == Sums()
    assert await book.queries.requests(200, Wanted(interrupted=True)) == sorted(
        taken, key=lambda one: -one.serial
    )


async def test_interruptions_are_counted_by_cause_and_ending(engines: Engines) -> None:
    book = Book(engines)

    def tries(*causes: str) -> tuple[Try, ...]:
        return tuple(Try("aaaa0000", 200, cause, "", "", 40, 300, 10, 5, 0) for cause in causes)

    start = at("2026-03-01")
    await book.put(
        row(start, attempts=3, tries=tries("drop", "drop", "")),
        row(start + 1, attempts=2, tries=tries("stall", "drop"), ending=Ending.FAILED),
        row(start + 2, attempts=2, tries=tries("drop", ""), user="bob"),
        row(start + 3),
    )

    assert await book.queries.interruptions() == [
        Interruptions("drop", "done", 3),
        Interruptions("drop", "failed", 1),
        Interruptions("stall", "failed", 1),
    ]
    assert await book.queries.interruptions(only=Only("bob")) == [Interruptions("drop", "done", 1)]
    assert await book.queries.interruptions(Span(start + 3)) == []
    assert await book.queries.interruptions(only=Only("nobody")) == []


@pytest.mark.parametrize("name", ["Europe/Berlin", "Asia/Kolkata"])
async def test_percentiles_and_interruptions_outlive_the_rows(engines: Engines, name: str) -> None:
    book = Book(engines, zone("America/New_York"))
    dice, start = random.Random(8), at("2026-10-20")
    causes = ["drop", "stall", "drop"]
    rows = []
    for number in range(300):
        waits = dice.choice([None, 5 + dice.randrange(9000)])
        tried = number % 5 == 0
        tries = [Try("aaaa0000", 200, cause, "", "", 40, 300, 10, 5, 0) for cause in causes]
        rows.append(
            row(
                start + dice.randrange(20 * 86_400 * MS),
                user=dice.choice(["ann", "bob"]),
                ending=dice.choice([Ending.DONE, Ending.FAILED]),
                first_byte_ms=waits,
                attempts=4 if tried else 1,
                tries=(*tries, attrs.evolve(tries[0], cause="")) if tried else (),
            )
        )
    await book.put(*rows)
    asked = book.queries.by_clock(zone(name))

    before = await asked.total(), await asked.interruptions(), await asked.usage([By.USER])
    await book.fold(at("2026-11-20") / MS)
    folded = await asked.total(), await asked.interruptions(), await asked.usage([By.USER])
    assert await book.clean(at("2026-11-20") / MS, 1) == len(rows)
    after = await asked.total(), await asked.interruptions(), await asked.usage([By.USER])
    times = sorted(one.first_byte_ms for one in rows if one.first_byte_ms is not None)

    assert before == folded == after
    for share in (0.5, 0.95):
        true = times[math.ceil(share * len(times)) - 1]
        found = after[0].first_byte(share)
        assert found is not None
        assert abs(found - true) <= LARGEST_ERROR * true
    assert sum(one.attempts for one in after[1]) == 3 * 60
    assert {one.cause for one in after[1]} == {"drop", "stall"}
    of_users = [await asked.interruptions(only=Only(name)) for name in ("ann", "bob")]
    assert sum(one.attempts for found in of_users for one in found) == 3 * 60


async def test_what_no_roll_up_keeps_apart_has_no_percentile(engines: Engines) -> None:
    book = Book(engines)
    await book.put(row(at("2026-03-01"), first_byte_ms=70))

    (group,) = await book.queries.usage([By.KEY], only=Only("ann"))
    (other,) = await book.queries.usage([By.MODEL], only=Only("ann"))

    assert (group.sums.first_bytes, group.sums.first_byte(0.5)) == (1, None)
    assert other.sums.first_byte(0.5) == pytest.approx(70, rel=LARGEST_ERROR)


async def test_an_answer_has_a_bounded_number_of_groups(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MOST_GROUPS", 5)
    book = Book(engines)
    start = at("2026-03-01")
    await book.put(*(row(start + hour * 3_600_000, user=f"u{hour % 3}") for hour in range(6)))

    for _ in range(2):  # from rows, then from roll-ups
        with pytest.raises(queries.TooManyGroups, match="more than 5 groups"):
            await book.queries.usage([By.HOUR])
        with pytest.raises(queries.TooManyGroups):
            await book.queries.usage([By.USER, By.HOUR])
        assert len(await book.queries.usage([By.USER, By.DAY])) == 3
        assert len(await book.queries.committed(start / MS)) == 3
        await book.fold(at("2026-03-04") / MS)


async def test_groups_are_in_order(engines: Engines) -> None:
    book = Book(engines, zone("Europe/Berlin"))
    rows = some_rows(random.Random(1), at("2026-10-23"), 4, 100)
    await book.put(*rows, row(at("2026-10-25T00:30")), row(at("2026-10-25T01:30")))
    await book.fold(at("2026-10-26") / MS)

    days = [group.keys[0] for group in await book.queries.usage([By.DAY])]
    hours = [group.keys[0] for group in await book.queries.usage([By.HOUR])]

    assert days == sorted(days)
    assert [dt.datetime.fromisoformat(hour) for hour in hours] == sorted(
        dt.datetime.fromisoformat(hour) for hour in hours
    )
    assert {"2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"} - set(hours) == set()


@pytest.mark.parametrize(
    "only",
    [
        Only("ann"),
        Only(model="gemini-y"),
        Only("bob", project="lab"),
        Only(key="aaaa0000"),
        Only("ann", key="bbbb1111"),
    ],
)
async def test_filters_hold_in_every_view(engines: Engines, only: Only) -> None:
    book = Book(engines)
    rows = some_rows(random.Random(3), at("2026-03-01"), 3, 200)
    await book.put(*rows)
    await book.fold(at("2026-03-03T07:00") / MS)
    within = [
        one
        for one in rows
        if only.user in {None, one.user}
        and only.model in {None, one.model}
        and only.project in {None, one.project}
        and only.key in {None, one.key}
    ]

    assert plain(await book.queries.total(only=only)) == plain(summed(within))
    expected = plain(summed(within))
    found = [plain(added(groups)) for groups in await views(book, Span(), only)]
    assert found == [expected] * len(By)


async def test_a_name_without_rows_has_no_sums(engines: Engines) -> None:
    book = Book(engines)
    await book.put(row(at("2026-03-01")))

    assert await book.queries.total(only=Only("nobody")) == Sums()
    assert await book.queries.usage([By.DAY], only=Only(model="none")) == []
    assert await book.queries.requests(5, Wanted(Only(key="none"))) == []


async def test_spans_that_meet_share_nothing_and_lose_nothing(engines: Engines) -> None:
    book = Book(engines, zone("Asia/Kolkata"))
    dice = random.Random(5)
    start = at("2026-03-01")
    rows = some_rows(dice, start, 4, 200)
    await book.put(*rows)
    cuts = sorted([0, *(start + dice.randrange(4 * 86_400 * MS) for _ in range(9)), 1 << 50])
    spans = [Span(low, high) for low, high in itertools.pairwise(cuts)]

    for now in ("2026-03-01", "2026-03-03T06:00", "2026-03-06"):
        await book.fold(at(now) / MS)
        for span in spans:
            within = [one for one in rows if span.start <= one.started < span.end]
            assert await book.queries.total(span) == summed(within)
    await book.clean(at("2026-03-06") / MS, 0.5)
    parts = Sums()
    for span in spans:
        parts.requests += (await book.queries.total(span)).requests
    assert parts.requests == len(rows)


async def test_what_is_committed_counts_what_runs_and_what_failed(engines: Engines) -> None:
    book = Book(engines)
    await book.put(
        row(at("2026-03-01T23:59"), cost_nano_usd=1),
        row(at("2026-03-02"), cost_nano_usd=5, cached_tokens=4, thought_tokens=7),
        row(at("2026-03-02T01:00"), ending=None, cost_nano_usd=None, input_tokens=0, attempts=0),
        row(at("2026-03-02T02:00"), user="bob", ending=Ending.FAILED, cost_nano_usd=2),
        row(at("2026-03-02T02:00"), model="gemini-y", cost_nano_usd=None),
    )

    found = await book.queries.committed(at("2026-03-02") / MS)

    assert found == [
        Committed("ann", "gemini-x", 2, 10 + 3 + 7 + 3, 5),
        Committed("ann", "gemini-y", 1, 13, 0),
        Committed("bob", "gemini-x", 1, 13, 2),
    ]


async def test_requests_come_newest_first_and_in_pages(engines: Engines) -> None:
    book = Book(engines)
    rows = [row(at("2026-03-01") + number) for number in range(7)]
    await book.put(*rows)

    first = await book.queries.requests(3)
    second = await book.queries.requests(3, Wanted(before=first[-1].serial))
    third = await book.queries.requests(3, Wanted(before=second[-1].serial))

    assert [*first, *second, *third] == rows[::-1]
    assert await book.queries.requests(0) == []


async def test_requests_are_filtered(engines: Engines) -> None:
    book = Book(engines)
    start = at("2026-03-01")
    left = row(start, ending=Ending.CLIENT_LEFT)
    keyed = row(start + 1, key="abcd1234")
    bob = row(start + 2, user="bob")
    nobody = row(start + 3, user="")
    await book.put(left, keyed, bob, nobody)

    async def found(wanted: Wanted) -> list[Row]:
        return await book.queries.requests(9, wanted)

    assert await found(Wanted(ending=Ending.CLIENT_LEFT)) == [left]
    assert await found(Wanted(Only(key="abcd1234"))) == [keyed]
    assert await found(Wanted(Only("bob"))) == [bob]
    assert await found(Wanted(Only(""))) == [nobody]
    assert await found(Wanted(Only("ann"), span=Span(start + 1))) == [keyed]
    assert await found(Wanted(span=Span(end=start + 1))) == [left]


async def test_a_request_is_found_by_its_id_with_its_attempts(engines: Engines) -> None:
    book = Book(engines)
    tries = tuple(
        Try(key, status, cause, "", "", 40, 300, 10, 5, 0)
        for key, status, cause in [("aaaa0000", 429, "quota"), ("bbbb1111", None, "reset")]
    )
    one = row(at("2026-03-01"), request_id="mine", attempts=2, repairs=1, tries=tries)
    again = row(at("2026-03-02"), request_id="mine", user="bob")
    await book.put(one, again, row(at("2026-03-02"), request_id="other"))

    assert await book.queries.request("mine") == [again, one]
    assert await book.queries.request("none") == []


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Wanted(ending=Ending.FAILED), "generations_troubled"),
        (Wanted(interrupted=True), "generations_interrupted"),
        (Wanted(running=True), "generations_unfinished"),
    ],
)
async def test_sqlite_finds_what_is_rare_by_an_index(
    tmp_path: Path, wanted: Wanted, index: str
) -> None:
    engines = Engines.of(place_of("", tmp_path))
    await prepare(engines)
    async with engines.reading() as connection:
        conditions = await conditions_of(connection, wanted)
        assert conditions is not None
        statement = select(GENERATIONS.c.serial).where(*conditions)
        newest = statement.order_by(order_of(wanted)).limit(50)
        words = str(newest.compile(compile_kwargs={"literal_binds": True}))
        plan = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}")).all()
    await engines.close()

    assert index in plan[0].detail
