"""There is no way to the upstream: no address, nobody there, no answer to the handshake.

The client learns it after a few attempts, and the proxy holds nothing against the upstream:
the next request tries again.
"""

import socket

import attrs
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from gemproxy.chaos.server import ChaosServer
from tests.faults.upstreams import COMPUTE, OTHER, UNARY, is_googles_error, is_whole, script
from tests.running import AccessLog, StartProxy
from tests.sockets import Reader, Writer, scripted
from tests.web.test_server import free_port
from tests.wire import ARRAY, STREAM

FEW = {"max_consecutive_retries": 2}
ATTEMPTS = {STREAM: 3, ARRAY: 3, UNARY: 3, COMPUTE: 3, OTHER: 1}
"""A request that may change something upstream is sent once."""

targets = pytest.mark.parametrize("target", ATTEMPTS)


@attrs.define(eq=False)
class Names:
    """What the names of this system resolve to; a port, or nothing."""

    port: int | None = None
    asked: int = 0


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Stand between the proxy and the system's resolver."""
    known = Names()

    async def resolve(
        _resolver: AbstractResolver,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> list[ResolveResult]:
        known.asked += 1
        if known.port is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            ResolveResult(
                hostname=host,
                host="127.0.0.1",
                port=known.port,
                family=socket.AF_INET,
                proto=0,
                flags=0,
            )
        ]

    monkeypatch.setattr("aiohttp.connector.DefaultResolver.resolve", resolve)
    return known


@targets
async def test_a_name_that_nobody_knows(
    proxy: StartProxy, access_log: AccessLog, names: Names, target: str
) -> None:
    running = await proxy("http://gemini.invalid", repair=FEW)

    answer = await running.ask(target)

    assert "gemini.invalid" not in is_googles_error(answer, 503, "UNAVAILABLE")["message"]
    assert names.asked == ATTEMPTS[target]


async def test_a_name_that_is_known_again_serves_the_next_request(
    proxy: StartProxy, names: Names
) -> None:
    async with ChaosServer(script()) as server:
        running = await proxy("http://gemini.invalid", repair=FEW)
        assert (await running.ask()).status == 503

        names.port = server.port

        assert is_whole(await running.ask())


@targets
async def test_a_port_that_refuses(proxy: StartProxy, access_log: AccessLog, target: str) -> None:
    running = await proxy(f"http://127.0.0.1:{free_port()}", repair=FEW)

    is_googles_error(await running.ask(target), 503, "UNAVAILABLE")

    assert (await access_log.line()).get("attempts", 1) == ATTEMPTS[target]


async def test_a_port_that_opens_again_serves_the_next_request(proxy: StartProxy) -> None:
    port = free_port()
    running = await proxy(f"http://127.0.0.1:{port}", repair=FEW)
    assert (await running.ask()).status == 503

    async with ChaosServer(script(), port=port) as server:
        assert is_whole(await running.ask())

        assert len(server.attempts) == 1


@targets
async def test_a_handshake_that_is_never_answered(proxy: StartProxy, target: str) -> None:
    """TLS is asked for and nothing comes: the time for a connection covers that."""
    connections = 0

    async def silent(reader: Reader, writer: Writer) -> None:
        nonlocal connections
        connections += 1
        assert (await reader.readexactly(1)) == b"\x16"  # a ClientHello, nothing in the clear
        await reader.read(-1)

    async with scripted(silent) as upstream:
        running = await proxy(
            str(upstream.with_scheme("https")),
            repair=FEW,
            upstream={"connect_timeout_seconds": 0.1},
        )

        is_googles_error(await running.ask(target), 503, "UNAVAILABLE")

    assert connections == ATTEMPTS[target]
