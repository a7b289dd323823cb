"""The ledger as a whole: what is put is there, after a crash and after trouble too."""

import asyncio
import contextlib

import pytest
from sqlalchemy import text

from gemproxy.ledger import ledger as module
from gemproxy.ledger.engine import Place
from gemproxy.ledger.ledger import Ledger
from gemproxy.ledger.locks import Lock
from gemproxy.ledger.presence import IN_USE, in_use
from gemproxy.ledger.row import Ending
from gemproxy.ledger.schema import LOCKS
from gemproxy.store.unusable import Unusable
from tests.ledger.rows import NOW, row, settled, stored
from tests.running import PATIENCE


async def test_a_row_is_there_from_its_start_and_whole_at_its_end(place: Place) -> None:
    ledger = await Ledger.open(place, now=lambda: NOW)
    ledger.put(row(1))
    assert await ledger.flush()
    assert await stored(ledger.engines) == [row(1)]
    ledger.put(settled(1))
    assert await ledger.flush()
    assert await stored(ledger.engines) == [settled(1)]
    await ledger.close()


async def test_thousands(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    ledger = await Ledger.open(place, now=lambda: NOW)
    rows = [settled(serial, user=f"u{serial % 50}") for serial in range(1, 3001)]
    for one in rows:
        ledger.put(one)
    assert await ledger.flush(60)
    assert await stored(ledger.engines) == rows
    await ledger.close()
    assert caplog.record_tuples == []


async def test_the_rows_of_another_that_dies_are_marked_while_this_one_runs(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.001)
    monkeypatch.setattr(module, "_SWEEP_SECONDS", 0.0)
    clock = [NOW]
    ledger = await Ledger.open(place, now=lambda: clock[0])
    dies = await Ledger.open(place, now=lambda: NOW)
    dies.put(row(1))
    assert await dies.flush()
    clock[0] += 100
    await end(dies)
    async with asyncio.timeout(PATIENCE):
        while (await stored(ledger.engines))[0].ending is None:
            pass

    assert (await stored(ledger.engines))[0].ending is Ending.LOST
    await ledger.close()


async def end(ledger: Ledger) -> None:
    """Have a ledger stop as if its process were killed."""
    tasks = [task for task in (ledger._keeper, ledger._writer._task) if task is not None]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await ledger._presence.proofs.drop()
    await ledger.engines.close()


async def test_what_its_process_left_unfinished_is_lost_at_the_end(place: Place) -> None:
    ledger = await Ledger.open(place, now=lambda: NOW + 5)
    ledger.put(row(1))
    await ledger.close()
    ledger = await Ledger.open(place, now=lambda: NOW)
    (found,) = await stored(ledger.engines)
    await ledger.close()

    assert (found.ending, found.duration_ms) == (Ending.LOST, 5000)


async def test_a_start_during_a_restore_is_refused(place: Place) -> None:
    ledger = await Ledger.open(place)
    async with contextlib.AsyncExitStack() as stack:
        if place.file is not None:
            await ledger.close()
            lock = Lock.take(in_use(place.file))
            assert lock is not None
            stack.callback(lock.drop)
        else:
            connection = await stack.enter_async_context(ledger.engines.apart.connect())
            await ledger._presence.proofs.drop()
            await connection.execute(text(f"SELECT pg_advisory_lock({LOCKS}, {IN_USE})"))
            stack.push_async_callback(ledger.close)
        with pytest.raises(Unusable, match="is being restored"):
            await Ledger.open(place)
