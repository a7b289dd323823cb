"""Answers read directly, over sockets and TLS, and what becomes of the connections."""

import asyncio
import contextlib
import gc
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from multidict import CIMultiDict
from yarl import URL

from gemproxy.core.repair.events import How
from gemproxy.relay.direct import Direct
from gemproxy.relay.redirects import Hop
from gemproxy.relay.upstream import AttemptFailed, Reply, Upstream, open_upstream
from gemproxy.relay.wants import BYTES, PICTURE, STREAM, Want
from tests import certificates
from tests.running import READING
from tests.sockets import CHUNKED, END, OK, Reader, Script, Writer, chunk, close, head, scripted

PATIENCE = 30.0
BODY = b"{}"


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with open_upstream(connect_timeout=9, proxy=None, **READING) as opened:
        yield opened


@pytest.fixture
async def direct(no_leaked_tasks: None) -> AsyncIterator[Upstream]:
    async with open_upstream(connect_timeout=9, proxy=None) as opened:
        yield opened


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Return the TLS of an upstream that the client library trusts."""
    files = certificates.make(tmp_path)
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", files.trusting())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert, files.key)
    return context


async def opened(
    upstream: Upstream, url: URL, body: bytes = BODY, want: Want = STREAM, **way: Any
) -> Reply:
    return await upstream.open("POST", Hop(url, CIMultiDict(), **way), body, PATIENCE, want)


async def asked(upstream: Upstream, url: URL, body: bytes = BODY, **way: Any) -> bytes:
    reply = await opened(upstream, url, body, **way)
    with contextlib.closing(reply):
        return await rest(reply)


async def rest(reply: Reply) -> bytes:
    pieces = []
    while data := await reply.read():
        pieces.append(data)
    return b"".join(pieces)


def pooled(upstream: Upstream) -> int:
    """Return how many connections are kept; none may be in use."""
    connector: Any = upstream._session.connector
    assert not connector._acquired
    return sum(map(len, connector._conns.values()))


@pytest.mark.parametrize("body", [b"short", bytes(range(256)) * 10_000])
async def test_a_body_behind_tls_is_read_into_the_memory_of_its_reader(
    direct: Upstream, tls: ssl.SSLContext, body: bytes
) -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        while True:
            await head(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async with scripted(script, tls) as url:
        for _ in range(2):
            memory = bytearray(len(body))
            reply = await opened(direct, url, b"", PICTURE)
            with contextlib.closing(reply):
                assert await reply.fill(memoryview(memory)) == len(body)
            assert bytes(memory) == body

    assert pooled(direct) <= 1


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0)


@attrs.define(eq=False)
class Kept:
    """Answers each request of a connection with ``answer``; ``heads`` are those of each."""

    answer: bytes = OK
    heads: list[list[bytes]] = attrs.field(factory=list)

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        """Serve one connection."""
        mine: list[bytes] = []
        self.heads.append(mine)
        while True:
            mine.append(await head(reader) + await reader.readexactly(len(BODY)))
            writer.write(self.answer)


@pytest.mark.parametrize("secure", [False, True])
async def test_one_connection_serves_one_request_after_another(
    upstream: Upstream, tls: ssl.SSLContext, *, secure: bool
) -> None:
    kept = Kept(CHUNKED + chunk(b"o") + chunk(b"k") + END)
    async with scripted(kept, tls if secure else None) as url:
        for _ in range(9):
            assert await asked(upstream, url) == b"ok"
            assert pooled(upstream) == 1

    assert [len(mine) for mine in kept.heads] == [9]


async def test_direct_and_library_take_turns_on_a_connection(direct: Upstream) -> None:
    kept = Kept()
    async with scripted(kept) as url:
        for _ in range(3):
            assert await asked(direct, url) == b"ok"
            put = await direct.open("PUT", Hop(url, CIMultiDict()), BODY, PATIENCE, BYTES)
            assert await rest(put) == b"ok"
            put.close()

    assert [len(mine) for mine in kept.heads] == [6]


@pytest.mark.parametrize("secure", [False, True])
async def test_thousands_of_reuses_leave_nothing(
    direct: Upstream, tls: ssl.SSLContext, *, secure: bool
) -> None:
    def direct_ones() -> int:
        return sum(isinstance(found, Direct) for found in gc.get_objects())

    kept = Kept()
    async with scripted(kept, tls if secure else None) as url:
        for _ in range(20):
            await asked(direct, url)
        gc.collect()
        before = len(gc.get_objects())
        for _ in range(1000):
            await asked(direct, url)
            kept.heads[0].clear()
        gc.collect()

        assert len(gc.get_objects()) < before + 200
        assert direct_ones() == 0
        assert pooled(direct) == 1
    assert len(kept.heads) == 1


@pytest.mark.parametrize("secure", [False, True])
async def test_an_interim_answer_is_none(
    upstream: Upstream, tls: ssl.SSLContext, *, secure: bool
) -> None:
    kept = Kept(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-A: 1\r\n\r\n" + OK)
    async with scripted(kept, tls if secure else None) as url:
        assert await asked(upstream, url) == b"ok"
        assert await asked(upstream, url) == b"ok"
    assert len(kept.heads) == 1


EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_another_protocol_is_no_answer(upstream: Upstream, method: str) -> None:
    kept = Kept(b"HTTP/1.1 101 On\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\n" + OK)
    async with scripted(kept) as url:
        with pytest.raises(AttemptFailed) as caught:
            await upstream.open(method, Hop(url, CIMultiDict()), BODY, PATIENCE, BYTES)
        assert caught.value.how is How.GARBLED
        assert pooled(upstream) == 0


@pytest.mark.parametrize("secure", [False, True])
async def test_an_answer_behind_an_answer_is_cut_off(
    direct: Upstream, tls: ssl.SSLContext, *, secure: bool
) -> None:
    kept = Kept(OK + EVIL)
    async with scripted(kept, tls if secure else None) as url:
        assert [await asked(direct, url) for _ in range(3)] == [b"ok"] * 3
        assert pooled(direct) == 0
    assert len(kept.heads) == 3


@pytest.mark.parametrize("unasked", [EVIL, EVIL[:20], b"x"])
@pytest.mark.parametrize("by", ["POST", "PUT"])
@pytest.mark.parametrize("to", ["POST", "PUT"])
async def test_an_answer_that_nobody_asked_for_goes_to_nobody(
    upstream: Upstream, by: str, to: str, unasked: bytes
) -> None:
    """PUT stays on the library's session: connections go from one to the other."""
    go_on, connections = asyncio.Event(), 0

    async def script(reader: Reader, writer: Writer) -> None:
        nonlocal connections
        connections += 1
        await head(reader)
        writer.write(OK)
        if not go_on.is_set():
            await go_on.wait()
            writer.write(unasked)
        while True:
            await head(reader)
            writer.write(OK)

    async def ask(method: str) -> bytes:
        reply = await upstream.open(method, Hop(url, CIMultiDict()), b"", PATIENCE, BYTES)
        with contextlib.closing(reply):
            return await rest(reply)

    async with scripted(script) as url:
        assert await ask(by) == b"ok"
        connector: Any = upstream._session.connector
        ((protocol, _),) = next(iter(connector._conns.values()))
        came = Seen(protocol.transport)
        go_on.set()
        await until(lambda: came.size == len(unasked))

        assert await ask(to) == b"ok"
        if unasked != EVIL[:20] or (by == "POST" and upstream._direct):
            assert connections == 2  # the library forgets the beginning of a head


