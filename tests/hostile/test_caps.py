"""Bodies and targets that are too slow, too large, compressed, or no JSON that one should parse."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator

import attrs
import pytest

from gemproxy.chaos.answers import Answer
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.gemini import chunk, sse
from tests.running import StartProxy
from tests.sockets import END, Reader, Writer, connected, head, scripted
from tests.sockets import chunk as http_chunk
from tests.wire import KEY, STREAM

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
