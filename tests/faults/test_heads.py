"""A client that sends the head of its request drop by drop, or none at all: it is hung up on."""

import asyncio
from pathlib import Path

import pytest

from tests.faults.processes import QUICK, serving, told_by_proc, until
from tests.running import PATIENCE
from tests.wire import Connection

pytestmark = [pytest.mark.production_loop, told_by_proc]

FLAGS = {**QUICK, "server.request_header_timeout": 0.6}
HEAD = b"GET /health HTTP/1.1\r\nHost: h\r\nX-Slow: " + b"x" * 4000


async def drip(connection: Connection) -> None:
    """Send a head byte by byte, until the connection is gone."""
    loop = asyncio.get_running_loop()
    for at in range(len(HEAD)):
        await loop.sock_sendall(connection.socket, HEAD[at : at + 1])
        await asyncio.sleep(0.01)  # what is injected: a slow sender


async def test_a_head_that_comes_drop_by_drop(tmp_path: Path) -> None:
    async with serving(tmp_path, "http://127.0.0.1:9", FLAGS) as proxy:
        async with proxy.connect() as slow, asyncio.timeout(PATIENCE):
            with pytest.raises(ConnectionError):
                await drip(slow)
            assert await proxy.health() == 200
        await proxy.until_at_rest()


async def test_connections_without_a_request(tmp_path: Path) -> None:
    async with serving(tmp_path, "http://127.0.0.1:9", FLAGS) as proxy:
        async with proxy.connect() as first, proxy.connect() as second:
            await until(lambda: proxy.open_descriptors() == proxy.descriptors + 2)
            assert (await first.ask("/health", b"", method="GET")).status == 200

            async with asyncio.timeout(PATIENCE):
                assert await first.rest() == await second.rest() == b""
        await proxy.until_at_rest()
