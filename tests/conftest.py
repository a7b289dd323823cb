"""The fixtures that every test over real sockets shares."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import settings

from gemproxy.chaos.server import ChaosServer
from gemproxy.config.operators import VARIABLE
from gemproxy.config.settings import ALIASES, OF_PROVIDERS
from tests.running import PATIENCE, AccessLog, Proxy, StartProxy, running

settings.register_profile("no deadline", deadline=None)  # a busy machine is no fault of ours
settings.load_profile("no deadline")

# Many machines have GEMINI_API_KEY or PASSWORD set for other programs.
_ALIASES = ALIASES.keys() | {name for names in OF_PROVIDERS.values() for name in names}
for _name in [name for name in os.environ if name in _ALIASES or VARIABLE.match(name)]:
    del os.environ[_name]

# A shell ignores SIGINT for its background jobs, and nohup SIGHUP; what they start inherits that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
async def proxy(no_leaked_tasks: None) -> AsyncIterator[StartProxy]:
    """Start proxies in front of an upstream, and end them with the test."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(upstream: ChaosServer | str, /, **sections: Mapping[str, Any]) -> Proxy:
            return await stack.enter_async_context(running(upstream, **sections))

        yield start


@pytest.fixture
async def no_leaked_tasks() -> AsyncIterator[None]:
    """Assert that no task outlives the test that started it, and that the loop saw no error."""
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        _, left = await asyncio.wait(left, timeout=PATIENCE)
    assert not left
    assert errors == []


@pytest.fixture
def access_log() -> Iterator[AccessLog]:
    """Collect the lines of the access log."""
    logger = logging.getLogger("gemproxy.access")
    lines = AccessLog()
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(lines)
    yield lines
    logger.removeHandler(lines)
    logger.setLevel(level)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "production_loop: run on the event loop of production alone, for time's sake"
    )
    config.addinivalue_line(
        "markers", "sdk(sdk, capability): proves a cell of the table in docs/sdks.md"
    )
    config.addinivalue_line(
        "markers", "chat(client, feature): proves a cell of docs/openai-conformance.md"
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many cuts were tried, and how many of them no client could see."""
    figures = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == "cuts"
    ]
    if figures:
        tried, exact = map(sum, zip(*figures, strict=True))
        terminalreporter.write_sep("-", f"cuts over real sockets: {tried} tried, {exact} exact")
