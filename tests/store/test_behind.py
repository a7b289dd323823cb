"""What waits is written in one transaction at a time, and nothing of it is lost or doubled."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from gemproxy.store import behind
from gemproxy.store.behind import Behind
from gemproxy.store.database import Database


@attrs.define
class Sink:
    """Takes the values of each transaction, or fails with ``error``."""

    database: Database
    taken: list[list[int]] = attrs.field(factory=list)
    error: Exception | None = None
    behind: Behind[str, int] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.behind = Behind(self.database, self._put, int.__add__, 3)

    def _put(self, connection: sqlite3.Connection, values: list[int]) -> None:
        if self.error is not None:
            raise self.error
        self.taken.append(values)


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    database = Database.open(tmp_path)
    yield Sink(database)
    database.close()


async def test_values_of_one_key_are_joined(sink: Sink) -> None:
    for key, value in (("a", 1), ("b", 5), ("a", 2)):
        sink.behind.take(key, value)
    assert sink.behind.unwritten() == {"a": 3, "b": 5}
    await sink.behind.flush()
    await sink.behind.flush()

    assert sink.taken == [[3, 5]]
    assert sink.behind.unwritten() == {}


async def test_many_that_wait_share_a_transaction(sink: Sink) -> None:
    async def add(value: int) -> None:
        sink.behind.take("a", value)
        await sink.behind.flush()

    await asyncio.gather(*(add(1) for _ in range(100)))

    assert sum(map(sum, sink.taken)) == 100
    assert len(sink.taken) <= 2


async def test_what_comes_during_a_transaction_is_written_by_the_next(sink: Sink) -> None:
    sink.behind.take("a", 1)
    writing = asyncio.ensure_future(sink.behind.flush())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    sink.behind.take("a", 10)
    assert sink.behind.unwritten() == {"a": 11}
    await writing
    await sink.behind.flush()

    assert sink.taken == [[1], [10]]


async def test_what_failed_waits_with_what_has_come_since(sink: Sink) -> None:
    sink.error = sqlite3.OperationalError("disk I/O error")
    sink.behind.take("a", 1)
    await sink.behind.flush()
    sink.behind.take("a", 10)
    assert sink.behind.unwritten() == {"a": 11}
    sink.error = None
    await sink.behind.flush()

    assert sink.taken == [[11]]


async def test_what_failed_is_tried_again_unasked(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(behind, "AGAIN_SECONDS", 0.01)
    sink.error = sqlite3.OperationalError("disk I/O error")
    sink.behind.take("a", 1)
    await sink.behind.flush()
    sink.error = None
    async with asyncio.timeout(10):
        while not sink.taken:  # noqa: ASYNC110 (nobody tells of it)
            await asyncio.sleep(0.01)

    assert sink.taken == [[1]]


@pytest.mark.parametrize("error", [sqlite3.IntegrityError("x"), OverflowError(), ValueError()])
async def test_what_no_database_would_hold_is_dropped(sink: Sink, error: Exception) -> None:
    sink.error = error
    sink.behind.take("a", 1)
    await sink.behind.flush()

    assert sink.behind.unwritten() == {}
    assert not sink.database.writing.failing


async def test_the_oldest_go_beyond_the_limit(sink: Sink) -> None:
    for number in range(5):
        sink.behind.take(str(number), number)

    assert list(sink.behind.unwritten()) == ["2", "3", "4"]


async def test_a_delay_is_shortened_by_a_shorter_one(sink: Sink) -> None:
    sink.behind.take("a", 1)
    sink.behind.flush_in(3600.0)
    sink.behind.flush_in(0.0)
    async with asyncio.timeout(10):
        while not sink.taken:  # noqa: ASYNC110 (nobody tells of it)
            await asyncio.sleep(0.01)

    assert sink.taken == [[1]]


async def test_after_the_end_nothing_is_written(
    sink: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    sink.behind.take("a", 1)
    sink.behind.flush_in(3600.0)
    await sink.behind.close()
    sink.behind.take("b", 2)
    sink.behind.flush_in(0.0)
    await sink.behind.flush()

    assert sink.taken == [[1]]
    assert caplog.records == []


async def test_what_cannot_be_written_at_the_end_is_told(
    sink: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    sink.error = sqlite3.OperationalError("database or disk is full")
    sink.behind.take("a", 1)
    await sink.behind.close()

    assert caplog.messages[-1] == "1 changes were not written to the data directory"
