"""Usage through the admin API: the same total from every place, by any clock."""

import csv
import io
import json
import random
import re
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from multidict import MultiDict
from yarl import URL

from gemproxy.accounts.calendar import Calendar
from gemproxy.admin import usage
from gemproxy.admin.desk import Desk, Figures
from gemproxy.admin.reading import query_of
from gemproxy.admin.requests import RequestPage, RequestsQuery, StoryQuery, request, requests
from gemproxy.admin.route import NOTHING, Call, Form, Text
from gemproxy.admin.stats import stats
from gemproxy.core.errors import BadField, Busy, Unrouted
from gemproxy.ledger import queries
from gemproxy.ledger.buckets import LARGEST_ERROR
from gemproxy.ledger.engine import Engines, place_of
from gemproxy.ledger.row import Ending, Try
from gemproxy.ledger.schema import prepare
from gemproxy.usage.command import Command
from gemproxy.usage.options import read_options
from tests.ledger.book import MS, Book, at, row, summed, zone
from tests.ledger.test_queries import some_rows

NOW = at("2026-10-27T12:00") / MS


@pytest.fixture
async def book(tmp_path: Path) -> AsyncIterator[Book]:
    engines = Engines.of(place_of("", tmp_path))
    await prepare(engines)
    yield Book(engines, zone("Europe/Berlin"))
    await engines.close()


def ask(book: Book, form: type[Form], query: str = "", accept: str = "", **names: str) -> Any:
    """Return the call of a request with a query as a client writes it."""
    models = ("gemini-quiet", "gemini-x")
    desk = Desk(figures=Figures(book.queries, lambda: models, lambda: NOW))
    given = MultiDict(URL(f"http://proxy/?{query}").query)
    return Call(desk, names, query_of(form, given), NOTHING, "operator", "192.0.2.7", accept)


async def usage_of(book: Book, query: str = "", accept: str = "") -> Any:
    answer = await usage.usage(ask(book, usage.UsageQuery, query, accept))
    return answer if isinstance(answer, Text) else msgspec.to_builtins(answer)


def rows_of(table: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table.body.decode())))


@pytest.mark.parametrize("name", ["Europe/Berlin", "America/New_York", "Asia/Kathmandu"])
@pytest.mark.parametrize("day", ["2026-10-25", "2026-11-01"])
async def test_the_total_of_a_day_is_the_same_from_all_places(
    book: Book, tmp_path: Path, name: str, day: str
) -> None:
    """The clocks change in Berlin and New York on these days."""
    rows = some_rows(random.Random(7), at(day) - 86_400 * MS, 3, 300)
    await book.put(*rows)
    date = Calendar(zone(name)).day(at(f"{day}T12:00+00:00") / MS)
    within = [one for one in rows if date.start <= one.started / MS < date.end]
    expected, dollars = summed(within), summed(within).cost_nano_usd
    query = f"from={date.name}&to={date.name}&timezone={name}"

    for _ in range(2):  # from rows, then from roll-ups
        answer = await usage_of(book, f"{query}&by=hour,model")
        table = rows_of(await usage_of(book, f"{query}&by=user,key", "text/csv"))
        lines: list[str] = []
        options = read_options(
            ["--since", str(int(date.start)), "--until", str(int(date.end)), "--json"]
        )
        command = Command(options, place_of("", tmp_path), Calendar(zone(name)), lines.append)
        await command.run()
        shown = json.loads(lines[0])
        committed = await book.queries.committed(date.start)
        later = [one for one in rows if one.started / MS >= date.start]

        assert answer["timezone"] == name
        assert answer["total"]["requests"] == expected.requests == shown["requests"]
        assert Decimal(answer["total"]["cost_usd"]) * 10**9 == dollars == shown["cost_nano_usd"]
        assert sum(int(line["requests"]) for line in table) == expected.requests
        assert sum(Decimal(line["cost_usd"] or 0) for line in table) * 10**9 == dollars
        assert {line["timezone"] for line in table} == {name}
        assert sum(one.requests for one in committed) == summed(later).requests
        assert sum(one.nano_usd for one in committed) == summed(later).cost_nano_usd
        await book.fold(at(day) / MS + 4 * 86_400)


