"""A law: whatever happens to rows in whatever order, sums are those of all rows there ever were.

Rows begin, are settled, come late; hours are folded, folds die, rows are deleted, the time zone is
changed. Two things are left out because their sums are lost by design: a row that comes for an hour
whose rows were deleted, and one that runs for longer than deletion waits for it.
"""

import asyncio
import functools
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from gemproxy.ledger import sums
from gemproxy.ledger.cleanup import ABANDONED_SECONDS
from gemproxy.ledger.engine import Engines, Place, is_busy, place_of
from gemproxy.ledger.pieces import Span
from gemproxy.ledger.queries import By
from gemproxy.ledger.rollup import read_state
from gemproxy.ledger.row import Ending, Row, Try
from gemproxy.ledger.schema import prepare
from gemproxy.ledger.sums import Sums
from tests.ledger.book import MS, Book, at, row, summed, zone
from tests.ledger.test_queries import added, views

HOUR = 3600
ZONES = ["UTC", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]
STARTS = [at("2026-10-03T12:00") // MS, at("2026-10-31T00:00") // MS]
"""The clocks change at Lord Howe soon after; a month ends, and they change in New York."""


class Killed(Exception):
    """The process died here."""


@attrs.define
class World:
    """A ledger, the time, and all rows that were ever put."""

    book: Book
    dice: random.Random
    now: int = STARTS[0]
    rows: dict[int, Row] = attrs.field(factory=dict)

    async def step(self) -> None:
        """Do something."""
        rows = [self.begin, self.begin, self.settle, self.late]
        keeping = [self.fold, self.die, self.clean, self.wait, self.move]
        await self.dice.choice([*rows, *keeping])()

    async def put(self, one: Row) -> None:
        self.rows[one.serial] = one
        await self.book.put(one, now=self.now)

    async def begin(self) -> None:
        await self.put(self._row(self.now, None))

    async def settle(self) -> None:
        running = [one for one in self.rows.values() if one.ending is None]
        if running:
            await self._settle(self.dice.choice(running))

    async def late(self) -> None:
        async with self.book.engines.snapshot() as connection:
            pruned = (await read_state(connection)).pruned
        await self.put(self._row(max(pruned, self.now - self.dice.randrange(9 * HOUR))))

    async def fold(self) -> None:
        for _ in range(self.dice.randrange(9)):
            await self.book.rollups.fold(self.now)

    async def die(self) -> None:
        left = self.dice.randrange(30)

        def tick(*_: Any) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed

        engine = self.book.engines.write.sync_engine
        event.listen(engine, "before_cursor_execute", tick)
        try:
            await self.dice.choice([self.fold, self.clean])()
        except Killed:
            pass
        finally:
            event.remove(engine, "before_cursor_execute", tick)

    async def clean(self) -> None:
        await self.book.clean(self.now, self.dice.choice([0, 0.3, 1]))

    async def wait(self) -> None:
        self.now += self.dice.choice([60, HOUR, 7 * HOUR, 30 * HOUR])
        oldest = self.now - ABANDONED_SECONDS + 1
        for one in list(self.rows.values()):
            if one.ending is None and one.started < oldest * MS:
                await self._settle(one)

    async def move(self) -> None:
        self.book.zone = zone(self.dice.choice(ZONES))

    async def check(self) -> None:
        """Compare all sums with those of the rows."""
        total = summed(self.rows.values())
        assert await self.book.queries.total() == total
        assert [added(view) for view in await views(self.book, Span())] == [total] * len(By)
        parts, low = Sums(), 0
        for high in (self.now * MS - self.dice.randrange(3 * 86_400 * MS), 1 << 50):
            parts = sums.added([parts, await self.book.queries.total(Span(low, high))])
            low = high
        assert parts == total
        broken = await self.book.queries.interruptions()
        assert Counter({(one.cause, one.ending): one.attempts for one in broken}) == Counter(
            (one.cause, "" if row.ending is None else row.ending.value)
            for row in self.rows.values()
            for one in row.tries
            if one.cause
        )

    async def _settle(self, one: Row) -> None:
        ending = self.dice.choice([*Ending])
        causes = self.dice.choice([("drop", ""), ("stall", "drop"), ()])
        tries = tuple(Try("aaaa0000", 200, cause, "", "", 40, 300, 10, 5, 0) for cause in causes)
        wait = self.dice.choice([None, 40, 700])
        change = {"ending": ending, "output_tokens": 50, "attempts": 2, "first_byte_ms": wait}
        await self.put(msgspec.structs.replace(one, tries=tries, **change))

    def _row(self, started: int, ending: Ending | None = Ending.DONE) -> Row:
        return row(
            started * MS + self.dice.randrange(MS),
            ending=ending,
            user=self.dice.choice(["ann", "bob"]),
            model=self.dice.choice(["gemini-x", "gemini-y"]),
            cost_nano_usd=None if ending is None else self.dice.choice([None, 0, 7]),
        )


async def play(book: Book, dice: random.Random, steps: int) -> None:
    """Let things happen, and look at the sums after each."""
    world = World(book, dice, dice.choice(STARTS))
    for _ in range(steps):
        await world.step()
        await world.check()
    await book.fold(world.now + 3 * HOUR)
    await world.check()


@pytest.fixture(scope="module")
def empty_file() -> Any:
    """Return a database in SQLite with all tables, to be copied."""

    async def make() -> None:
        engines = Engines.of(place_of("", Path(folder)))
        await prepare(engines)
        await engines.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(make())
        yield Path(folder) / "ledger.sqlite"


@settings(max_examples=15, deadline=None)
@given(dice=st.randoms(use_true_random=False), steps=st.integers(1, 25))
def test_sums_are_those_of_all_rows(dice: random.Random, steps: int, empty_file: Path) -> None:
    async def run(folder: str) -> None:
        engines = Engines.of(place_of("", Path(folder)))
        try:
            await play(Book(engines), dice, steps)
        finally:
            await engines.close()

    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(empty_file, folder)
        asyncio.run(run(folder))


@pytest.mark.production_loop
@pytest.mark.parametrize("seed", range(3))
async def test_sums_are_those_of_all_rows_on_both_databases(engines: Engines, seed: int) -> None:
    await play(Book(engines), random.Random(seed), 30)


async def insist(step: Callable[[], Awaitable[object]]) -> None:
    """Do a step, again as long as others keep the lock of SQLite."""
    while True:
        try:
            await step()
        except DBAPIError as error:
            if not is_busy(error):
                raise
        else:
            return


@pytest.mark.production_loop
async def test_rows_that_come_while_hours_are_folded_are_in_the_sums(
    engines: Engines, place: Place
) -> None:
    """One process writes late rows and settles them while two others fold, and one deletes."""
    dice = random.Random(11)
    books = [Book(Engines.of(place)) for _ in range(4)]
    writer, *folders = books
    now = STARTS[0] + 20 * HOUR
    rows: dict[int, Row] = {}

    async def write() -> None:
        for _ in range(10):
            batch = [row((now - dice.randrange(1, 9 * HOUR)) * MS, ending=None) for _ in range(3)]
            for one in (
                *batch,
                *(msgspec.structs.replace(late, ending=Ending.DONE) for late in batch),
            ):
                rows[one.serial] = one
                await insist(functools.partial(writer.put, one, now=now))

    async def keep_on(step: Callable[[], Awaitable[object]]) -> None:
        while not writing.done():
            await insist(step)
            await asyncio.sleep(0)

    try:
        writing = asyncio.create_task(write())
        folds = [keep_on(functools.partial(book.rollups.fold, now)) for book in folders[:2]]
        cleaning = keep_on(functools.partial(folders[-1].clean, now, 0.5))
        await asyncio.gather(writing, *folds, cleaning)
        assert await writer.queries.total() == summed(rows.values())
        await writer.fold(now)
        assert await writer.queries.total() == summed(rows.values())
    finally:
        for book in books:
            await book.engines.close()
