"""The upstream side, against servers that do exactly what a test wants, byte by byte."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Mapping
from unittest.mock import AsyncMock, Mock

import aiohttp
import pytest
from multidict import CIMultiDict
from yarl import URL

from gemproxy.core.repair.events import How
from gemproxy.relay.bodies import Outgoing
from gemproxy.relay.redirects import Hop
from gemproxy.relay.session_answer import SessionAnswer
from gemproxy.relay.upstream import AttemptFailed, Reply, Upstream, open_upstream
from gemproxy.relay.wants import BYTES, PICTURE, STREAM, Want
from tests.sockets import (
    CHUNKED,
    END,
    OK,
    Reader,
    Script,
    Serve,
    Writer,
    answering,
    chunk,
    cutting,
    head,
    scripted,
)

PATIENCE = 30.0


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start servers whose every connection runs a script, and end them with the test."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(script: Script) -> URL:
            return await stack.enter_async_context(scripted(script)) / "v1/m"

        yield start


@pytest.fixture(params=[True, False], ids=["direct", "session"])
def direct(request: pytest.FixtureRequest) -> bool:
    """Whether answers are read directly, or all by the client library."""
    return bool(request.param)


@pytest.fixture
async def upstream(*, direct: bool) -> AsyncIterator[Upstream]:
    async with open_upstream(connect_timeout=PATIENCE, proxy=None, direct=direct) as opened:
        yield opened


@contextlib.asynccontextmanager
async def forwarded(
    upstream: Upstream,
    method: str,
    url: URL,
    headers: Mapping[str, str],
    body: Outgoing,
    patience: float,
    want: Want = BYTES,
) -> AsyncIterator[Reply]:
    """Yield an answer whose bytes pass through, timed by its silence."""
    reply = await upstream.open(method, Hop(url, CIMultiDict(headers)), body, patience, want)
    with contextlib.closing(reply):
        yield reply


@contextlib.asynccontextmanager
async def attempted(
    upstream: Upstream,
    method: str,
    url: URL,
    headers: Mapping[str, str],
    body: bytes,
    patience: float,
) -> AsyncIterator[Reply]:
    """Yield an answer that is parsed, and watched by its reader."""
    async with forwarded(upstream, method, url, headers, body, patience, STREAM) as reply:
        yield reply


async def post(upstream: Upstream, url: URL, body: bytes = b"") -> bytes:
    async with attempted(upstream, "POST", url, {}, body, PATIENCE) as reply:
        return await whole(reply)


async def whole(reply: Reply) -> bytes:
    pieces = []
    while data := await reply.read():
        pieces.append(data)
    return b"".join(pieces)


async def failure(upstream: Upstream, url: URL, patience: float = PATIENCE) -> AttemptFailed:
    with pytest.raises(AttemptFailed) as caught:
        async with attempted(upstream, "POST", url, {}, b"{}", patience) as reply:
            await whole(reply)
    return caught.value


async def test_an_answer_has_its_head_and_its_body(upstream: Upstream, serve: Serve) -> None:
    url = await serve(
        answering(b"HTTP/1.1 404 Gone\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 2\r\n\r\nno")
    )

    async with attempted(upstream, "POST", url, {}, b"{}", PATIENCE) as reply:
        assert (reply.status, reply.reason) == (404, "Gone")
        assert reply.headers.getall("X-A") == ["1", "2"]
        assert await reply.read() == b"no"
        assert await reply.read() == b""


async def test_the_request_goes_up_as_given_with_no_header_of_the_librarys(
    upstream: Upstream, serve: Serve
) -> None:
    seen: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(reader: Reader, writer: Writer) -> None:
        seen.set_result(await head(reader) + await reader.readexactly(2))
        writer.write(OK)

    url = await serve(script)
    goal = URL(f"{url.origin()}/v1/a%2Fb?x=%zz", encoded=True)
    headers = CIMultiDict([("X-Many", "1"), ("X-Many", "2")])

    async with attempted(upstream, "POST", goal, headers, b"{}", PATIENCE):
        pass

    assert (
        f"POST /v1/a%2Fb?x=%zz HTTP/1.1\r\nHost: {url.host_port_subcomponent}\r\n"
        "X-Many: 1\r\nX-Many: 2\r\nContent-Length: 2\r\n\r\n{}"
    ) == (await seen).decode()


async def test_a_large_body_goes_up_whole(upstream: Upstream, serve: Serve) -> None:
    body = bytes(range(256)) * 8192
    seen: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(reader: Reader, writer: Writer) -> None:
        await head(reader)
        seen.set_result(await reader.readexactly(len(body)))
        writer.write(OK)

    assert await post(upstream, await serve(script), body) == b"ok"
    assert body == await seen


async def test_reads_return_what_is_there_without_waiting_for_more(
    upstream: Upstream, serve: Serve
) -> None:
    url = await serve(answering(CHUNKED, b"3\r\none\r\n"))

    async with attempted(upstream, "POST", url, {}, b"", PATIENCE) as reply:
        assert await reply.read() == b"one"


async def test_redirects_are_answers(upstream: Upstream, serve: Serve) -> None:
    url = await serve(answering(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"))

    async with attempted(upstream, "GET", url, {}, b"", PATIENCE) as reply:
        assert reply.status == 302


async def test_cookies_of_one_answer_are_not_sent_with_the_next(
    upstream: Upstream, serve: Serve
) -> None:
    heads: list[bytes] = []

    async def script(reader: Reader, writer: Writer) -> None:
        while True:
            heads.append(await head(reader))
            writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nContent-Length: 0\r\n\r\n")

    url = await serve(script)
    await post(upstream, url)
    await post(upstream, url)

    assert b"ookie" not in heads[1]


async def test_nobody_there_is_unreachable(upstream: Upstream, serve: Serve) -> None:
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()

    failed = await failure(upstream, URL(f"http://127.0.0.1:{port}/?secret=1"))

    assert How.UNREACHABLE is failed.how
    assert "secret" not in str(failed)


async def test_a_failed_tls_handshake_is_unreachable(upstream: Upstream, serve: Serve) -> None:
    async def script(_reader: Reader, writer: Writer) -> None:
        writer.write(b"no TLS here")

    url = (await serve(script)).with_scheme("https")

    assert How.UNREACHABLE is (await failure(upstream, url)).how


async def test_a_name_that_nobody_has_is_unreachable(upstream: Upstream) -> None:
    assert How.UNREACHABLE is (await failure(upstream, URL("http://upstream.invalid/"))).how


async def test_a_connection_that_is_not_made_in_time_is_unreachable(
    serve: Serve, *, direct: bool
) -> None:
    url = (await serve(answering())).with_scheme("https")  # accepts, and stays silent

    async with open_upstream(connect_timeout=0.05, proxy=None, direct=direct) as impatient:
        assert How.UNREACHABLE is (await failure(impatient, url)).how


async def test_a_silent_upstream_has_no_first_byte(upstream: Upstream, serve: Serve) -> None:
    url = await serve(answering())

    assert How.NO_FIRST_BYTE is (await failure(upstream, url, 0.5)).how


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_time_of_an_upload_is_not_the_first_bytes(
    upstream: Upstream, serve: Serve, *, streamed: bool
) -> None:
    """The upstream takes a body in for longer than it may take to answer."""
    body = bytes(16 << 20)

    async def script(reader: Reader, writer: Writer) -> None:
        await head(reader)
        go_on = asyncio.Event()
        asyncio.get_running_loop().call_later(0.6, go_on.set)
        await go_on.wait()
        await reader.readexactly(len(body))
        writer.write(OK)

    url, headers = await serve(script), {"Content-Length": str(len(body))}
    if streamed:
        made = forwarded(upstream, "POST", url, headers, pieces(*[body[: 1 << 20]] * 16), 0.5)
    else:
        made = attempted(upstream, "POST", url, {}, body, 0.5)
    async with made as reply:
        assert await whole(reply) == b"ok"


async def test_silence_behind_an_upload_is_timed_from_its_end(
    upstream: Upstream, serve: Serve
) -> None:
    async def script(reader: Reader, _: Writer) -> None:
        await reader.read()

    with pytest.raises(AttemptFailed) as caught:
        async with attempted(upstream, "POST", await serve(script), {}, bytes(1 << 20), 0.05):
            pass

    assert caught.value.how is How.NO_FIRST_BYTE


@pytest.mark.parametrize("seconds", [None, 3600.0])
async def test_more_silence_may_be_allowed_once_an_answer_has_begun(
    upstream: Upstream, serve: Serve, seconds: float | None
) -> None:
    go_on = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(CHUNKED)
        await go_on.wait()
        writer.write(b"3\r\none\r\n0\r\n\r\n")

    async with forwarded(upstream, "GET", await serve(script), {}, None, 0.5) as reply:
        reply.allow_silence(seconds)
        asyncio.get_running_loop().call_later(0.6, go_on.set)

        assert await whole(reply) == b"one"
        reply.allow_silence(1.0)  # of no consequence behind the end


async def test_a_slow_stream_outlives_the_first_byte_timeout(
    upstream: Upstream, serve: Serve
) -> None:
    go_on = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(CHUNKED)
        await go_on.wait()
        writer.write(b"3\r\none\r\n0\r\n\r\n")

    async with attempted(upstream, "POST", await serve(script), {}, b"", 0.5) as reply:
        asyncio.get_running_loop().call_later(0.6, go_on.set)

        assert await whole(reply) == b"one"


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize(
    "begun", [CHUNKED + b"3\r\none\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\none"]
)
async def test_a_cut_body_is_a_reset(
    upstream: Upstream, serve: Serve, begun: bytes, *, reset: bool
) -> None:
    url = await serve(cutting(begun, reset=reset))

    assert How.RESET is (await failure(upstream, url)).how


async def test_what_came_before_a_cut_can_be_read(upstream: Upstream, serve: Serve) -> None:
    go_on = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(CHUNKED + b"3\r\none\r\n")
        await go_on.wait()

    async with attempted(upstream, "POST", await serve(script), {}, b"", PATIENCE) as reply:
        assert await reply.read() == b"one"
        go_on.set()
        with pytest.raises(AttemptFailed):
            await reply.read()


async def test_a_body_that_ends_with_the_connection_ends_cleanly(
    upstream: Upstream, serve: Serve
) -> None:
    url = await serve(cutting(b"HTTP/1.1 200 OK\r\n\r\none"))

    assert await post(upstream, url) == b"one"


async def test_an_answer_that_is_no_http_is_garbled(upstream: Upstream, serve: Serve) -> None:
    url = await serve(answering(b"SMTP ready\r\n\r\n"))

    assert How.GARBLED is (await failure(upstream, url)).how


async def test_a_connection_closed_without_an_answer_is_a_reset(
    upstream: Upstream, serve: Serve
) -> None:
    requests = 0

    async def script(reader: Reader, writer: Writer) -> None:
        nonlocal requests
        await head(reader)
        requests += 1

    assert How.RESET is (await failure(upstream, await serve(script))).how
    assert requests == 1


def once_per_connection(requests: list[bytes], *, reset: bool, answers: int) -> Script:
    """Answer the first ``answers`` requests of each connection, and cut at the next."""

    async def script(reader: Reader, writer: Writer) -> None:
        for _ in range(answers):
            requests.append(await head(reader))
            writer.write(OK)
        requests.append(await head(reader))
        if reset:
            writer.transport.abort()

    return script


@pytest.mark.parametrize("reset", [False, True])
async def test_a_stale_connection_is_replaced_at_once(
    upstream: Upstream, serve: Serve, *, reset: bool
) -> None:
    requests: list[bytes] = []
    url = await serve(once_per_connection(requests, reset=reset, answers=1))

    assert await post(upstream, url) == b"ok"
    assert await post(upstream, url) == b"ok"
    assert len(requests) == 3


async def test_a_connection_is_replaced_only_once(upstream: Upstream, serve: Serve) -> None:
    requests: list[bytes] = []
    answers = iter([1, 0, 1])

    async def script(reader: Reader, writer: Writer) -> None:
        await once_per_connection(requests, reset=False, answers=next(answers))(reader, writer)

    url = await serve(script)
    await post(upstream, url)

    assert How.RESET is (await failure(upstream, url)).how
    assert len(requests) == 3


async def test_abort_ends_a_pending_read_with_the_given_reason(
    upstream: Upstream, serve: Serve
) -> None:
    closed = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(CHUNKED)
        await reader.read()
        closed.set()

    async with attempted(upstream, "POST", await serve(script), {}, b"", PATIENCE) as reply:
        asyncio.get_running_loop().call_soon(reply.abort)
        with pytest.raises(AttemptFailed) as caught:
            await reply.read()

        assert How.STALLED is caught.value.how
        await closed.wait()


async def test_an_unread_body_closes_the_connection(upstream: Upstream, serve: Serve) -> None:
    closed: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(CHUNKED + b"3\r\none\r\n")
        closed.set_result(await reader.read())

    async with attempted(upstream, "POST", await serve(script), {}, b"", PATIENCE):
        assert not closed.done()

    assert await closed == b""


async def test_a_cancelled_request_closes_the_connection(upstream: Upstream, serve: Serve) -> None:
    began, closed = asyncio.Event(), asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await head(reader)
        began.set()
        await reader.read()
        closed.set()

    task = asyncio.create_task(post(upstream, await serve(script)))
    await began.wait()
    task.cancel()

    await closed.wait()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_body_is_read_up_to_the_limit(upstream: Upstream, serve: Serve) -> None:
    url = await serve(answering(b"HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\n123456789"))

    async with attempted(upstream, "POST", url, {}, b"", PATIENCE) as reply:
        assert await reply.read_error(5) == b"12345"


async def test_an_error_body_that_breaks_off_is_what_came() -> None:
    body = AsyncMock(side_effect=[b"12", b"3", aiohttp.ClientPayloadError()])
    response = Mock(spec=aiohttp.ClientResponse, content=Mock(readany=body), status=500)
    reply = Reply(SessionAnswer(response))

    assert await reply.read_error(100) == b"123"


async def test_an_attempt_is_decoded_and_a_forwarded_answer_is_not(
    upstream: Upstream, serve: Serve
) -> None:
    packed = gzip.compress(b"text", mtime=0)
    url = await serve(
        answering(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(packed), packed)
        )
    )

    assert await post(upstream, url) == b"text"
    async with forwarded(upstream, "GET", url, {}, None, PATIENCE) as reply:
        assert packed == await whole(reply)


def framed(body: bytes) -> dict[str, bytes]:
    """Return a body in each framing."""
    ok = b"HTTP/1.1 200 OK\r\n"
    return {
        "length": ok + b"Content-Length: %d\r\n\r\n" % len(body) + body,
        "chunks": CHUNKED + chunk(body[:9]) + chunk(body[9:]) + END,
        "end of the connection": ok + b"\r\n" + body,
    }


DRAWN = bytes(range(256)) * 4000


@pytest.mark.parametrize("begun", [0, 7])
@pytest.mark.parametrize("answer", framed(DRAWN).values(), ids=framed(DRAWN).keys())
async def test_a_body_is_read_into_the_memory_of_its_reader(
    upstream: Upstream, serve: Serve, answer: bytes, begun: int
) -> None:
    url, target = await serve(cutting(answer)), bytearray(len(DRAWN) + 1)
    async with forwarded(upstream, "POST", url, {}, b"", PATIENCE, PICTURE) as reply:
        if begun:
            data = await reply.read()
            reply.put_back(data)
        size = await reply.fill(memoryview(target))

    assert (size, bytes(target[:size])) == (len(DRAWN), DRAWN)
    assert reply.how is How.EOF


@pytest.mark.parametrize("answer", framed(DRAWN).values(), ids=framed(DRAWN).keys())
async def test_what_has_no_room_in_the_memory_can_be_read_behind_it(
    upstream: Upstream, serve: Serve, answer: bytes
) -> None:
    url, target = await serve(cutting(answer)), bytearray(700_000)
    async with forwarded(upstream, "POST", url, {}, b"", PATIENCE, PICTURE) as reply:
        assert await reply.fill(memoryview(target)) == len(target)
        assert bytes(target) + await whole(reply) == DRAWN


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_a_body_that_is_cut_fills_nothing(
    upstream: Upstream, serve: Serve, framing: str
) -> None:
    url = await serve(cutting(framed(DRAWN)[framing][:-9]))
    async with forwarded(upstream, "POST", url, {}, b"", PATIENCE, PICTURE) as reply:
        with pytest.raises(AttemptFailed) as caught:
            await reply.fill(memoryview(bytearray(len(DRAWN))))

    assert caught.value.how is How.RESET


async def test_a_connection_that_filled_memory_serves_the_next_request(
    upstream: Upstream, serve: Serve
) -> None:
    requests: list[bytes] = []

    async def script(reader: Reader, writer: Writer) -> None:
        while True:
            requests.append(await head(reader))
            writer.write(framed(DRAWN)["length"])

    url = await serve(script)
    async with asyncio.timeout(PATIENCE):
        async with forwarded(upstream, "POST", url, {}, b"", PATIENCE, PICTURE) as reply:
            await reply.fill(memoryview(bytearray(len(DRAWN))))
        async with forwarded(upstream, "POST", url, {}, b"", PATIENCE, PICTURE) as reply:
            assert await whole(reply) == DRAWN

    assert len(requests) == 2


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for piece in data:
        yield piece


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Content-Length": "6"}, b"Content-Length: 6\r\n\r\nonetwo"),
        ({}, b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"),
    ],
)
async def test_a_forwarded_body_is_streamed_with_its_length_or_in_chunks(
    upstream: Upstream, serve: Serve, headers: dict[str, str], expected: bytes
) -> None:
    seen: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n")
        await reader.readuntil(b"\r\n")
        seen.set_result(await reader.readexactly(len(expected)))
        writer.write(OK)

    url = await serve(script)
    async with forwarded(upstream, "POST", url, headers, pieces(b"one", b"two"), PATIENCE) as reply:
        assert await whole(reply) == b"ok"

    assert expected == await seen


async def test_a_forwarded_request_is_never_repeated(upstream: Upstream, serve: Serve) -> None:
    requests: list[bytes] = []
    url = await serve(once_per_connection(requests, reset=False, answers=1))
    await post(upstream, url)

    with pytest.raises(AttemptFailed) as caught:
        async with forwarded(upstream, "POST", url, {}, None, PATIENCE):
            pass

    assert How.RESET is caught.value.how
    assert len(requests) == 2


@pytest.mark.parametrize(("begun", "how"), [(b"", How.NO_FIRST_BYTE), (CHUNKED, How.STALLED)])
async def test_a_forwarded_answer_may_not_be_silent_for_long(
    upstream: Upstream, serve: Serve, begun: bytes, how: How
) -> None:
    url = await serve(answering(begun))

    with pytest.raises(AttemptFailed) as caught:
        async with forwarded(upstream, "GET", url, {}, None, 0.5) as reply:
            await reply.read()

    assert how is caught.value.how


async def test_requests_go_through_the_proxy_with_its_credential(
    serve: Serve, *, direct: bool
) -> None:
    heads: list[bytes] = []

    async def script(reader: Reader, writer: Writer) -> None:
        heads.append(await head(reader))
        writer.write(OK)

    proxy = (await serve(script)).origin().with_user("user").with_password("test-pass")
    async with open_upstream(connect_timeout=PATIENCE, proxy=proxy, direct=direct) as opened:
        assert "test-pass" not in repr(opened)
        assert await post(opened, URL("http://upstream.invalid/v1/m")) == b"ok"

    assert heads[0].startswith(b"POST http://upstream.invalid/v1/m HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic dXNlcjp0ZXN0LXBhc3M=\r\n" in heads[0]


async def test_a_proxy_that_refuses_the_tunnel_is_unreachable(
    serve: Serve, *, direct: bool
) -> None:
    proxy = (await serve(answering(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"))).origin()

    async with open_upstream(connect_timeout=PATIENCE, proxy=proxy, direct=direct) as opened:
        failed = await failure(opened, URL("https://upstream.invalid/v1/m?secret"))

    assert How.UNREACHABLE is failed.how
    assert "403" in failed.detail
    assert "secret" not in failed.detail
