"""The writer: what waits, what is dropped, and what happens when the database fails."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import attrs
import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from gemproxy.ledger import writer as module
from gemproxy.ledger.health import Health
from gemproxy.ledger.row import Row
from gemproxy.ledger.writer import AT_ONCE, Writer
from tests.ledger.rows import NOW, row, settled
from tests.loops import pytest_asyncio_loop_factories
from tests.running import PATIENCE

__all__ = ["pytest_asyncio_loop_factories"]

FULL = OperationalError("INSERT", (), Exception("database or disk is full"))


@attrs.define(eq=False)
class Database:
    """Takes transactions, one at a time when ``gate`` is open; fails while ``error`` is set."""

    gate: asyncio.Event = attrs.field(factory=asyncio.Event)
    error: Exception | None = None
    unfit: frozenset[int] = frozenset()
    transactions: list[list[Row]] = attrs.field(factory=list)
    tries: int = 0
    tried: asyncio.Event = attrs.field(factory=asyncio.Event)
    done: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def commit(self, rows: Sequence[Row]) -> None:
        self.tries += 1
        self.tried.set()
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        if self.unfit & {it.serial for it in rows}:
            raise IntegrityError("INSERT", (), Exception("no"))
        self.transactions.append(list(rows))
        self.done.set()

    @property
    def serials(self) -> list[int]:
        return [it.serial for rows in self.transactions for it in rows]


@pytest.fixture
async def database() -> Database:
    return Database()


@pytest.fixture
async def writer(database: Database, no_leaked_tasks: None) -> AsyncIterator[Writer]:
    writer = Writer(database.commit, Health(lambda: NOW), limit=10, again_seconds=0.001)
    writer.start()
    yield writer
    database.gate.set()
    database.error = None
    await writer.close(PATIENCE)


async def test_what_waits_together_is_one_transaction(writer: Writer, database: Database) -> None:
    writer.put(row(1))
    writer.put(row(2))
    database.gate.set()
    assert await writer.flush(PATIENCE)

    assert database.transactions == [[row(1), row(2)]]
    assert writer.waiting == 0


async def test_two_puts_of_a_row_that_wait_are_one(writer: Writer, database: Database) -> None:
    writer.put(row(1))
    writer.put(settled(1))
    assert writer.waiting == 1
    database.gate.set()
    assert await writer.flush(PATIENCE)

    assert database.transactions == [[settled(1)]]


async def test_a_put_during_a_transaction_is_written_after_it(
    writer: Writer, database: Database
) -> None:
    writer.put(row(1))
    await database.tried.wait()
    writer.put(settled(1))
    waits = asyncio.ensure_future(writer.written(1, PATIENCE))
    database.gate.set()
    assert await waits

    assert database.transactions == [[row(1)], [settled(1)]]


async def test_transactions_are_bounded(writer: Writer, database: Database) -> None:
    writer.limit = 10_000
    for serial in range(AT_ONCE + 20):
        writer.put(row(serial) if serial % 3 else settled(serial))
    database.gate.set()
    assert await writer.flush(PATIENCE)

    assert [len(rows) for rows in database.transactions] == [AT_ONCE, 20]
    assert sorted(database.serials) == list(range(AT_ONCE + 20))


async def test_rows_that_nobody_waits_for_gather_until_somebody_does(
    writer: Writer, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GATHER_SECONDS", 10 * PATIENCE)
    database.gate.set()
    writer.put(row(1))
    await database.done.wait()
    for serial in (2, 3, 4):
        writer.put(row(serial))
        await asyncio.sleep(0)
    assert database.serials == [1]
    assert await writer.written(4, PATIENCE)

    assert database.transactions == [[row(1)], [row(2), row(3), row(4)]]


async def test_what_is_not_waiting_is_written(writer: Writer) -> None:
    assert await writer.written(1, PATIENCE)


async def test_a_wait_is_bounded(writer: Writer) -> None:
    writer.put(row(1))

    assert not await writer.written(1, 0.001)


async def test_a_failure_is_told_once_and_tried_until_it_works(
    writer: Writer, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    database.error = FULL
    database.gate.set()
    writer.put(row(1))
    while database.tries < 5:
        database.tried.clear()
        await database.tried.wait()
    assert not await writer.written(1, PATIENCE)
    assert writer.health.failing_since == NOW
    assert writer.health.why == "database or disk is full"
    writer.put(settled(1))
    writer.put(row(2))
    database.error = None
    await database.done.wait()

    await writer.flush(PATIENCE)
    assert database.transactions == [[row(2), settled(1)]]
    assert writer.health.failing_since is None
    assert [record.message for record in caplog.records] == [
        "the ledger fails: database or disk is full; it is tried again; rows that wait: 1",
        "the ledger works again, after 0 seconds",
    ]


async def test_the_oldest_starts_are_dropped_before_settled_rows(
    writer: Writer, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    writer.put(settled(100))
    await database.tried.wait()
    for serial in range(1, 6):
        writer.put(settled(serial))
        writer.put(row(serial + 10))
    for serial in range(6, 11):
        writer.put(settled(serial))
    database.gate.set()
    assert await writer.flush(PATIENCE)

    assert sorted(database.serials) == [2, 3, 4, 5, 6, 7, 8, 9, 10, 100]
    assert (writer.health.lost, writer.health.unbegun) == (1, 5)
    assert [record.message for record in caplog.records] == [
        "too many rows of the ledger wait: the oldest are dropped",
        "the rows of the ledger fit again; rows that were lost: 1",
    ]


async def test_a_wait_for_a_row_that_is_dropped_ends(writer: Writer, database: Database) -> None:
    writer.put(row(100))
    await database.tried.wait()
    writer.put(row(1))
    waits = asyncio.ensure_future(writer.written(1, PATIENCE))
    await asyncio.sleep(0)
    for serial in range(2, 12):
        writer.put(row(serial))

    assert not await waits


async def test_a_row_that_no_database_would_hold_is_lost_alone(
    writer: Writer, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    database.unfit = frozenset({2})
    for serial in (1, 2, 3):
        writer.put(row(serial))
    database.gate.set()
    await writer.flush(PATIENCE)

    assert database.serials == [1, 3]
    assert writer.health.lost == 1
    assert [record.message for record in caplog.records] == ["a row of the ledger is lost: no"]


async def test_a_row_behind_one_that_fits_nowhere_is_waited_for(
    writer: Writer, database: Database
) -> None:
    database.unfit = frozenset({1})
    for serial in (1, 2):
        writer.put(row(serial))
    await database.tried.wait()
    waits = [asyncio.ensure_future(writer.written(serial, PATIENCE)) for serial in (1, 2)]
    await asyncio.sleep(0)
    database.gate.set()

    assert await asyncio.gather(*waits) == [False, True]
    assert database.serials == [2]


async def test_the_end_writes_what_waits(database: Database) -> None:
    writer = Writer(database.commit, Health(), limit=10_000)
    writer.start()
    database.gate.set()
    for serial in range(2 * AT_ONCE):
        writer.put(row(serial))
    await writer.close(PATIENCE)

    assert len(database.serials) == 2 * AT_ONCE


async def test_the_end_is_bounded(
    database: Database, caplog: pytest.LogCaptureFixture, no_leaked_tasks: None
) -> None:
    writer = Writer(database.commit, Health(), limit=10)
    writer.start()
    writer.put(row(1))
    await writer.close(0.001)

    assert [record.message for record in caplog.records] == [
        "rows that were not written to the ledger: 1"
    ]


async def test_a_commit_that_is_unknown_is_repeated(database: Database) -> None:
    """It was committed, and nobody heard of it."""
    seen: list[list[Row]] = []

    async def commit(rows: Sequence[Row]) -> None:
        seen.append(list(rows))
        if len(seen) == 1:
            raise TimeoutError

    writer = Writer(commit, Health(), limit=10, again_seconds=0.001)
    writer.start()
    writer.put(row(1))
    await writer.close(PATIENCE)

    assert seen == [[row(1)], [row(1)]]
