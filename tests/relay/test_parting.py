"""How an answer that is not whole ends, seen from a raw socket, in plain text and in TLS."""

import asyncio
import contextlib
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import attrs
import pytest
from aiohttp import web
from aiohttp.http import StreamWriter
from aiohttp.test_utils import make_mocked_request

from gemproxy.relay import parting
from gemproxy.relay.inflight import InFlight
from gemproxy.relay.parting import NEVER, Linger, abandon, cut, part, send_queue
from tests import certificates, sockets
from tests.loops import pytest_asyncio_loop_factories
from tests.sockets import END, chunk

__all__ = ["pytest_asyncio_loop_factories"]

HTTP_1_1 = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
HTTP_1_0 = b"GET /x HTTP/1.0\r\nHost: h\r\n\r\n"
WORDS = b'data: {"error": {}}\n\n'
MEBIBYTE = b"x" * 2**20
LONG = 3600.0


async def briefly(_seconds: float) -> bool:
    """Linger no longer than a turn of the loop."""
    await asyncio.sleep(0)
    return True


@attrs.define(eq=False)
class Stage:
    """A server that writes ``body``, cuts the answer with ``words``, and parts."""

    body: bytes = b"data: 1\n\n"
    words: bytes = WORDS
    length: int | None = None
    linger: Linger = briefly
    patience: float = LONG
    send_timeout: float = 30.0
    cut: asyncio.Event = attrs.field(factory=asyncio.Event)
    ended: "asyncio.Queue[str]" = attrs.field(factory=asyncio.Queue)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = self.length
        await response.prepare(request)
        transport = request.transport
        assert transport is not None
        await response.write(self.body)
        cut(request, self.words)
        self.cut.set()
        try:
            await part(request, self.linger, patience=self.patience, send_timeout=self.send_timeout)
        except asyncio.CancelledError:
            self.ended.put_nowait("cancelled")
            raise
        self.ended.put_nowait("closed" if transport.is_closing() else "open")
        return response


def chunked_request(transport: asyncio.Transport) -> tuple[web.Request, StreamWriter]:
    """Return a request on ``transport`` whose answer is sent in chunks, and its writer."""
    protocol = make_mocked_request("GET", "/", transport=transport).protocol
    writer = StreamWriter(protocol, asyncio.get_running_loop())
    writer.enable_chunking()
    request = make_mocked_request("GET", "/", transport=transport, protocol=protocol, writer=writer)
    return request, writer


@contextlib.asynccontextmanager
async def connected(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]], request: bytes
) -> AsyncIterator[sockets.Client]:
    app = web.Application()
    app.router.add_get("/x", handler)
    async with sockets.running(app) as port, sockets.connected(port, request) as client:
        yield client


async def until_reset(client: sockets.Client) -> bytes:
    """Return the body of an answer that has to end with a reset."""
    await client.head()
    body = bytearray()
    try:
        while data := await client.reader.read(1 << 16):
            body += data
    except ConnectionResetError:
        return bytes(body)
    raise AssertionError("the connection ended with FIN")


@pytest.mark.parametrize("words", [WORDS, b""])
async def test_in_chunks_a_last_chunk_is_begun_that_never_comes(words: bytes) -> None:
    stage = Stage(words=words)
    async with connected(stage.handle, HTTP_1_1) as client:
        await client.head()
        body = await client.rest()

    assert body == chunk(stage.body) + (chunk(words) if words else b"") + NEVER
    assert await stage.ended.get() == "closed"


async def test_the_words_and_what_never_comes_are_one_write() -> None:
    class Noting(asyncio.Transport):
        written: list[bytes]

        def is_closing(self) -> bool:
            return False

        def write(self, data: object) -> None:
            assert isinstance(data, bytes)
            self.written.append(data)

    transport = Noting()
    transport.written = []
    request, writer = chunked_request(transport)

    cut(request, b"bye")
    cut(request, b"again")

    assert transport.written == [chunk(b"bye") + NEVER]
    assert writer.output_size == len(transport.written[0])


async def test_of_a_body_with_a_length_bytes_are_missing() -> None:
    stage = Stage(length=100, words=b"")
    async with connected(stage.handle, HTTP_1_1) as client:
        await client.head()
        assert await client.rest() == stage.body


async def test_where_only_the_connection_ends_a_body_it_is_reset() -> None:
    stage = Stage()
    async with connected(stage.handle, HTTP_1_0) as client:
        assert await until_reset(client) == stage.body + WORDS


async def test_with_a_length_http_1_0_is_closed_like_any_other() -> None:
    stage = Stage(length=100, words=b"")
    async with connected(stage.handle, HTTP_1_0) as client:
        await client.head()
        assert await client.rest() == stage.body


async def test_a_reset_destroys_nothing_that_is_on_its_way() -> None:
    stage = Stage(body=MEBIBYTE * 4, patience=60.0)
    async with connected(stage.handle, HTTP_1_0) as client:
        reading = asyncio.create_task(until_reset(client))

        assert await reading == stage.body + WORDS