async def test_the_range_is_told_with_its_offsets(book: Book) -> None:
    dates = await usage_of(book, "from=2026-10-25&to=2026-10-25")
    times = await usage_of(book, "from=2026-10-25T00:00:00+02:00&to=1792972800&timezone=UTC")
    nothing = await usage_of(book)

    assert (dates["timezone"], dates["from"], dates["to"]) == (
        "Europe/Berlin",
        "2026-10-25T00:00:00+02:00",
        "2026-10-26T00:00:00+01:00",
    )
    assert times["from"] == "2026-10-24T22:00:00+00:00"
    assert (nothing["from"], nothing["to"], nothing["groups"]) == (None, None, [])


async def test_groups_have_the_keys_of_their_groupings(book: Book) -> None:
    await book.put(
        row(at("2026-10-25T00:30"), cost_nano_usd=1_500_000_000),
        row(at("2026-10-25T01:30"), cost_nano_usd=None, user="bob"),
        row(at("2026-10-25T02:30"), ending=None, cost_nano_usd=None, attempts=0),
    )

    by_user = await usage_of(book, "by=user&by=day")
    hours = await usage_of(book, "by=hour")

    ann, bob = by_user["groups"]
    assert ann["of"] == {"user": "ann", "day": "2026-10-25"}
    assert (ann["sums"]["cost_usd"], ann["sums"]["running"]) == ("1.5", 1)
    assert (bob["sums"]["cost_usd"], bob["sums"]["unpriced"]) == (None, 1)
    assert (by_user["total"]["cost_usd"], by_user["total"]["unpriced"]) == ("1.5", 1)
    assert [group["of"]["hour"] for group in hours["groups"]] == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T03:00:00+01:00",
    ]


async def test_groups_come_in_pages_and_the_total_is_of_all(book: Book) -> None:
    rows = [row(at("2026-10-25") + hour * 3_600_000, first_byte_ms=80) for hour in range(5)]
    await book.put(*rows)
    got: list[str] = []
    cursor = ""

    for _ in range(3):
        page = await usage_of(book, f"by=hour,user&limit=2&cursor={cursor}")
        got += [group["of"]["hour"] for group in page["groups"]]
        cursor = page["next"]
        assert page["total"]["requests"] == 5
        assert page["total"]["first_byte_p95_ms"] == pytest.approx(80, rel=LARGEST_ERROR)

    assert cursor is None
    assert len(got) == len({*got}) == 5


@pytest.mark.parametrize(
    ("query", "accept", "words"),
    [
        ("by=hour&limit=3", "text/csv", "a table has all groups"),
        ("by=hour&cursor=x", "", "is not the `next` of a page of this list"),
        ("by=hour&limit=0", "", "limit"),
        ("by=hour&limit=10001", "", "limit"),
    ],
)
async def test_a_wrong_page_of_groups_is_refused(
    book: Book, query: str, accept: str, words: str
) -> None:
    await book.put(row(at("2026-10-25")))

    with pytest.raises(BadField, match=re.escape(words)):
        await usage_of(book, query, accept)