class Seen(asyncio.Protocol):
    """Counts what comes on a connection, and passes it on."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.size, self._inner = 0, transport.get_protocol()
        transport.set_protocol(self)

    def data_received(self, data: bytes) -> None:
        """Count what came."""
        self._inner.data_received(data)  # type: ignore[attr-defined]
        self.size += len(data)

    def connection_lost(self, error: Exception | None) -> None:
        """Pass it on."""
        self._inner.connection_lost(error)


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("reset", [False, True])
async def test_a_connection_that_went_stale_is_replaced_once(
    upstream: Upstream, tls: ssl.SSLContext, *, reset: bool, secure: bool
) -> None:
    requests = 0

    async def script(reader: Reader, writer: Writer) -> None:
        nonlocal requests
        await head(reader)
        requests += 1
        await reader.readexactly(len(BODY))
        writer.write(OK)
        await head(reader)
        requests += 1
        if reset:
            writer.transport.abort()

    async with scripted(script, tls if secure else None) as url:
        assert [await asked(upstream, url) for _ in range(2)] == [b"ok"] * 2
    assert requests == 3


@pytest.mark.parametrize(("method", "repeated"), [("GET", True), ("POST", False)])
async def test_a_request_without_a_body_is_repeated_if_its_method_says_so(
    upstream: Upstream, method: str, *, repeated: bool
) -> None:
    requests = 0

    async def script(reader: Reader, writer: Writer) -> None:
        nonlocal requests
        await head(reader)
        writer.write(OK)
        await head(reader)
        requests += 1

    async def ask() -> bytes:
        reply = await upstream.open(method, Hop(url, CIMultiDict()), None, PATIENCE, STREAM)
        with contextlib.closing(reply):
            return await rest(reply)

    async with scripted(script) as url:
        assert await ask() == b"ok"
        if repeated:
            assert await ask() == b"ok"
        else:
            with pytest.raises(AttemptFailed):
                await ask()
    assert requests == 1


async def test_an_answer_that_had_begun_is_not_asked_for_twice(direct: Upstream) -> None:
    requests = 0

    async def script(reader: Reader, writer: Writer) -> None:
        nonlocal requests
        for answer in (OK, b"HTTP/1.1 200"):
            await head(reader)
            requests += 1
            await reader.readexactly(len(BODY))
            writer.write(answer)

    async with scripted(script) as url:
        assert await asked(direct, url) == b"ok"
        with pytest.raises(AttemptFailed) as caught:
            await asked(direct, url)
    assert (caught.value.how, requests) == (How.RESET, 2)


@pytest.mark.parametrize("clean", [True, False])
async def test_a_ragged_end_of_tls_is_no_end_of_a_body(
    direct: Upstream, tls: ssl.SSLContext, *, clean: bool
) -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhello")
        await writer.drain()
        if clean:
            return
        with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as wire:
            wire.shutdown(socket.SHUT_WR)
        await reader.read()

    async with scripted(script, tls) as url:
        reply = await opened(direct, url)
        with contextlib.closing(reply):
            assert await reply.read() == b"hello"
            if clean:
                assert await reply.read() == b""
            else:
                with pytest.raises(AttemptFailed) as caught:
                    await reply.read()
                assert caught.value.how is How.RESET
        assert pooled(direct) == 0


@pytest.mark.parametrize("secure", [False, True])
async def test_a_slow_reader_gets_all_of_a_large_body(
    upstream: Upstream, tls: ssl.SSLContext, *, secure: bool
) -> None:
    body = os.urandom(1 << 20) * 8

    async def script(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(CHUNKED)
        for at in range(0, len(body), 1 << 16):
            writer.write(chunk(body[at : at + (1 << 16)]))
            await writer.drain()
        writer.write(END)
        await reader.read()

    async with scripted(script, tls if secure else None) as url:
        reply = await opened(upstream, url)
        got = bytearray()
        while data := await reply.read():
            assert len(data) <= 1 << 20
            got += data
            for _ in range(5):
                await asyncio.sleep(0)
        reply.close()
        assert got == body
        assert pooled(upstream) == 1


@pytest.mark.parametrize("secure", [False, True])
async def test_a_large_request_goes_up_whole(
    upstream: Upstream, tls: ssl.SSLContext, *, secure: bool
) -> None:
    body = os.urandom(1 << 20) * 8

    async def script(reader: Reader, writer: Writer) -> None:
        await head(reader)
        assert await reader.readexactly(len(body)) == body
        writer.write(OK)
        await reader.read()

    async with scripted(script, tls if secure else None) as url:
        assert await asked(upstream, url, body) == b"ok"
        assert pooled(upstream) == 1


@pytest.mark.parametrize("secure", [False, True])
async def test_an_error_may_come_before_the_request_is_up(
    direct: Upstream, tls: ssl.SSLContext, *, secure: bool
) -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        await asyncio.Event().wait()

    async with scripted(script, tls if secure else None) as url:
        reply = await opened(direct, url, bytes(32 << 20))
        assert (reply.status, await rest(reply)) == (413, b"no")
        reply.close()
        await until(lambda: not direct._session.connector._acquired)  # type: ignore[union-attr]
        assert pooled(direct) == 0


@attrs.define(eq=False)
class Tunnel:
    """An HTTP proxy that only makes tunnels, to ``goal``."""

    goal: URL
    heads: list[bytes] = attrs.field(factory=list)

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        """Serve one connection."""
        self.heads.append(await head(reader))
        there, onward = await asyncio.open_connection(self.goal.host, self.goal.port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(self._pipe(reader, onward), self._pipe(there, writer))
        finally:
            await close(onward)

    @staticmethod
    async def _pipe(reader: Reader, writer: Writer) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
        writer.close()


async def test_tls_goes_through_the_tunnel_of_a_proxy_that_alone_gets_its_credential(
    upstream: Upstream, tls: ssl.SSLContext
) -> None:
    kept = Kept()
    async with scripted(kept, tls) as url:
        tunnel = Tunnel(url)
        async with scripted(tunnel) as proxy:
            ways = [proxy.with_user("one").with_password("p:ss"), proxy.with_user("two"), proxy]
            for _ in range(2):
                answers = await asyncio.gather(*[asked(upstream, url, proxy=way) for way in ways])
                assert answers == [b"ok"] * 3
            await upstream._session.connector.close()  # type: ignore[union-attr]

    assert [len(mine) for mine in kept.heads] == [2, 2, 2]
    sent = b"".join(request for mine in kept.heads for request in mine)
    assert b"roxy" not in sent
    assert b"POST / HTTP/1.1" in sent
    assert {made.split()[1] for made in tunnel.heads} == {f"127.0.0.1:{url.port}".encode()}
    assert sum(b"Proxy-Authorization: Basic b25lOnA6c3M=\r\n" in made for made in tunnel.heads) == 1
    assert sum(b"Proxy-Authorization" in made for made in tunnel.heads) == 2


async def test_a_proxy_that_forwards_gets_the_whole_url_and_its_own_credential(
    upstream: Upstream,
) -> None:
    one, two = Kept(), Kept()
    url = URL("http://upstream.invalid:81/v1/a%2Fb?c=d")
    async with scripted(one) as first, scripted(two) as second:
        ways = [first.with_user("one"), second.with_user("two").with_password("x"), second]
        for _ in range(2):
            answers = await asyncio.gather(*[asked(upstream, url, proxy=way) for way in ways])
            assert answers == [b"ok"] * 3

    start = (
        b"POST http://upstream.invalid:81/v1/a%2Fb?c=d HTTP/1.1\r\nHost: upstream.invalid:81\r\n"
    )
    assert all(request.startswith(start) for mine in one.heads + two.heads for request in mine)
    told = [[b"Proxy-Authorization" in made for made in mine] for mine in one.heads + two.heads]
    assert sorted(told) == [[False, False], [True, True], [True, True]]
    assert all(b"Basic b25lOg==" in made for mine in one.heads for made in mine)
    assert not any(b"Basic b25lOg==" in made for mine in two.heads for made in mine)


async def silent(reader: Reader, _: Writer) -> None:
    await reader.read()


async def deaf(_: Reader, writer: Writer) -> None:
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.Event().wait()


async def begun(reader: Reader, writer: Writer) -> None:
    await head(reader)
    writer.write(OK[:20])
    await asyncio.Event().wait()


PLACES: dict[str, tuple[Script, str, bytes]] = {
    "the handshake": (silent, "https", BODY),
    "the tunnel": (silent, "proxy", BODY),
    "the wait for an answer": (silent, "http", BODY),
    "half a request": (deaf, "http", bytes(32 << 20)),
    "half a head": (begun, "http", BODY),
}


@pytest.mark.parametrize("place", PLACES)
async def test_a_request_that_is_cancelled_leaves_no_connection(
    upstream: Upstream, place: str
) -> None:
    script, scheme, body = PLACES[place]
    connected = asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        connected.set()
        await script(reader, writer)

    async with scripted(serve) as url:
        goal, proxy = url.with_scheme("https" if scheme == "proxy" else scheme), None
        if scheme == "proxy":
            proxy = url
        asking = asyncio.ensure_future(opened(upstream, goal, body, proxy=proxy))
        await connected.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await until(lambda: not upstream._session.connector._acquired)  # type: ignore[union-attr]

        assert pooled(upstream) == 0


async def test_a_request_that_is_cancelled_before_it_is_made_leaves_no_connection(
    direct: Upstream,
) -> None:
    async with scripted(begun) as url:
        for turns in range(12):
            asking = asyncio.ensure_future(opened(direct, url))
            for _ in range(turns):
                await asyncio.sleep(0)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking

            assert pooled(direct) == 0