async def test_of_tls_the_end_is_a_reset_without_a_farewell(tmp_path: Path) -> None:
    files = certificates.make(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert, files.key)
    stage = Stage(body=MEBIBYTE, patience=60.0)
    app = web.Application()
    app.router.add_get("/x", stage.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port, ssl=files.trusting())
        writer.write(HTTP_1_0)

        assert await until_reset(sockets.Client(reader, writer)) == stage.body + WORDS

        await sockets.close(writer)
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("told", [None, 1])
async def test_where_nothing_tells_of_an_arrival_the_reset_waits_for_its_time(
    monkeypatch: pytest.MonkeyPatch, told: int | None
) -> None:
    monkeypatch.setattr(parting, "send_queue", lambda _connection: told)
    stage = Stage(patience=0.01)
    async with connected(stage.handle, HTTP_1_0) as client:
        assert await until_reset(client) == stage.body + WORDS


async def test_a_send_queue_that_is_gone_tells_nothing() -> None:
    closed = socket.socket()
    closed.close()

    assert send_queue(closed) is None


@pytest.mark.parametrize("request_", [HTTP_1_1, HTTP_1_0])
async def test_the_connection_stays_open_until_the_client_has_left(request_: bytes) -> None:
    stage = Stage(linger=InFlight(1).linger)
    async with connected(stage.handle, request_) as client:
        await client.head()
        await client.reader.readuntil(b"\n\n" if request_ is HTTP_1_0 else NEVER)
        await stage.cut.wait()
        assert stage.ended.empty()
        client.writer.close()

        assert await stage.ended.get() == "cancelled"


async def test_a_client_that_stays_is_left() -> None:
    stage = Stage(linger=InFlight(1).linger, patience=0.01)
    async with connected(stage.handle, HTTP_1_1) as client:
        await client.head()

        assert (await client.rest()).endswith(NEVER)
        assert await stage.ended.get() == "closed"


async def test_no_wait_is_left_when_a_drain_is_over() -> None:
    in_flight = InFlight(1)
    await in_flight.drain(0)
    stage = Stage(linger=in_flight.linger)
    async with connected(stage.handle, HTTP_1_1) as client:
        await client.head()

        assert (await client.rest()).endswith(NEVER)


async def test_what_a_client_leaves_unread_is_thrown_away() -> None:
    stage = Stage(send_timeout=0.0)

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        assert request.transport is not None
        request.transport.write(MEBIBYTE * 16)
        cut(request)
        await part(request, briefly, patience=0.0, send_timeout=0.0)
        stage.ended.put_nowait("closed")
        return response

    async with connected(handle, HTTP_1_1) as client:
        await stage.ended.get()
        await client.head()
        assert len(await client.rest()) < len(MEBIBYTE) * 16


async def test_an_answer_that_was_not_cut_is_left_alone() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await part(request, briefly, patience=LONG, send_timeout=LONG)
        return response

    async with connected(handle, HTTP_1_1.replace(b"Host", b"Connection: close\r\nHost")) as client:
        await client.head()
        assert await client.rest() == END


async def test_a_connection_that_is_gone_is_not_cut() -> None:
    request = make_mocked_request("GET", "/")
    request.protocol.transport = None
    lingered: list[float] = []

    async def linger(seconds: float) -> bool:
        lingered.append(seconds)
        return True

    cut(request)
    await part(request, linger, patience=LONG, send_timeout=LONG)
    abandon(request)

    assert lingered == []


async def test_a_connection_that_is_closing_is_not_asked_what_is_unsent() -> None:
    class Closing(asyncio.Transport):
        """A TLS transport that closes while its client is waited for; then it cannot tell."""

        closing = False
        closed = 0

        def is_closing(self) -> bool:
            return self.closing

        def write(self, data: object) -> None: ...

        def close(self) -> None:
            self.closed += 1

    transport = Closing()
    request, _ = chunked_request(transport)
    cut(request)
    transport.closing = True

    await part(request, briefly, patience=0, send_timeout=0)

    assert transport.closed == 1  # and nothing else was called: the base class would have raised


@pytest.mark.parametrize("request_", [HTTP_1_0, HTTP_1_1])
async def test_what_is_abandoned_is_reset_where_a_fin_would_complete_it(request_: bytes) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        abandon(request)  # before anything was said
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(WORDS)
        abandon(request)
        return response

    async with connected(handle, request_) as client:
        if request_ is HTTP_1_0:
            with pytest.raises(ConnectionResetError):
                await client.rest()
        else:
            assert (await client.reader.readuntil(END)).endswith(END)


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on the PATH")
@pytest.mark.parametrize("version", ["--http1.0", "--http1.1"])
async def test_curl_says_that_the_answer_is_not_whole(version: str) -> None:
    stage = Stage(linger=InFlight(1).linger, patience=0.5)
    app = web.Application()
    app.router.add_get("/x", stage.handle)
    async with sockets.running(app) as port:
        process = await asyncio.create_subprocess_exec(
            *("curl", "-sN", version, f"http://127.0.0.1:{port}/x"),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()

    assert output == stage.body + WORDS
    assert process.returncode in {18, 56}
