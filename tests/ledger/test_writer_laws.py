"""The laws of the writer, whatever is put, fails and is cut off in whatever order.

The database has the newest version of each row that was not dropped. What is not there was dropped
and is counted. Nothing is written after something newer of the same row.
"""

import asyncio
from collections.abc import Sequence

import attrs
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError, OperationalError

from gemproxy.ledger.health import Health
from gemproxy.ledger.row import Row
from gemproxy.ledger.writer import Writer
from tests.ledger.rows import row, settled
from tests.running import PATIENCE

SERIALS = st.integers(1, 12)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("start"), SERIALS),
        st.tuples(st.just("end"), SERIALS),
        st.tuples(st.just("turn"), st.integers(1, 4)),
        st.tuples(st.just("fail"), st.integers(1, 4)),
        st.tuples(st.just("unknown"), st.integers(1, 2)),
    ),
    max_size=60,
)
"""``fail`` has the next transactions fail; ``unknown`` has them happen and fail all the same."""


@attrs.define(eq=False)
class Database:
    """Has the last version of each row, and fails as it is told to."""

    unfit: frozenset[int]
    rows: dict[int, Row] = attrs.field(factory=dict)
    failures: int = 0
    unknown: int = 0
    went_back: list[int] = attrs.field(factory=list)

    async def commit(self, rows: Sequence[Row]) -> None:
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise OperationalError("", (), Exception("locked"))
        if self.unfit & {it.serial for it in rows}:
            raise IntegrityError("", (), Exception("no"))
        for it in rows:
            if it.ending is None and self.rows.get(it.serial, it).ending is not None:
                self.went_back.append(it.serial)
            self.rows[it.serial] = it
        if self.unknown:
            self.unknown -= 1
            raise TimeoutError


@given(steps=STEPS, limit=st.integers(1, 8), unfit=st.frozensets(SERIALS, max_size=2))
def test_every_row_is_there_in_its_newest_version_or_counted(
    steps: list[tuple[str, int]], limit: int, unfit: frozenset[int]
) -> None:
    database, health = Database(unfit), Health()
    newest: dict[int, Row] = {}
    puts = 0

    async def play() -> None:
        nonlocal puts
        writer = Writer(database.commit, health, limit, again_seconds=0.0)
        writer.start()
        for step, number in steps:
            if step == "turn":
                for _ in range(number):
                    await asyncio.sleep(0)
            elif step == "fail":
                database.failures = number
            elif step == "unknown":
                database.unknown = number
            elif number not in newest or newest[number].ending is None:
                newest[number] = row(number) if step == "start" else settled(number)
                writer.put(newest[number])
                puts += 1
        await writer.close(PATIENCE)
        assert writer.waiting == 0

    asyncio.run(play())
    missing = {number for number, it in newest.items() if database.rows.get(number) != it}

    assert database.went_back == []
    assert not database.rows.keys() & unfit
    assert len(missing) <= health.lost + health.unbegun
    ended = {number for number in missing if newest[number].ending is not None}
    assert len(ended) <= health.lost
    most = min(puts, 2 * len(newest))  # a row that is being written may wait again
    assert limit < most or missing <= unfit
