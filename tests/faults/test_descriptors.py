"""The proxy runs out of descriptors: it waits, and goes on when there are some again."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gemproxy.chaos.server import ChaosServer
from tests.faults.processes import ProxyProcess, serving, told_by_proc, until
from tests.faults.upstreams import is_googles_error, is_whole, script
from tests.wire import Connection

pytestmark = [pytest.mark.production_loop, told_by_proc]

LIMIT = 128
LOOKS = 50
"""How often in a row a process that waits is found to do so; one that spins never is."""


@contextlib.asynccontextmanager
async def without_descriptors(proxy: ProxyProcess) -> AsyncIterator[list[Connection]]:
    """Hold connections to the proxy until it has no descriptor left."""
    async with contextlib.AsyncExitStack() as stack:
        held = [
            await stack.enter_async_context(proxy.connect()) for _ in range(LIMIT - taken(proxy))
        ]
        await until(lambda: taken(proxy) == LIMIT)
        yield held


def taken(proxy: ProxyProcess) -> int:
    """Return how many of the numbers below LIMIT are taken; one above may have been inherited."""
    return sum(int(link.name) < LIMIT for link in proxy.descriptor_links())


async def test_a_connection_that_is_open_is_served_and_another_is_turned_away(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, "http://127.0.0.1:9", descriptors=LIMIT) as proxy:
        async with without_descriptors(proxy) as held:
            answer = await held[0].ask("/health", b"", method="GET")
            assert answer.status == 200
            with pytest.raises((EOFError, ConnectionResetError)):
                await proxy.health()
        await proxy.until_at_rest()


async def test_a_request_that_finds_no_descriptor_for_the_upstream_is_unavailable(
    tmp_path: Path,
) -> None:
    async with (
        ChaosServer(script()) as server,
        serving(tmp_path, server.url, descriptors=LIMIT) as proxy,
        without_descriptors(proxy) as held,
    ):
        is_googles_error(await held[0].ask(), 503, "UNAVAILABLE")
        assert server.attempts == []

        held.pop().close()
        await until(lambda: taken(proxy) < LIMIT)

        assert is_whole(await held[0].ask())


async def test_it_waits_without_spinning_and_recovers(tmp_path: Path) -> None:
    async with (
        ChaosServer(script()) as server,
        serving(tmp_path, server.url, descriptors=LIMIT) as proxy,
    ):
        async with without_descriptors(proxy), contextlib.AsyncExitStack() as stack:
            for _ in range(32):  # they come although there is no room
                await stack.enter_async_context(proxy.connect())
            seen = 0

            def asleep_again_and_again() -> bool:
                nonlocal seen
                seen = seen + 1 if proxy.asleep() else 0
                return seen == LOOKS

            await until(asleep_again_and_again)
        await proxy.until_at_rest()

        assert await proxy.health() == 200
        assert is_whole(await proxy.ask())
        await proxy.until_at_rest(lambda: server.open_connections)
