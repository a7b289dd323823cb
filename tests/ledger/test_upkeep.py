"""Upkeep: a pass is bounded, and a database that fails does not end it."""

import logging

import attrs
import pytest
from sqlalchemy import text

from gemproxy.ledger.cleanup import BATCH
from gemproxy.ledger.engine import Engines
from gemproxy.ledger.upkeep import BUDGET_SECONDS, Upkeep, clean_up
from tests.ledger.book import MS, Book, at, row, summed

NOW = at("2026-03-10T12:00") / MS


@attrs.define
class Time:
    """A clock that moves only with rests, and by ``cost`` for each look at it."""

    cost: float = 0.0
    seconds: float = 0.0
    rests: list[float] = attrs.field(factory=list)

    def clock(self) -> float:
        self.seconds += self.cost
        return self.seconds

    async def rest(self, seconds: float) -> None:
        self.rests.append(seconds)
        self.seconds += seconds


def upkeep(book: Book, days: float = 0, time: Time | None = None) -> Upkeep:
    time = time or Time()
    return Upkeep(book.rollups, days, lambda: NOW, time.clock, time.rest)


async def test_a_pass_folds_and_deletes(engines: Engines) -> None:
    book = Book(engines)
    old = [row(at("2026-03-01") + number) for number in range(BATCH + 5)]
    new = row(at("2026-03-09"))
    await book.put(*old, new)

    await upkeep(book, days=7).tend()

    assert await book.queries.requests(9) == [new]
    assert await book.queries.total() == summed([*old, new])


async def test_without_a_retention_all_rows_stay(engines: Engines) -> None:
    book = Book(engines)
    await book.put(row(at("2026-03-01")))

    await upkeep(book).tend()

    assert len(await book.queries.requests(9)) == 1


async def test_a_pass_ends_with_its_budget_and_the_next_goes_on(engines: Engines) -> None:
    book = Book(engines)
    rows = [row(at("2026-03-01") + number) for number in range(2 * BATCH + 5)]
    await book.put(*rows)
    slow = Time(cost=BUDGET_SECONDS)
    left = []

    for _ in range(9):
        await upkeep(book, days=7, time=slow).tend()
        left.append(len(await book.queries.requests(3 * BATCH)))
        assert await book.queries.total() == summed(rows)

    assert left == sorted(left, reverse=True)
    assert left[0] > 0
    assert left[-1] == 0


async def test_each_step_is_followed_by_nine_times_its_time(engines: Engines) -> None:
    time = Time(cost=0.25)

    await upkeep(Book(engines), time=time).tend()

    assert set(time.rests) == {9 * 0.25}


async def test_a_database_that_fails_is_told_once_and_tried_again(
    engines: Engines, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "gemproxy")
    book = Book(engines)
    await book.put(row(at("2026-03-01")))
    tending = upkeep(book)

    async def run(statement: str) -> None:
        async with engines.writing() as connection:
            await connection.execute(text(statement))

    await run("ALTER TABLE rollups RENAME TO elsewhere")
    await tending.tend()
    await tending.tend()
    await run("ALTER TABLE elsewhere RENAME TO rollups")
    await tending.tend()

    (record,) = [one for one in caplog.records if one.name == "gemproxy.ledger.upkeep"]
    assert record.getMessage().startswith("the ledger is not summed up: ")
    assert not await book.rollups.fold(NOW)


async def test_a_cleanup_folds_first_and_says_what_it_deleted(engines: Engines) -> None:
    book = Book(engines)
    rows = [row(at("2026-03-01") + number) for number in range(BATCH + 5)]
    await book.put(*rows)
    cleaned = await clean_up(engines, book.calendar, NOW, 0)
    again = await clean_up(engines, book.calendar, NOW, 0)

    assert (cleaned.deleted, again.deleted) == (BATCH + 5, 0)
    assert cleaned.kept_since == again.kept_since > at("2026-03-01") / 1000
    assert await book.queries.total() == summed(rows)
