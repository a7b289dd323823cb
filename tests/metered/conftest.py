"""Proxies with stored users for the tests of this folder."""

import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pytest

from gemproxy.accounts.user import User
from gemproxy.chaos.projects import Project
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.metering.accountant import Accountant
from tests.ledger.conftest import postgres
from tests.loops import pytest_asyncio_loop_factories
from tests.metered.house import Attempts, MeteredHouse, store
from tests.pooled.conftest import Clock
from tests.pooled.house import keys_of, projects
from tests.running import Proxy, running

__all__ = ["clock", "front", "house", "postgres", "pytest_asyncio_loop_factories"]

PRICES = """
[[models]]
name = "gemini-3.5-flash"
also = ["gemini-2.5-flash"]
[[models.prices]]
source = "https://example.com/prices"
checked = 2026-11-28
input = 1.00
output = 8.00
"""


class StartHouse(Protocol):
    """Starts a fake Gemini with projects, and a proxy with their keys and with ``users``."""

    async def __call__(
        self,
        users: Mapping[str, User],
        script: Script | Mapping[str, Script] | None = None,
        *,
        of: Iterable[Project] | None = None,
        event_delay: float = 0.0,
        latency: float = 0.0,
        **sections: Mapping[str, Any],
    ) -> MeteredHouse: ...


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock of the meters in the test; without it they have the time."""
    made = Clock(1_795_000_000.0)
    monkeypatch.setattr("gemproxy.web.accounting.Accountant", partial(Accountant, clock=made.now))
    return made


class StartProxy(Protocol):
    """Starts a proxy with the keys of projects and with ``users`` in front of an upstream."""

    async def __call__(
        self,
        url: str,
        users: Mapping[str, User],
        of: Iterable[Project] = (),
        **sections: Mapping[str, Any],
    ) -> tuple[Proxy, dict[str, str]]: ...


@pytest.fixture
async def front(no_leaked_tasks: None, tmp_path: Path) -> AsyncIterator[StartProxy]:
    """Start proxies, which share a data directory, and end them with the test."""
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)
    async with contextlib.AsyncExitStack() as stack:

        async def start(
            url: str,
            users: Mapping[str, User],
            of: Iterable[Project] = (),
            **sections: Mapping[str, Any],
        ) -> tuple[Proxy, dict[str, str]]:
            data = tmp_path / "data"
            url_of_ledger = str(sections.get("ledger", {}).get("database_url", ""))
            keys = await store(data, users, url_of_ledger)
            own: dict[str, dict[str, Any]] = {
                "pool": {"projects": keys_of(list(of))},
                "server": {"data_dir": str(data)},
                "accounts": {"prices": str(prices)},
                "ledger": {"enabled": None},
                "repair": {"retry_after_limit_seconds": 0},
            }
            given = {name: {**own.get(name, {}), **new} for name, new in sections.items()}
            return await stack.enter_async_context(running(url, **{**own, **given})), keys

        yield start


@pytest.fixture
async def house(front: StartProxy) -> AsyncIterator[StartHouse]:
    """Start houses, and end them with the test."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(
            users: Mapping[str, User],
            script: Script | Mapping[str, Script] | None = None,
            *,
            of: Iterable[Project] | None = None,
            event_delay: float = 0.0,
            latency: float = 0.0,
            **sections: Mapping[str, Any],
        ) -> MeteredHouse:
            known = list(projects() if of is None else of)
            fake = await stack.enter_async_context(
                ChaosServer(
                    script or Script(BUILT_IN["story"], rearm=True),
                    projects=known,
                    event_delay=event_delay,
                    latency=latency,
                )
            )
            fake.attempts = Attempts()
            proxy, keys = await front(fake.url, users, known, **sections)
            return MeteredHouse(fake, proxy, keys)

        yield start
