"""A database for each test, once in SQLite and once in PostgreSQL; on both event loops."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gemproxy.ledger.engine import Engines, Place, place_of
from gemproxy.ledger.schema import prepare
from tests.loops import pytest_asyncio_loop_factories
from tests.postgres import Postgres, Unavailable, running_postgres

__all__ = ["pytest_asyncio_loop_factories"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Run one PostgreSQL for all tests of this process."""
    try:
        server = running_postgres()
        with server as running:
            yield running
    except Unavailable:
        pytest.skip("NO POSTGRESQL: half of the ledger's tests do not run")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Return the place of an empty database."""
    if request.param == "sqlite":
        return place_of("", tmp_path)
    return place_of(request.getfixturevalue("postgres").empty(), tmp_path)


@pytest.fixture
async def engines(place: Place) -> AsyncIterator[Engines]:
    """Return the engines of a database that has the tables."""
    engines = Engines.of(place)
    await prepare(engines)
    yield engines
    await engines.close()
