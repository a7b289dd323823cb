"""Connections that are taken from the client library, and what of the library that stands on."""

import asyncio
import inspect
import socket
from collections.abc import AsyncIterator, Callable
from importlib.metadata import version
from typing import Any, cast

import aiohttp
import attrs
import pytest
from aiohttp.connector import Connection
from yarl import URL

from gemproxy.relay.connections import Connections, Connector, new_way, vetted
from tests.sockets import OK, Reader, Writer, head, scripted

LIMITS = aiohttp.ClientTimeout(connect=9)

CHANGED = f"""
aiohttp {version("aiohttp")} is not what gemproxy.relay.connections stands on.
Read aiohttp's CHANGES for this name, adapt connections.py and direct.py, and have tests/relay,
tests/io and tests/faults pass. Until then GEMPROXY_UPSTREAM_DIRECT=false needs none of it.
"""


def test_the_library_has_what_we_stand_on() -> None:
    """One place for all of it; what it does is shown by the tests of ``Connections`` below."""
    taken = list(inspect.signature(aiohttp.TCPConnector.connect).parameters)
    request = inspect.signature(aiohttp.ClientRequest).parameters

    assert taken == ["self", "req", "traces", "timeout"], CHANGED
    assert {"method", "url", "loop", "session", "proxy"} <= request.keys(), CHANGED
    for name in ("transport", "protocol"):
        assert isinstance(inspect.getattr_static(Connection, name), property), CHANGED
    for name in ("release", "close"):
        assert list(inspect.signature(getattr(Connection, name)).parameters) == ["self"], CHANGED
    protocol = aiohttp.client_proto.ResponseHandler
    assert isinstance(inspect.getattr_static(protocol, "should_close"), property), CHANGED
    assert issubclass(protocol, asyncio.Protocol), CHANGED


@pytest.fixture
async def connections() -> AsyncIterator[Connections]:
    pool = Connector()
    async with aiohttp.ClientSession(connector=pool) as session:
        yield Connections(pool, session)


async def idle(reader: Reader, _: Writer) -> None:
    await reader.read()


async def test_a_connection_that_is_given_back_is_taken_again(connections: Connections) -> None:
    async with scripted(idle) as url:
        way = new_way()
        one = await connections.take(url, None, LIMITS)
        assert way.fresh
        assert one.transport is not None
        assert one.transport.get_protocol() is one.protocol
        transport = one.transport
        one.release()
        way = new_way()
        again = await connections.take(url / "other?path", None, LIMITS)
        other = await connections.take(url, None, LIMITS)

        assert again.transport is transport
        assert other.transport is not transport
        again.close()
        other.close()
        assert transport.is_closing()


async def test_the_session_uses_the_same_pool(connections: Connections) -> None:
    came: list[Writer] = []

    async def script(reader: Reader, writer: Writer) -> None:
        came.append(writer)
        await head(reader)
        writer.write(OK)
        await reader.read()

    async with scripted(script) as url:
        (await connections.take(url, None, LIMITS)).release()
        async with connections._session.post(url) as response:
            assert await response.read() == b"ok"
        connection = await connections.take(url, None, LIMITS)
        connection.close()

    assert len(came) == 1


async def test_ways_do_not_mix(connections: Connections) -> None:
    async with scripted(idle) as url, scripted(idle) as proxy:
        direct = await connections.take(url, None, LIMITS)
        direct.release()
        by_proxy = await connections.take(url, proxy, LIMITS)
        by_user = await connections.take(url, proxy.with_user("user"), LIMITS)

        taken = {cast("asyncio.Transport", one.transport) for one in (by_proxy, by_user)}
        ports = {transport.get_extra_info("peername")[1] for transport in taken}
        assert (len(taken), ports) == (2, {proxy.port})
        by_proxy.close()
        by_user.close()


async def test_what_is_known_of_origins_is_bounded(connections: Connections) -> None:
    made = [connections._request(URL(f"http://h{n}.test/"), None) for n in range(600)]

    assert len(connections._known) <= 256
    assert connections._request(URL("http://h599.test/x"), None) is made[-1]


async def test_a_time_limit_is_told_as_the_session_tells_it(connections: Connections) -> None:
    async with scripted(idle) as url:
        with pytest.raises(aiohttp.ConnectionTimeoutError):
            await connections.take(
                url.with_scheme("https"), None, aiohttp.ClientTimeout(connect=0.01)
            )


@attrs.define(eq=False)
class Given:
    """Stands for a connection of the library's."""

    should_close: bool = False
    transport: object = "a transport"
    closed: bool = False

    @property
    def protocol(self) -> "Given":
        return self

    def close(self) -> None:
        self.closed = True


@attrs.define
class Giving:
    """Stands for a connector; ``fresh`` is the number of the first that is made for a request."""

    given: list[Given]
    fresh: int = 99
    calls: int = 0

    async def connect(self, *_: Any) -> Connection:
        way.fresh = self.calls >= self.fresh
        self.calls += 1
        return cast("Connection", self.given[self.calls - 1])


way = new_way()


async def vet(giving: Giving) -> object:
    global way  # noqa: PLW0603 (what the stand-in of the connector would find in its context)
    way = new_way()
    return await vetted(giving.connect, cast("aiohttp.ClientRequest", None))


async def test_what_came_unasked_is_not_handed_on() -> None:
    given = [Given(should_close=True), Given(transport=None), Given()]

    assert await vet(Giving(given)) is given[2]
    assert [one.closed for one in given] == [True, True, False]


async def test_an_upstream_that_speaks_first_is_not_connected_to_for_ever() -> None:
    given = [Given(should_close=True) for _ in range(9)]

    with pytest.raises(aiohttp.ServerDisconnectedError):
        await vet(Giving(given, fresh=2))
    assert [one.closed for one in given].count(True) == 3


@pytest.mark.parametrize("unasked", [OK, b"H", b"\r\n", OK[:-2]])
async def test_a_connection_on_which_something_came_is_closed(
    connections: Connections, unasked: bytes
) -> None:
    go_on = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        if not go_on.is_set():
            await go_on.wait()
            writer.write(unasked)
        await reader.read()

    async with scripted(script) as url:
        one = await connections.take(url, None, LIMITS)
        protocol = one.protocol
        assert protocol is not None
        one.release()
        go_on.set()
        await _until(lambda: protocol.should_close)

        other = await connections.take(url, None, LIMITS)
        assert other.protocol is not protocol
        assert not protocol.is_connected()
        other.close()


@pytest.mark.parametrize("unread", [b"HTTP/1.1", b""])
async def test_a_connection_is_closed_for_what_the_loop_has_not_read(
    connections: Connections, unread: bytes
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = URL(f"http://127.0.0.1:{server.getsockname()[1]}/")
        one = await connections.take(url, None, LIMITS)
        transport = one.transport
        other_end = server.accept()[0]
        one.release()
        if unread:
            other_end.sendall(unread)
        else:
            other_end.shutdown(socket.SHUT_WR)

        other = await connections.take(url, None, LIMITS)
        fresh = other.transport
        assert fresh is not transport
        other.release()
        again = await connections.take(url, None, LIMITS)
        assert again.transport is fresh
        again.close()
        other_end.close()


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(9):
        while not true():  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0)