async def test_more_groups_than_an_answer_may_have_are_refused_in_words(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MOST_GROUPS", 3)
    await book.put(*(row(at("2026-10-25") + hour * 3_600_000) for hour in range(4)))

    for accept in ("", "text/csv"):
        with pytest.raises(BadField, match="more than 3 groups: choose a shorter period"):
            await usage_of(book, "by=hour", accept)
    assert (await usage_of(book, "by=day"))["total"]["requests"] == 4


async def test_a_table_has_no_formulas(book: Book) -> None:
    for number, start in enumerate("=+-@\t"):
        await book.put(row(at("2026-10-25") + number, model=f"{start}cmd|' /C calc'!A0"))
    table = await usage_of(book, "by=model", "text/csv;q=0.9, */*;q=0.1")
    names = [line["model"] for line in rows_of(table)]

    assert (table.media, table.name) == ("text/csv; charset=utf-8", "usage.csv")
    assert len(names) == 5
    assert all(name.startswith("'") for name in names)
    assert len(rows_of(await usage_of(book, "", "text/csv"))) == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("timezone=Mars/Base", "timezone"),
        ("timezone=../../etc/passwd", "timezone"),
        ("from=yesterday", "from"),
        ("from=2026-10-26&to=2026-10-24", "from"),
        ("to=99999999999999999999", "to"),
        ("by=week", "by[0]"),
        ("by=hour,day", "by"),
        ("by=user,user", "by"),
        ("by=user,model,key", "by"),
        ("colour=red", "colour"),
    ],
)
async def test_a_wrong_question_is_refused_by_its_field(book: Book, query: str, field: str) -> None:
    with pytest.raises(BadField) as refused:
        await usage_of(book, query)

    assert field in str(refused.value)


@pytest.mark.parametrize("zone", ["", "&timezone=Pacific/Kiritimati", "&timezone=Etc/GMT%2B12"])
@pytest.mark.parametrize("last", ["9999-12-31", "9999-12-31T23:59:59Z", "253402300799"])
async def test_a_period_may_end_with_the_last_day_of_all(book: Book, last: str, zone: str) -> None:
    await book.put(row(at("2026-10-25"), user="ann"))
    listed = msgspec.to_builtins(await requests(ask(book, RequestsQuery, f"to={last}{zone}")))
    summed = msgspec.to_builtins(await usage_of(book, f"to={last}{zone}"))

    assert len(listed["requests"]) == 1
    assert summed["total"]["requests"] == 1


async def test_a_list_goes_on_behind_its_pages_while_rows_come_in(book: Book) -> None:
    rows = [row(at("2026-10-25") + number, user="ann") for number in range(5)]
    await book.put(*rows)

    async def page(query: str) -> Any:
        return msgspec.to_builtins(await requests(ask(book, RequestsQuery, query)))

    first = await page("limit=2&totals=true&user=ann")
    await book.put(row(at("2026-10-26"), user="ann"))
    second = await page(f"limit=2&cursor={first['next']}")
    third = await page(f"limit=2&cursor={second['next']}")
    got = [one["id"] for part in (first, second, third) for one in part["requests"]]

    assert got == [one.request_id for one in reversed(rows)]
    assert (first["total"]["requests"], second["total"], third["next"]) == (5, None, None)
    assert first["requests"][0]["started"] == "2026-10-25T02:00:00+02:00"


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("ending=failed", 1),
        ("ending=running", 1),
        ("interrupted=true", 1),
        ("status=503", 1),
        ("min_cost_usd=0.5", 1),
        ("from=2026-10-26", 1),
        ("user=nobody", 0),
        ("", 5),
    ],
)
async def test_a_list_and_its_total_are_filtered(book: Book, query: str, count: int) -> None:
    start = at("2026-10-25")
    await book.put(
        row(start, ending=Ending.FAILED),
        row(start + 1, ending=None),
        row(start + 2, attempts=2),
        row(start + 3, status=503, cost_nano_usd=700_000_000),
        row(at("2026-10-26")),
    )

    page = await requests(ask(book, RequestsQuery, f"totals=true&{query}"))

    assert page.total is not None
    assert (len(page.requests), page.total.requests) == (count, count)


