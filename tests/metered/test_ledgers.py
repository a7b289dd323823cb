"""The database of the ledger fails: streams go on, and what was used is written when it is back."""

import asyncio
import contextlib
import re
import sqlite3
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from gemproxy.ledger import engine
from gemproxy.ledger.row import Ending, Row
from tests.ledger.rows import row as a_row
from tests.metered.conftest import StartHouse
from tests.metered.house import MeteredHouse, ledger_of, limited
from tests.pooled.house import stream_of
from tests.running import PATIENCE

pytestmark = pytest.mark.production_loop

REQUESTS = 5
ANN = {"ann": limited(rpd=100)}
"""Requests of a user with a limit by the day wait a moment for their row."""


async def streams(house: MeteredHouse, users: str = "ann") -> None:
    """Have streams pass, each whole."""
    whole = [await house.ask(stream_of(), key=house.people[users]) for _ in range(REQUESTS)]
    assert [answer.status for answer in whole] == [200] * REQUESTS
    assert {tuple(answer.finish_reasons) for answer in whole} == {("STOP",)}


async def until(house: MeteredHouse, status: str) -> None:
    """Wait until the health of the ledger is ``status``."""
    async with asyncio.timeout(PATIENCE):
        while house.meter.health()["status"] != status:  # noqa: ASYNC110 (threads tell nobody)
            await asyncio.sleep(0.001)


@contextlib.contextmanager
def locked(house: MeteredHouse) -> Iterator[None]:
    """Hold the write lock of the database, as another program may."""
    file = ledger_of(house.proxy).engines.place.file
    assert file is not None
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


async def test_a_lock_of_another_program_stops_no_stream(
    house: StartHouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.01)
    served = await house(ANN)
    ledger_of(served.proxy)._writer.again_seconds = 0.001
    with locked(served):
        await streams(served)
        await until(served, "failing")
        assert served.meter.health()["waiting"] >= REQUESTS
    rows = await settled(served)

    assert [row.ending for row in rows] == [Ending.DONE] * REQUESTS
    assert served.meter.health() == {"status": "ok", "waiting": 0, "lost": 0}
    told = [record for record in caplog.records if record.name.startswith("gemproxy.ledger")]
    assert [re.split("[:,]", record.message)[0] for record in told] == [
        "the ledger fails",
        "the ledger works again",
    ]


async def test_a_full_disk_stops_no_stream(house: StartHouse) -> None:
    served = await house(ANN)
    ledger = ledger_of(served.proxy)
    ledger._writer.again_seconds = 0.001
    await run(served, "PRAGMA max_page_count = 1")  # as many as there are
    for serial in range(1, 1001):
        ledger.put(a_row(serial, request_id="x" * 200))
    await until(served, "failing")
    await streams(served)
    assert served.meter.health()["lost"] == 0
    await run(served, "PRAGMA max_page_count = 1000000")
    rows = await settled(served)

    assert [row.ending for row in rows if row.serial > 1000] == [Ending.DONE] * REQUESTS


async def run(house: MeteredHouse, statement: str) -> None:
    async with ledger_of(house.proxy).engines.writing() as connection:
        await connection.execute(text(statement))


async def settled(house: MeteredHouse) -> list[Row]:
    await until(house, "ok")
    return await house.rows()
