"""Bodies and targets that are too slow, too large, compressed, or no JSON that one should parse."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest

from gemproxy.chaos.answers import Answer
from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.routes.parts import PRESENT
from tests.gemini import BODY, chunk, sse
from tests.running import PATIENCE, Proxy, StartProxy
from tests.sockets import END, Reader, Writer, connected, head, scripted
from tests.sockets import chunk as http_chunk
from tests.wire import ARRAY, KEY, STREAM

UNARY = "/v1beta/models/gemini-test:generateContent"
FILES = "/upload/v1beta/files"
ANYTHING = "/v1beta/corpora"
STREAMED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


@pytest.mark.parametrize("target", [STREAM, UNARY, FILES, ANYTHING])
@pytest.mark.parametrize("length", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
async def test_a_body_that_comes_to_a_halt_is_given_up(
    target: str, length: bytes, proxy: StartProxy
) -> None:
    async with ChaosServer(Script(Answer("x"))) as server:
        served = await proxy(server, server={"request_body_timeout": 0.01})
        top = b"POST %b HTTP/1.1\r\nHost: h\r\n%b\r\nx-goog-api-key: k\r\n\r\n"
        begun = b"2\r\n{}\r\n" if b"chunked" in length else b"{}"
        async with connected(
            port_of(served.url), top % (target.encode(), length) + begun
        ) as client:
            start = await client.head()
            size = int(start.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
            error = json.loads(await client.reader.readexactly(size))["error"]

    assert start.startswith(b"HTTP/1.1 408 ")
    assert error["status"] == "DEADLINE_EXCEEDED"


async def test_a_body_that_drips_is_given_up(proxy: StartProxy) -> None:
    """Each byte comes in time; all of them together do not."""
    slow = {"request_body_timeout": 0.05, "request_body_rate": 10**9}
    async with ChaosServer(Script(Answer("x"))) as server:
        served = await proxy(server, server=slow)
        top = b"POST %b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        for target in (STREAM, UNARY, FILES, ANYTHING):
            async with connected(port_of(served.url), top % target.encode()) as client:
                answer = asyncio.create_task(client.head())
                while not answer.done():
                    client.writer.write(http_chunk(b" "))
                    await asyncio.sleep(0)
                assert (await answer).startswith(b"HTTP/1.1 408 ")


INTERACTIONS = "/v1beta/interactions"
COUNT = "/v1beta/models/gemini-test:countTokens"
CHAT = "/v1beta/openai/chat/completions"
CAPPED = (STREAM, ARRAY, UNARY, COUNT, INTERACTIONS, CHAT, ANYTHING)
SMALL = {"max_body_bytes": 1000, "request_body_timeout": 0.05}


@attrs.define
class Uploaded:
    """An upstream that keeps the bytes that it was sent, and answers a body that is whole."""

    received: list[bytes] = attrs.field(factory=list)

    async def script(self, reader: Reader, writer: Writer) -> None:
        await head(reader)
        self.received.append(b"")
        while data := await reader.read(1 << 16):
            self.received[-1] += data
            if self.received[-1].endswith(END):
                writer.write(STREAMED + http_chunk(sse(chunk("x", finish="STOP"))) + END)


async def refused(served: Proxy, target: str, top: bytes, body: bytes) -> tuple[bytes, Any]:
    """Send a body that has no end, and return status line and JSON of the answer."""
    start = b"POST %b HTTP/1.1\r\nHost: h\r\nx-goog-api-key: k\r\n%b\r\n\r\n"
    async with connected(port_of(served.url), start % (target.encode(), top) + body) as client:
        answer = await client.head()
        size = int(answer.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
        return answer, json.loads(await client.reader.readexactly(size))


@pytest.mark.parametrize("keep", [10, 10_000])
@pytest.mark.parametrize("target", CAPPED)
@pytest.mark.parametrize(
    ("top", "body", "status"),
    [
        (b"Transfer-Encoding: chunked", http_chunk(b" " * 999) + http_chunk(b"  "), 413),
        (b"Content-Length: 1001", b" " * 1001, 413),
        (b"Transfer-Encoding: chunked", http_chunk(b" " * 900), 408),
        (b"Content-Length: 1000", b" " * 900, 408),
    ],
)
async def test_a_body_at_fault_is_told_as_such_on_every_route(
    target: str, keep: int, top: bytes, body: bytes, status: int, proxy: StartProxy
) -> None:
    upstream = Uploaded()
    async with scripted(upstream.script) as url:
        served = await proxy(
            str(url),
            server=SMALL,
            repair={"keep_body_bytes": keep},
            client={"headers_after_seconds": 0.001, "heartbeat_seconds": 0.001},
        )
        start, document = await refused(served, target, top, body)

    assert start.startswith(b"HTTP/1.1 %d " % status)
    ended = top == b"Content-Length: 1001"
    assert (b"\r\nConnection: close\r\n" in start) is not ended
    error = document[0]["error"] if target == ARRAY else document["error"]
    assert error["code"] == status
    assert not any(received.endswith(END) for received in upstream.received), "half is not all"


async def test_large_bodies_take_no_repair_from_small_ones(proxy: StartProxy) -> None:
    """Two that are too large to keep, and two that halt; the room was meant for two."""
    room = {"keep_body_bytes": 100_000, "keep_total_bytes": 200_000, "retry_delay_ms": 1}
    start = b"POST %b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" % STREAM.encode()
    async with ChaosServer(Script(Answer("A story. " * 60), [parse_fault("rst@event:3")])) as calm:
        served = await proxy(calm, repair=room)
        bodies = served.app[PRESENT].live.repair.bodies
        async with contextlib.AsyncExitStack() as stack:
            for size in (150_000, 150_000, 99_999, 99_999):
                sent = start + http_chunk(b" " * size)
                await stack.enter_async_context(connected(port_of(served.url), sent))
            async with asyncio.timeout(PATIENCE):
                while len(bodies.passing) < 2 or bodies.held < 199_998:  # noqa: ASYNC110 (not told)
                    await asyncio.sleep(0)
            answer = await served.ask(STREAM, BODY, KEY)

    assert answer.text == "A story. " * 60


@pytest.mark.parametrize("target", [STREAM, UNARY])
async def test_a_compressed_body_that_has_to_be_read_is_refused(
    target: str, proxy: StartProxy
) -> None:
    async with ChaosServer(Script(Answer("x"))) as server:
        served = await proxy(server)
        packed = {**KEY, "Content-Encoding": "gzip"}
        answer = await served.ask(target, gzip.compress(b"{}"), packed)

        assert answer.status == 415
        assert b"INVALID_ARGUMENT" in answer.body
        assert server.requests == []


@attrs.define
class Echo:
    """An upstream that keeps what it is sent, and answers with a stream."""

    targets: list[bytes] = attrs.field(factory=list)
    bodies: list[bytes] = attrs.field(factory=list)
    cuts: int = 0

    async def script(self, reader: Reader, writer: Writer) -> None:
        while True:
            start = await head(reader)
            size = int(start.partition(b"Content-Length: ")[2].split(b"\r\n")[0] or 0)
            self.targets.append(start.split(b" ")[1])
            self.bodies.append(await reader.readexactly(size))
            finish = None if len(self.bodies) <= self.cuts else "STOP"
            writer.write(STREAMED + http_chunk(sse(chunk("Told. ", finish=finish))) + END)


@contextlib.asynccontextmanager
async def echo(cuts: int = 0) -> AsyncIterator[tuple[Echo, str]]:
    upstream = Echo(cuts=cuts)
    async with scripted(upstream.script) as url:
        yield upstream, str(url)


def turn(text: str) -> bytes:
    return b'{"contents":[{"role":"user","parts":[{"text":%b}]}]}' % text.encode("utf-8")


BOMBS: dict[str, bytes] = {
    "nested arrays": b'{"contents":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "nested arrays without an end": b"[" * 100_000,
    "an integer of 5,000 digits": b'{"contents":[],"n":' + b"9" * 5000 + b"}",
    "NaN": b'{"contents":[],"n":NaN}',
    "Infinity": b'{"contents":[],"n":-Infinity}',
    "1e999": b'{"contents":[],"n":1e999}',
    "a name that comes twice": b'{"contents":[],"contents":[{"parts":[{"text":"x"}]}]}',
    "a lone surrogate": turn('"\\ud800"'),
    "UTF-16": turn('"x"').decode().encode("utf-16"),
    "no UTF-8": b'{"contents":"\xff\xfe\x80"}',
    "many small parts": b'{"contents":[{"parts":[' + b'{"text":""},' * 500_000 + b"{}]}]}",
    "a large image": turn('"' + "A" * (20 << 20) + '"'),
    "nothing": b"",
    "a number": b"1",
    "a list": b"[]",
    "null": b"null",
}


@pytest.mark.parametrize("name", BOMBS)
async def test_the_first_attempt_carries_the_clients_own_bytes(
    name: str, proxy: StartProxy
) -> None:
    async with echo() as (upstream, url):
        answer = await (await proxy(url)).ask(STREAM, BOMBS[name], KEY)

    assert answer.status == 200
    assert upstream.bodies == [BOMBS[name]]


@pytest.mark.parametrize("name", BOMBS)
async def test_a_cut_after_such_a_body_is_repaired_or_told_loudly(
    name: str, proxy: StartProxy, access_log: object
) -> None:
    async with echo(cuts=1) as (upstream, url):
        served = await proxy(url, repair={"retry_delay_ms": 1})
        async with served.connect() as connection:
            with contextlib.suppress(ConnectionError, EOFError, asyncio.IncompleteReadError):
                answer = await connection.ask(STREAM, BOMBS[name], KEY)
                assert b"Traceback" not in answer.body
                assert b"STOP" in answer.body or b'"error"' in answer.body

    assert 1 <= len(upstream.bodies) <= 6


@pytest.mark.parametrize(
    "target",
    [
        "/v1beta/../../etc/passwd",
        "/v1beta/%2e%2e/%2E%2E/x",
        "/v1beta/..%2fx",
        "/v1beta/..\\x",
        "/v1beta/..%5cx",
    ],
)
async def test_a_target_that_climbs_is_refused(target: str, proxy: StartProxy) -> None:
    async with echo() as (upstream, url):
        answer = await (await proxy(url)).ask(target, b"{}", KEY)

        assert answer.status == 400
        assert upstream.targets == []


@pytest.mark.parametrize(
    "target",
    [
        "//evil.test/x",
        "/@evil.test/x",
        "/v1beta/%0d%0aX-A:%20b",
        "/v1beta/%00",
        "/v1beta/a%2Fb",
        "/v1beta/a//b///",
        "/http://evil.test/x",
        "/v1beta/" + "x" * 8000,
        "/v1beta/x?a=b?c=d&&=&%",
    ],
)
async def test_any_other_target_goes_to_the_upstream_as_it_came(
    target: str, proxy: StartProxy
) -> None:
    async with echo() as (upstream, url):
        await (await proxy(url)).ask(target, b"{}", KEY)

    assert upstream.targets == [b"/" + target.encode().lstrip(b"/")]


@pytest.mark.parametrize("value", ["a b", "a\tb", "x" * 129, "<script>", 'a"b', "é"])
async def test_a_request_id_that_could_do_harm_is_replaced(value: str, proxy: StartProxy) -> None:
    async with echo() as (_, url):
        answer = await (await proxy(url)).ask(STREAM, b"{}", {**KEY, "X-Request-Id": value})

    assert answer.headers["X-Request-Id"] != value
    assert answer.headers["X-Request-Id"].isalnum()
