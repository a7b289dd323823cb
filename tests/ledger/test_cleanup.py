"""Cleanup: rows go, sums stay."""

from sqlalchemy import func, select

from gemproxy.ledger import cleanup
from gemproxy.ledger.cleanup import Cleanup
from gemproxy.ledger.engine import Engines
from gemproxy.ledger.queries import By
from gemproxy.ledger.row import Row, Try
from gemproxy.ledger.tables import ATTEMPTS
from tests.ledger.book import MS, Book, at, row, summed

NOW = at("2026-03-10T12:00") / MS


def old_and_new() -> tuple[list[Row], list[Row]]:
    """Return rows before and after the third of March, at noon."""
    attempt = Try("aaaa0000", 200, "", "", "", 40, 300, 10, 5, 0)
    old = [
        row(at(f"2026-03-{day:02}T11:59:59"), attempts=2, tries=(attempt, attempt))
        for day in (1, 2, 3)
    ]
    return old, [row(at("2026-03-03T12:00")), row(at("2026-03-09"))]


async def test_rows_go_and_sums_stay(engines: Engines) -> None:
    book = Book(engines)
    old, new = old_and_new()
    await book.put(*old, *new)
    await book.fold(NOW)
    days = await book.queries.usage([By.DAY])

    assert await book.clean(NOW, 7) == 3

    assert await book.queries.requests(9) == new[::-1]
    assert await book.queries.total() == summed([*old, *new])
    assert await book.queries.usage([By.DAY]) == days
    async with engines.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(ATTEMPTS)) == 0


async def test_what_a_cleanup_would_delete_is_counted_before(engines: Engines) -> None:
    book = Book(engines)
    old, new = old_and_new()
    await book.put(*old, *new)
    assert await Cleanup(engines).count(NOW, 7) == 0
    await book.fold(NOW)

    for days, count in ((7, 3), (8, 2), (0, 5), (99, 0)):
        assert await Cleanup(engines).count(NOW, days) == count
    assert len(await book.queries.requests(9)) == 5
    assert await book.clean(NOW, 7) == 3
    assert await Cleanup(engines).count(NOW, 7) == 0


async def test_rows_that_are_not_folded_stay(engines: Engines) -> None:
    book = Book(engines)
    old, new = old_and_new()
    await book.put(*old, *new)

    assert await book.clean(NOW, 7) == 0
    await book.fold(at("2026-03-02T12:01") / MS)
    assert await book.clean(NOW, 7) == 2


async def test_an_hour_that_waits_for_another_fold_keeps_its_rows(engines: Engines) -> None:
    book = Book(engines)
    old, new = old_and_new()
    await book.put(*old, *new)
    await book.fold(NOW)
    late = row(at("2026-03-02T11:00"))
    await book.put(late)

    assert await book.clean(NOW, 7) == 1
    await book.fold(NOW)
    assert await book.clean(NOW, 7) == 3
    assert await book.queries.total() == summed([*old, late, *new])


async def test_a_request_that_runs_keeps_what_came_after_it(engines: Engines) -> None:
    book = Book(engines)
    start = at("2026-03-09")
    await book.put(row(start - 1), row(start, ending=None), row(start + 7_200 * MS))
    await book.fold(NOW)

    assert await book.clean(NOW, 0) == 1
    assert await book.clean(NOW + 3 * 86_400, 0) == 2


async def test_a_batch_is_bounded(engines: Engines) -> None:
    book = Book(engines)
    count = cleanup.BATCH + 20
    await book.put(*(row(at("2026-03-01") + number) for number in range(count)))
    await book.fold(NOW)
    cleaner = Cleanup(engines)
    pruned = await cleaner.aim(NOW, 7)

    batches = [await cleaner.delete(pruned) for _ in range(3)]

    assert batches == [cleanup.BATCH, 20, 0]


async def test_a_pass_that_dies_between_batches_is_finished_by_the_next(engines: Engines) -> None:
    book = Book(engines)
    old, new = old_and_new()
    await book.put(*old, *new)
    await book.fold(NOW)

    await Cleanup(engines).aim(NOW, 7)  # and nothing was deleted
    assert await book.queries.total() == summed([*old, *new])
    assert await book.clean(NOW, 7) == 3
    assert await book.queries.total() == summed([*old, *new])


async def test_retention_never_moves_back(engines: Engines) -> None:
    book = Book(engines)
    old, new = old_and_new()
    await book.put(*old, *new)
    await book.fold(NOW)
    pruned = await Cleanup(engines).aim(NOW, 7)

    assert await Cleanup(engines).aim(NOW, 30) == pruned
