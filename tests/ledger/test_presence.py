"""Presence: a process is known until it is gone, and its unfinished rows are marked then."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select, text

from gemproxy.ledger.engine import Engines, Place, place_of
from gemproxy.ledger.locks import Lock
from gemproxy.ledger.lost import mark_lost
from gemproxy.ledger.presence import OLD_SECONDS, Presence, Restoring, in_use
from gemproxy.ledger.row import Ending
from gemproxy.ledger.rows import Rows
from gemproxy.ledger.schema import LOCKS
from gemproxy.ledger.tables import PROCESSES
from tests.ledger.rows import MOMENT, NOW, row, settled, stored
from tests.postgres import Postgres

LATER = NOW + OLD_SECONDS + 1


async def joined(engines: Engines, now: float = NOW) -> Presence:
    presence = Presence.of(engines)
    async with engines.writing() as connection:
        presence.number = await presence.join(connection, now)
    return presence


async def put(engines: Engines, process: int, *serials: int) -> None:
    async with engines.writing() as connection:
        rows = [row(serial, started=MOMENT + serial) for serial in serials]
        await Rows(engines.write.dialect).put(connection, process, rows, NOW)


async def sweep(engines: Engines, presence: Presence, now: float = LATER) -> int:
    async with engines.writing() as connection:
        return await mark_lost(connection, presence, Rows(engines.write.dialect), now)


async def known(engines: Engines) -> list[int]:
    async with engines.reading() as connection:
        return list((await connection.execute(select(PROCESSES.c.id))).scalars())


@pytest.fixture
async def ours(engines: Engines) -> AsyncIterator[Presence]:
    presence = await joined(engines)
    yield presence
    await presence.drop()


async def test_each_process_has_its_own_number(engines: Engines, ours: Presence) -> None:
    other = await joined(engines)
    assert len({ours.number, other.number, 0}) == 3
    await other.drop()


async def test_the_rows_of_one_that_is_gone_are_lost(engines: Engines, ours: Presence) -> None:
    other = await joined(engines)
    await put(engines, other.number, 1, 2)
    await put(engines, ours.number, 3)
    async with engines.writing() as connection:
        await other.beat(connection, NOW + 5)
    await other.proofs.drop()

    assert await sweep(engines, ours, LATER + 5) == 2
    assert await sweep(engines, ours, LATER + 5) == 0
    rows = await stored(engines)
    assert [it.ending for it in rows] == [Ending.LOST, Ending.LOST, None]
    assert [it.duration_ms for it in rows] == [4999, 4998, None]
    assert await known(engines) == [ours.number]


async def test_the_duration_of_a_row_after_the_last_beat_is_not_known(
    engines: Engines, ours: Presence
) -> None:
    other = await joined(engines)
    await put(engines, other.number, 1)
    await other.proofs.drop()
    await sweep(engines, ours)

    assert [it.duration_ms for it in await stored(engines)] == [None]


async def test_one_that_lives_is_not_gone_however_old_its_beat(
    engines: Engines, ours: Presence
) -> None:
    other = await joined(engines)
    await put(engines, other.number, 1)

    assert await sweep(engines, ours) == 0
    assert await known(engines) == [ours.number, other.number]
    await other.drop()


async def test_rows_of_nobody_are_lost(engines: Engines, ours: Presence) -> None:
    await put(engines, 4711, 1)

    assert await sweep(engines, ours) == 1


async def test_one_that_was_held_to_be_gone_comes_back(engines: Engines, ours: Presence) -> None:
    other = await joined(engines)
    await put(engines, other.number, 1)
    await other.proofs.drop()
    await sweep(engines, ours)
    async with engines.writing() as connection:
        await other.beat(connection, LATER)
        await Rows(engines.write.dialect).put(connection, other.number, [settled(1)], LATER)

    assert await known(engines) == [ours.number, other.number]
    assert [it.ending for it in await stored(engines)] == [Ending.DONE]


async def test_nobody_joins_while_a_backup_is_restored(engines: Engines, tmp_path: Path) -> None:
    file = engines.place.file
    if file is not None:
        lock = Lock.take(in_use(file))
        assert lock is not None
        with pytest.raises(Restoring):
            await joined(engines)
        lock.drop()
        return
    async with engines.apart.connect() as connection:
        await connection.execute(text(f"SELECT pg_advisory_lock({LOCKS}, 0)"))
        with pytest.raises(Restoring):
            await joined(engines)


class TestPostgreSQL:
    """A connection that is cut is no proof of death."""

    @pytest.fixture
    def place(self, postgres: Postgres, tmp_path: Path) -> Place:
        return place_of(postgres.empty(), tmp_path)

    async def cut(self, engines: Engines) -> None:
        others = "pid <> pg_backend_pid() AND datname = current_database()"
        async with engines.writing() as connection:
            await connection.execute(
                text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
            )

    async def test_one_with_a_fresh_beat_is_not_gone(
        self, engines: Engines, ours: Presence
    ) -> None:
        other = await joined(engines)
        await put(engines, other.number, 1)
        await self.cut(engines)

        assert await sweep(engines, ours, NOW + 1) == 0

        await other.proofs.keep()
        assert await sweep(engines, ours) == 0
        await other.drop()

    async def test_one_of_this_machine_that_is_dead_is_gone_at_once(
        self, engines: Engines, ours: Presence, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = await joined(engines)
        await put(engines, other.number, 1)
        await other.proofs.drop()
        assert await sweep(engines, ours, NOW) == 0

        def kill(pid: int, signal: int) -> None:
            raise ProcessLookupError(pid, signal)

        monkeypatch.setattr(os, "kill", kill)
        assert await sweep(engines, ours, NOW) == 1
