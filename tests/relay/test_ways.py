"""Ways out: HTTP proxies with each request, SOCKS by a connector of its own."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import aiohttp
import attrs
import pytest
from multidict import CIMultiDict
from yarl import URL

from gemproxy.core.repair.events import How
from gemproxy.relay import upstream as upstream_module
from gemproxy.relay import ways
from gemproxy.relay.handshake import open_sockets
from gemproxy.relay.redirects import Hop
from gemproxy.relay.upstream import AttemptFailed, Upstream, open_upstream
from gemproxy.relay.wants import BYTES
from gemproxy.relay.ways import NoSocks, Ways, check, connector, is_socks
from tests.sockets import OK, Reader, Script, Writer, head, scripted

SOCKS = URL("socks5://user:pass@127.0.0.1:1080")
HTTP = URL("http://127.0.0.1:3128")


@attrs.define
class Made:
    """Stands for a session or a connector."""

    proxy: URL
    closed: bool = False

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("proxy", "socks"),
    [(SOCKS, True), (SOCKS.with_scheme("socks5h"), True), (HTTP, False)],
)
def test_a_socks_proxy_is_known_by_its_scheme(proxy: URL, socks: bool) -> None:
    assert is_socks(proxy) == socks


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways, "_package", None)

    check(HTTP)
    with pytest.raises(NoSocks, match=r"gemproxy\[socks\]") as caught:
        check(SOCKS)
    assert "pass" not in str(caught.value)


async def test_each_socks_proxy_has_one_way_that_is_closed_in_the_end() -> None:
    kept = Ways(Made)

    one, again = kept.through(SOCKS), kept.through(SOCKS)
    other = kept.through(SOCKS.with_port(1081))
    await kept.aclose()

    assert one is again
    assert one is not other
    assert (one.closed, other.closed) == (True, True)


async def test_a_connector_looks_names_up_at_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, Any]] = []

    class Package:
        class ProxyType:
            SOCKS5 = "five"
            SOCKS4 = "four"

        class ProxyConnector:
            def __init__(self, **options: Any) -> None:
                made.append(options)

    monkeypatch.setattr(ways, "_package", Package)

    connector(SOCKS, limit=0)
    connector(URL("socks4a://proxy.test"), limit=0)

    assert [options["proxy_type"] for options in made] == ["five", "four"]
    assert [options["port"] for options in made] == [1080, 1080]
    assert all(options["rdns"] for options in made)
    assert (made[0]["username"], made[0]["password"]) == ("user", "pass")


async def test_a_key_behind_a_socks_proxy_that_cannot_be_used_is_unreachable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ways, "_package", None)
    hop = Hop(URL("http://upstream.test/"), CIMultiDict(), SOCKS)

    async with open_upstream(connect_timeout=9, proxy=None) as upstream:
        with pytest.raises(AttemptFailed) as caught:
            await upstream.open("GET", hop, None, 9, BYTES)
    assert caught.value.how is How.UNREACHABLE
    assert "pass" not in str(caught.value)

    async with open_sockets(connect_timeout=9, proxy=None, max_message=9) as sockets:
        with pytest.raises(AttemptFailed):
            await sockets.connect(URL("http://upstream.test/"), {}, [], 9, SOCKS)


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with open_upstream(connect_timeout=9, proxy=None) as opened:
        yield opened


def noting(seen: list[bytes]) -> Script:
    async def script(reader: Reader, writer: Writer) -> None:
        while True:
            seen.append(await head(reader))
            writer.write(OK)

    return script


async def test_connections_are_not_shared_between_ways(upstream: Upstream) -> None:
    """Each proxy answers for the upstream: a request that went another way would not be seen."""
    one: list[bytes] = []
    two: list[bytes] = []
    direct: list[bytes] = []

    async def ask(url: URL, proxy: URL | None) -> None:
        reply = await upstream.open("GET", Hop(url, CIMultiDict(), proxy), None, 9, BYTES)
        while await reply.read():
            pass
        reply.close()

    async with (
        scripted(noting(direct)) as url,
        scripted(noting(one)) as first,
        scripted(noting(two)) as second,
    ):
        for way in (first, second, None, first, None, second, second):
            await ask(url / "v1/m", way)

    assert (len(one), len(two), len(direct)) == (2, 3, 2)
    assert one[0].startswith(b"GET http://127.0.0.1:")
    assert direct[0].startswith(b"GET /v1/m ")


async def test_a_session_through_a_socks_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for its connector shows that the request went that way, and with no other."""
    asked: list[URL] = []

    def stand_in(proxy: URL, **options: Any) -> aiohttp.BaseConnector:
        asked.append(proxy)
        return aiohttp.TCPConnector(**options)

    monkeypatch.setattr(upstream_module, "connector", cast("Any", stand_in))
    seen: list[bytes] = []
    async with scripted(noting(seen)) as url, open_upstream(connect_timeout=9, proxy=HTTP) as up:
        for _ in range(2):
            reply = await up.open("GET", Hop(url, CIMultiDict(), SOCKS), None, 9, BYTES)
            assert await reply.read() == b"ok"
            reply.close()

    assert (asked, len(seen)) == ([SOCKS], 2)


async def test_what_came_unasked_through_a_socks_proxy_goes_to_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Standing(aiohttp.TCPConnector):
        def __init__(self, *, limit: int, **_: object) -> None:
            super().__init__(limit=limit)

    class Package:
        ProxyConnector = Standing

        class ProxyType:
            SOCKS5 = "five"

    monkeypatch.setattr(ways, "_package", Package)
    connections, go_on = 0, asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        nonlocal connections
        connections += 1
        first = connections == 1
        while True:
            await head(reader)
            writer.write(OK)
            if first:
                await go_on.wait()
                writer.write(OK.replace(b"ok", b"no"))

    async def ask(way: Upstream, url: URL) -> bytes:
        reply = await way.open("GET", Hop(url, CIMultiDict(), SOCKS), None, 9, BYTES)
        try:
            return await reply.read()
        finally:
            await reply.read()
            reply.close()

    async with scripted(script) as url, open_upstream(connect_timeout=9, proxy=None) as upstream:
        assert await ask(upstream, url) == b"ok"
        kept: Any = upstream._socks.through(SOCKS).connector
        ((protocol, _),) = next(iter(kept._conns.values()))
        go_on.set()
        while not protocol.should_close:  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0)
        assert await ask(upstream, url) == b"ok"

    assert connections == 2
