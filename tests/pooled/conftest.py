"""A proxy in pool mode for the tests of this folder, and the time in it."""

import contextlib
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import attrs
import pytest

from gemproxy.chaos.projects import Project
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.lending.errands import Errands
from gemproxy.lending.keeping import Keeper
from gemproxy.lending.source import PoolSource
from tests.loops import pytest_asyncio_loop_factories
from tests.pooled.house import ANN, BOB, House, keys_of, projects
from tests.running import running

__all__ = ["clock", "house", "pytest_asyncio_loop_factories"]


class StartHouse(Protocol):
    """Starts a fake Gemini with projects and a proxy with their keys in front of it."""

    async def __call__(
        self,
        of: Iterable[Project] | None = None,
        script: Script | Mapping[str, Script] | None = None,
        *,
        event_delay: float = 0.0,
        latency: float = 0.0,
        **sections: Mapping[str, Any],
    ) -> House: ...


@attrs.define
class Clock:
    """The time of the pool and of the fake's quotas, in Unix seconds."""

    at: float

    def now(self) -> float:
        """Return the time; it stands still between two changes."""
        return self.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock of the pool and of the fakes in the test; without it they have the time."""
    made = Clock(float(int(time.time())))
    for name, part in (("PoolSource", PoolSource), ("Keeper", Keeper), ("Errands", Errands)):
        monkeypatch.setattr(f"gemproxy.web.pooling.{name}", partial(part, clock=made.now))
    return made


@pytest.fixture
async def house(
    request: pytest.FixtureRequest, no_leaked_tasks: None, tmp_path: Path
) -> AsyncIterator[StartHouse]:
    """Start houses, and end them with the test."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(
            of: Iterable[Project] | None = None,
            script: Script | Mapping[str, Script] | None = None,
            *,
            event_delay: float = 0.0,
            latency: float = 0.0,
            **sections: Mapping[str, Any],
        ) -> House:
            known = list(projects() if of is None else of)
            fake = await stack.enter_async_context(
                ChaosServer(
                    script or Script(BUILT_IN["story"], rearm=True),
                    projects=known,
                    event_delay=event_delay,
                    latency=latency,
                )
            )
            if "clock" in request.fixturenames:
                fake.cloud.now = request.getfixturevalue("clock").now
            given = {
                "pool": {"projects": keys_of(known), **sections.get("pool", {})},
                "access": {"keys": {"ann": ANN, "bob": BOB}, **sections.get("access", {})},
                "server": {"data_dir": str(tmp_path / "data"), **sections.get("server", {})},
                "repair": {"retry_after_limit_seconds": 0, **sections.get("repair", {})},
            }
            proxy = await stack.enter_async_context(running(fake, **{**sections, **given}))
            return House(fake, proxy)

        yield start


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many turns of conversations stayed at home while projects rested."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            if name == "home" and report.when == "call":
                terminalreporter.write_sep("-", f"conversations that stayed at home: {value}")
