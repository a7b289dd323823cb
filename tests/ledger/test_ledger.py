"""The ledger as a whole: what is put is there, after a crash and after trouble too."""

import pytest

from gemproxy.ledger.engine import Place
from gemproxy.ledger.ledger import Ledger
from tests.ledger.rows import NOW, row, settled, stored


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
