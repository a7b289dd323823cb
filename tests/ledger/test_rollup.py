"""Roll-ups: what is folded, when, and that a fold can die anywhere."""

import random
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select

from gemproxy.ledger import rollup
from gemproxy.ledger.engine import Engines, place_of
from gemproxy.ledger.levels import DAYS, HOURS, MONTHS, SHAPES
from gemproxy.ledger.pieces import Span, State
from gemproxy.ledger.queries import By
from gemproxy.ledger.rollup import read_state
from gemproxy.ledger.schema import prepare
from gemproxy.ledger.tables import ROLLUPS
from tests.ledger.book import MS, Book, at, grouped, row, summed, zone
from tests.ledger.test_queries import added, clock_of, some_rows, views


class Killed(Exception):
    """The process died here."""


async def state_of(book: Book) -> State:
    async with book.engines.snapshot() as connection:
        return await read_state(connection)


async def starts(book: Book, level: int) -> list[int]:
    """Return the starts of the roll-ups of a level, without groups."""
    chosen = select(ROLLUPS.c.start).where(ROLLUPS.c.level == level, ROLLUPS.c.shape == 0)
    async with book.engines.reading() as connection:
        return list((await connection.execute(chosen.order_by(ROLLUPS.c.start))).scalars())


async def test_hours_are_folded_when_they_are_over(engines: Engines) -> None:
    book = Book(engines)
    await book.put(row(at("2026-03-01T10:10")), row(at("2026-03-01T11:59:59")))

    await book.fold(at("2026-03-01T12:00:59") / MS)
    before = await starts(book, HOURS)
    await book.fold(at("2026-03-01T12:01") / MS)

    assert before == [at("2026-03-01T10:00") / MS]
    assert await starts(book, HOURS) == [at("2026-03-01T10:00") / MS, at("2026-03-01T11:00") / MS]


async def test_an_hour_waits_for_what_runs_but_not_for_ever(engines: Engines) -> None:
    book = Book(engines)
    await book.put(row(at("2026-03-01T10:10"), ending=None))

    await book.fold(at("2026-03-01T11:59") / MS)
    assert await starts(book, HOURS) == []
    await book.fold(at("2026-03-01T12:00") / MS)
    assert await starts(book, HOURS) == [at("2026-03-01T10:00") / MS]