async def test_a_request_is_told_with_its_attempts(book: Book) -> None:
    tries = tuple(
        Try("aaaa0000", 200, cause, "anchor", "", 40, 300, 10, 5, 0) for cause in ("drop", "")
    )
    await book.put(
        row(at("2026-10-25"), request_id="mine", attempts=2, tries=tries),
        row(at("2026-10-26"), request_id="mine"),
    )

    found = await request(ask(book, StoryQuery, id="mine"))
    listed = await usage.interruptions(ask(book, usage.InterruptionsQuery))

    assert [len(story.attempts) for story in found.requests] == [0, 2]
    assert [one.cause for one in found.requests[1].attempts] == ["drop", None]
    assert found.requests[1].request.interrupted
    assert [(one.cause, one.ending, one.attempts) for one in listed.interruptions] == [
        ("drop", "done", 1)
    ]
    assert listed.total == 1
    with pytest.raises(Unrouted):
        await request(ask(book, StoryQuery, id="none"))


async def test_a_list_leads_to_newer_requests_and_back(book: Book) -> None:
    start = at("2026-10-25")
    await book.put(*(row(start + number, request_id=f"r{number}") for number in range(5)))

    async def page(query: str) -> RequestPage:
        return await requests(ask(book, RequestsQuery, f"limit=2&{query}"))

    first = await page("")
    second = await page(f"cursor={first.next}")
    third = await page(f"cursor={second.next}")
    back = await page(f"newer={third.previous}")
    newest = await page(f"newer={back.previous}")
    beyond = await page(f"newer={newest.previous}")

    assert [[one.id for one in each.requests] for each in (first, second, third)] == [
        *(["r4", "r3"], ["r2", "r1"], ["r0"]),
    ]
    assert (third.next, back.requests, back.next) == (None, second.requests, second.next)
    assert newest.requests == first.requests
    assert (beyond.requests, beyond.next, beyond.previous) == ([], None, None)


@pytest.mark.parametrize(("cause", "found"), [("drop", ["a"]), ("stall", ["a"]), ("empty", [])])
async def test_requests_are_found_by_what_interrupted_them(
    book: Book, cause: str, found: list[str]
) -> None:
    tries = tuple(
        Try("aaaa0000", 200, why, "", "", 40, 300, 10, 5, 0) for why in ("drop", "stall", "stall")
    )
    await book.put(
        row(at("2026-10-25"), request_id="a", attempts=3, tries=tries),
        row(at("2026-10-26"), request_id="b"),
    )

    page = await requests(ask(book, RequestsQuery, f"cause={cause}&totals=true"))

    assert page.total is not None
    assert [one.id for one in page.requests] == found
    assert page.total.requests == len(found)


@pytest.mark.parametrize(
    "query",
    ["cursor=x", "cursor=-1", f"cursor={'9' * 25}", "cursor=１", "min_cost_usd=nan", "limit=0"],
)
async def test_a_wrong_list_is_refused(book: Book, query: str) -> None:
    with pytest.raises(BadField):
        await requests(ask(book, RequestsQuery, query))


async def test_models_without_traffic_have_zeros(book: Book) -> None:
    await book.put(
        row(int(NOW - 30) * MS),
        row(int(NOW - 3600) * MS),
        row(int(NOW - 86_400) * MS, model="gemini-before"),
    )

    answer = msgspec.to_builtins(await stats(ask(book, usage.InterruptionsQuery)))

    nothing = {"requests": 0, "tokens": 0}
    assert answer == {
        "usage_stats": {
            "gemini-quiet": {"minute": nothing, "day": nothing},
            "gemini-x": {
                "minute": {"requests": 1, "tokens": 13},
                "day": {"requests": 2, "tokens": 26},
            },
        }
    }


async def test_without_a_ledger_the_setting_is_named() -> None:
    call = Call(Desk(), {"id": "x"}, usage.UsageQuery(), NOTHING, "operator", "192.0.2.7")

    with pytest.raises(Unrouted, match=r"ledger\.enabled"):
        await usage.usage(call)


async def test_a_database_that_fails_is_told_in_words(book: Book) -> None:
    async with book.engines.writing() as connection:
        await connection.exec_driver_sql("DROP TABLE generations")

    with pytest.raises(Busy, match="cannot be read"):
        await usage_of(book)
