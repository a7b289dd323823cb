"""Several processes have one store, and one that is killed loses nothing that it had promised."""

from pathlib import Path

import pytest

from gemproxy.pool.state import Spent
from gemproxy.store.database import FILE
from gemproxy.store.store import Store
from gemproxy.store.vault import KEY_FILE
from tests.programs import begin, line_of, started

_BEGINNING = """
import asyncio, sys
from pathlib import Path
from gemproxy.owners.owner import Owner
from gemproxy.pool.key import Key
from gemproxy.pool.state import Spent
from gemproxy.store.store import Store

async def main():
    store = Store.open(Path("data"))
    print("open", flush=True)
    sys.stdin.readline()
"""
COUNTS = f"""{_BEGINNING}
    for number in range(50):
        store.database.write(
            lambda it: store.ring.add(it, [Key(f"AIza-canary-{{number % 20}}", "lab")], 0.0)
        ).result()
        store.pool.save([Spent("lab", "m", "2026-11-28", 1)])
        await store.pool.poll()
    await store.close()
asyncio.run(main())
"""
PROMISES = f"""{_BEGINNING}
    for number in range(1_000_000):
        await store.owners.add([Owner(f"files/{{number}}", "lab", "ann", 9e9)])
        print(number, flush=True)
asyncio.run(main())
"""


@pytest.mark.timeout(240)
async def test_processes_that_start_and_write_at_once_lose_nothing(tmp_path: Path) -> None:
    async with started(COUNTS, folder=tmp_path) as one, started(COUNTS, folder=tmp_path) as two:
        for process in (one, two):
            assert await line_of(process) == b"open\n"
        for process in (one, two):
            await begin(process)
        assert [await one.wait(), await two.wait()] == [0, 0]

    store = Store.open(tmp_path / "data")
    changes, keys = store.pool.load(), store.pool.keys()
    store.database.close()
    assert changes == [Spent("lab", "m", "2026-11-28", 100)]
    assert len(keys) == 20
    files = sorted(file.name for file in (tmp_path / "data").iterdir())
    assert files == [FILE, KEY_FILE]


async def test_one_that_is_killed_keeps_its_promises(tmp_path: Path) -> None:
    async with started(PROMISES, folder=tmp_path) as process:
        await line_of(process)
        await begin(process)
        last = b""
        for _ in range(50):
            last = await line_of(process)
        process.kill()
        assert process.stdout is not None
        rest = await process.stdout.read()
    promised = int((last + rest).split(b"\n")[-2])

    store = Store.open(tmp_path / "data", now=lambda: 0.0)
    names = [f"files/{number}" for number in range(promised + 1)]
    found = await store.owners.find(names)
    (sound,) = store.database.read(
        lambda it: it.execute("PRAGMA integrity_check").fetchone()
    ).result()
    await store.close()

    assert len(found) == promised + 1
    assert sound == "ok"