async def test_a_row_that_is_settled_late_is_folded_again(engines: Engines) -> None:
    book = Book(engines)
    late = row(at("2026-03-01T10:10"), ending=None, input_tokens=0, cost_nano_usd=None)
    await book.put(late, row(at("2026-03-02T10:10")))
    await book.fold(at("2026-03-03") / MS)

    settled = row(late.started, serial=late.serial, request_id=late.request_id, cost_nano_usd=77)
    other = row(at("2026-03-01T10:59"))
    await book.put(settled, other)
    marked = (await state_of(book)).refolds
    read = await book.queries.total(Span(end=at("2026-03-02")))
    days = await book.queries.usage([By.DAY])
    await book.fold(at("2026-03-03") / MS)

    assert marked == (at("2026-03-01T10:00") // MS,)
    assert read == summed([settled, other])
    assert (await state_of(book)).refolds == ()
    assert await book.queries.total(Span(end=at("2026-03-02"))) == read
    assert await book.queries.usage([By.DAY]) == days


async def test_days_are_summed_up_when_all_their_hours_are_folded(engines: Engines) -> None:
    book = Book(engines, zone("America/New_York"))
    await book.put(row(at("2026-11-01T09:00")), row(at("2026-11-02T04:59")))

    await book.fold(at("2026-11-02T04:30") / MS)
    before = await starts(book, DAYS)
    await book.fold(at("2026-11-02T05:01") / MS)

    assert before == []
    assert await starts(book, DAYS) == [at("2026-11-01T04:00") // MS]


async def test_months_are_summed_up_when_all_their_days_are(engines: Engines) -> None:
    book = Book(engines)
    await book.put(
        *(row(at(day)) for day in ("2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"))
    )

    await book.fold(at("2026-02-28T23:30") / MS)
    before = await starts(book, MONTHS)
    await book.fold(at("2026-03-04") / MS)

    assert before == []
    assert await starts(book, MONTHS) == [at("2026-02-01") // MS]


async def test_a_late_row_is_in_the_sums_of_its_day_and_its_month(engines: Engines) -> None:
    book = Book(engines, zone("Asia/Kolkata"))
    rows = [row(at("2026-02-27")), row(at("2026-03-02"))]
    await book.put(*rows)
    await book.fold(at("2026-03-04") / MS)
    late = [row(at("2026-02-28T18:10")), row(at("2026-02-28T18:40"))]  # on both sides of midnight
    await book.put(*late)
    await book.fold(at("2026-03-04") / MS)

    assert await book.queries.total() == summed([*rows, *late])
    days = await book.queries.usage([By.DAY])
    assert {group.keys[0]: group.sums for group in days} == grouped(
        [*rows, *late], clock_of(book, By.DAY)
    )
    month = book.calendar.day(late[0].started / MS).month
    february = Span(int(month.start) * MS, int(month.end) * MS)
    assert await book.queries.total(february) == summed([rows[0], late[0]])


async def test_a_slice_has_a_bounded_number_of_rows(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollup, "_FURTHER", rollup._FIRST.offset(20))
    book = Book(engines)
    rows = some_rows(random.Random(2), at("2026-03-01"), 2, 100)
    await book.put(*rows)

    steps = await book.fold(at("2026-03-05") / MS)

    assert steps >= 5
    assert await book.queries.total() == summed(rows)


async def test_a_second_fold_of_the_same_hours_changes_nothing(engines: Engines) -> None:
    book = Book(engines)
    rows = some_rows(random.Random(2), at("2026-03-01"), 2, 60)
    await book.put(*rows)
    await book.fold(at("2026-03-05") / MS)
    async with engines.writing() as connection:
        await rollup.put_meta(connection, "folded", 0)
        await rollup.put_meta(connection, "days", 0, "UTC")
        await rollup.put_meta(connection, "months", 0)

    await book.fold(at("2026-03-05") / MS)

    assert await book.queries.total() == summed(rows)
    assert [added(view) for view in await views(book, Span())] == [summed(rows)] * len(By)


async def test_a_fold_that_dies_at_any_statement_leaves_the_same_sums(engines: Engines) -> None:
    book = Book(engines, zone("Asia/Kolkata"))
    rows = some_rows(random.Random(2), at("2026-02-28"), 2, 60)
    await book.put(*rows)
    left, asked = 0, 0

    def die(*_: Any) -> None:
        nonlocal asked
        asked += 1
        if asked > left:
            raise Killed

    now, deaths = at("2026-03-05") / MS, 0
    for step in range(1, 200):
        left = step
        asked = 0
        event.listen(engines.write.sync_engine, "before_cursor_execute", die)
        try:
            done = not await book.rollups.fold(now)
        except Killed:
            done, deaths = False, deaths + 1
        event.remove(engines.write.sync_engine, "before_cursor_execute", die)
        assert await book.queries.total() == summed(rows)
        assert [added(view) for view in await views(book, Span())] == [summed(rows)] * len(By)
        if done:
            break
    assert deaths > len(SHAPES)
    assert await starts(book, MONTHS) != []


@pytest.mark.parametrize("after", ["Asia/Kolkata", "America/New_York"])
async def test_another_time_zone_has_its_own_days(engines: Engines, after: str) -> None:
    utc, other = Book(engines), Book(engines, zone(after))
    rows = some_rows(random.Random(4), at("2026-03-01"), 3, 90)
    await utc.put(*rows)
    await utc.fold(at("2026-03-05") / MS)

    for book in (other, utc):
        days = await book.queries.usage([By.DAY])
        assert added({group.keys[0]: group.sums for group in days}) == summed(rows)
        await book.fold(at("2026-03-05") / MS)
        days = await book.queries.usage([By.DAY])
        assert {group.keys[0]: group.sums for group in days} == grouped(
            rows, clock_of(book, By.DAY)
        )


async def test_nothing_to_fold_is_no_step(engines: Engines) -> None:
    book = Book(engines)

    assert await book.fold(at("2026-03-05") / MS) == 1  # the days are those of this zone now
    assert await book.fold(at("2026-03-05") / MS) == 0
    async with engines.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(ROLLUPS)) == 0


async def test_sqlite_finds_the_oldest_unfinished_row_without_going_through_all(
    tmp_path: Path,
) -> None:
    engines = Engines.of(place_of("", tmp_path))
    await prepare(engines)
    words = str(rollup.OLDEST_UNFINISHED.compile(compile_kwargs={"literal_binds": True}))
    async with engines.reading() as connection:
        plan = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}")).all()
    await engines.close()

    (step,) = plan
    assert step.detail == "SEARCH generations USING INDEX generations_unfinished"
