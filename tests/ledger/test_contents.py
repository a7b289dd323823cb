"""What a database says of itself, in SQLite and in PostgreSQL."""

import pytest

from gemproxy.ledger.contents import contents_of
from gemproxy.ledger.engine import Engines
from gemproxy.ledger.schema import NEWEST
from tests.ledger.book import Book, at, row
from tests.ledger.rows import TRIES

pytestmark = pytest.mark.production_loop

START = at("2026-03-01")
HOUR_MS = 3_600_000


async def test_an_empty_database_has_nothing(engines: Engines) -> None:
    found = await contents_of(engines)

    assert (found.schema, found.requests, found.running, found.attempts) == (NEWEST, 0, 0, 0)
    assert (found.oldest, found.newest, found.folded, found.pruned) == (None, None, None, None)
    assert found.bytes > 0
    assert found.server[0].isdigit()


async def test_rows_sums_and_times_are_counted(engines: Engines) -> None:
    book = Book(engines)
    rows = [row(START + hour * HOUR_MS) for hour in range(4)]
    await book.put(*rows, row(START + 4 * HOUR_MS, ending=None), row(START, tries=TRIES))
    now = START / 1000 + 4 * 3600 + 60
    await book.fold(now)
    await book.clean(now, 1 / 24)
    found = await contents_of(engines)

    assert (found.requests, found.running, found.attempts) == (2, 1, 0)
    assert found.rollups > 0
    assert (found.oldest, found.newest) == (START / 1000 + 3 * 3600, START / 1000 + 4 * 3600)
    assert found.folded == START / 1000 + 4 * 3600
    assert found.pruned == START / 1000 + 3 * 3600
