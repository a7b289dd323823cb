"""Several processes have one ledger, and one that is killed loses nothing that it had promised."""

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from sqlalchemy import text

from gemproxy.ledger.check import check
from gemproxy.ledger.engine import Engines, Place
from gemproxy.ledger.ledger import Ledger
from gemproxy.ledger.row import Ending, Row
from tests.ledger.rows import stored
from tests.programs import begin, line_of, started

pytestmark = pytest.mark.production_loop

_BEGINNING = """
import asyncio, sys
from pathlib import Path
from gemproxy.ledger.engine import place_of
from gemproxy.ledger.ledger import Ledger
from tests.ledger.rows import row, settled

async def main():
    place = place_of(sys.argv[1], Path(sys.argv[2]))
    ledger = await Ledger.open(place)
    print("open", flush=True)
    sys.stdin.readline()
    first = int(sys.argv[3])
"""
PROMISES = f"""{_BEGINNING}
    for serial in range(first, first + 1_000_000):
        ledger.put(row(serial))
        if serial % 3:
            ledger.put(settled(serial))
        if await ledger.written(serial):
            print(serial, flush=True)
asyncio.run(main())
"""
MANY = f"""{_BEGINNING}
    for serial in range(first, first + 300):
        ledger.put(row(serial, model=f"m{{serial % 20}}"))
        if serial % 5 == 0:
            await ledger.flush()
    for serial in range(first, first + 300):
        ledger.put(settled(serial, model=f"m{{serial % 20}}"))
    await ledger.close()
asyncio.run(main())
"""


def run(
    place: Place, program: str, first: int = 1
) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    """Run a program that waits for a line once it has opened the ledger."""
    folder = place.file.parent if place.file is not None else Path("/nowhere")
    url = "" if place.file is not None else place.url.render_as_string(hide_password=False)
    return started(program, url, str(folder), str(first))


@pytest.mark.timeout(240)
async def test_processes_that_start_and_write_at_once_lose_nothing(place: Place) -> None:
    async with run(place, MANY, 1) as one, run(place, MANY, 1001) as two:
        for process in (one, two):
            assert await line_of(process) == b"open\n"
        for process in (one, two):
            await begin(process)
        assert [await one.wait(), await two.wait()] == [0, 0]

    engines = Engines.of(place)
    rows = await stored(engines)
    await engines.close()
    assert [it.serial for it in rows] == [*range(1, 301), *range(1001, 1301)]
    assert {it.ending for it in rows} == {Ending.DONE}
    assert all(it.model == f"m{it.serial % 20}" for it in rows)


async def killed(place: Place, first: int, promises: int) -> int:
    """Run a process until it has promised some rows, kill it, and return the last promise."""
    async with run(place, PROMISES, first) as process:
        assert await line_of(process) == b"open\n"
        await begin(process)
        last = b""
        for _ in range(promises):
            last = await line_of(process)
        process.kill()
        assert process.stdout is not None
        rest = await process.stdout.read()
    return int((last + rest).rpartition(b"\n")[0].split(b"\n")[-1])


@pytest.mark.timeout(240)
async def test_one_that_is_killed_keeps_its_promises(place: Place) -> None:
    first = 1
    promised: list[Row] = []
    for promises in (1, 7, 40):
        last = await killed(place, first, promises)
        ledger = await Ledger.open(place)
        rows = [it for it in await stored(ledger.engines) if it.serial >= first]
        report = await check(ledger.engines)
        await ledger.close()

        assert report.problems == ()
        assert {it.serial for it in rows} >= set(range(first, last + 1))
        promised += rows
        for it in rows:
            is_done = it.serial % 3 and it.ending is Ending.DONE
            assert is_done or it.ending is Ending.LOST
        first = last + 1000
    assert len(promised) >= 48


async def test_the_rows_of_one_that_is_killed_are_marked_by_the_next_start(place: Place) -> None:
    await killed(place, 1, 5)
    ledger = await Ledger.open(place)
    async with ledger.engines.reading() as connection:
        left = text("SELECT count(*) FROM generations WHERE ending IS NULL")
        assert (await connection.execute(left)).scalar_one() == 0
    await ledger.close()


async def test_those_of_one_that_lives_are_left_alone(place: Place) -> None:
    async with run(place, PROMISES) as process:
        assert await line_of(process) == b"open\n"
        await begin(process)
        for _ in range(4):
            await line_of(process)
        ledger = await Ledger.open(place)
        rows = await stored(ledger.engines)
        await ledger.close()
    assert [it.serial for it in rows if it.ending is Ending.LOST] == []
    assert next(it for it in rows if it.serial == 3).ending is None
