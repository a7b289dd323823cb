"""Bytes in, bytes out: the whole application between two raw sockets."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator

import attrs
import pytest
from yarl import URL

from gemproxy import settings
from gemproxy.app import create_app
from tests.sockets import (
    CHUNKED,
    END,
    OK,
    Reader,
    Script,
    Writer,
    answering,
    chunk,
    connected,
    cutting,
    exchange,
    head,
    running,
    scripted,
)

GET = b"GET /v1beta/files HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


@contextlib.asynccontextmanager
async def proxied(script: Script, base: str = "", patience: float = 30.0) -> AsyncIterator[int]:
    """Run the proxy before an upstream that runs ``script``; yield the proxy's port."""
    async with scripted(script) as url, running_before(url.joinpath(base), patience) as port:
        yield port


@contextlib.asynccontextmanager
async def running_before(url: URL, patience: float = 30.0) -> AsyncIterator[int]:
    upstream = settings.Upstream(url_base=str(url), first_byte_timeout_seconds=patience)
    async with running(create_app(settings.Settings(upstream=upstream))) as port:
        yield port


@attrs.frozen
class Seen:
    """What an upstream received: the request line, the header lines, the body."""

    line: str
    headers: list[str]
    body: bytes


async def passed(request: bytes, body_size: int = 0, base: str = "") -> Seen:
    """Send a request through the proxy and return what the upstream received."""
    seen: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(reader: Reader, writer: Writer) -> None:
        seen.set_result(await head(reader) + await reader.readexactly(body_size))
        writer.write(OK)

    async with proxied(script, base) as port:
        answer, body = await exchange(port, request)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert body == b"ok"
    top, _, rest = (await seen).partition(b"\r\n\r\n")
    line, *headers = top.decode().split("\r\n")
    return Seen(line, [header for header in headers if not header.startswith("Host:")], rest)


async def answer_to(script: Script, request: bytes = GET) -> tuple[bytes, bytes]:
    async with proxied(script) as port:
        return await exchange(port, request)


@pytest.mark.parametrize(
    "target",
    [
        "/v1beta/models?pageSize=5&filter=a%2Fb+c",
        "/v1/files/abc:download?alt=media",
        "/v1/a%2Fb//c?x=%zz",
        "/upload/v1beta/files",
    ],
)
async def test_the_target_goes_up_byte_for_byte(target: str) -> None:
    seen = await passed(GET.replace(b"/v1beta/files", target.encode()))

    assert seen.line == f"GET {target} HTTP/1.1"


async def test_a_doubled_slash_is_collapsed_and_the_base_comes_first() -> None:
    seen = await passed(GET.replace(b"/v1beta", b"//v1beta"), base="gate/a")

    assert seen.line == "GET /gate/a/v1beta/files HTTP/1.1"


async def test_a_target_with_a_host_of_its_own_does_not_leave_the_upstream() -> None:
    seen = await passed(GET.replace(b"/v1beta", b"http://evil.example/v1beta"))

    assert seen.line == "GET /v1beta/files HTTP/1.1"


@pytest.mark.parametrize(
    ("request_", "credential"),
    [
        (GET.replace(b"files", b"files?key=test-key"), "x-goog-api-key: test-key"),
        (GET.replace(b"Host", b"X-Goog-Api-Key: test-key\r\nHost"), "x-goog-api-key: test-key"),
        (GET.replace(b"Host", b"Authorization: Bearer AQ.k\r\nHost"), "x-goog-api-key: AQ.k"),
        (
            GET.replace(b"Host", b"Authorization: Bearer ya29.t\r\nHost"),
            "Authorization: Bearer ya29.t",
        ),
        (
            GET.replace(b"files", b"openai/models").replace(b"Host", b"X-Goog-Api-Key: k\r\nHost"),
            "Authorization: Bearer k",
        ),
    ],
)
async def test_the_credential_goes_up_in_its_header(request_: bytes, credential: str) -> None:
    seen = await passed(request_)

    assert seen.headers == [credential]
    assert "?" not in seen.line


async def test_headers_go_up_as_they_came_and_nothing_is_added() -> None:
    sent = b"Accept-Encoding: br\r\nX-Many: 1\r\nX-Many: 2\r\nCookie: a=1\r\nX-Goog-User-Project: p"

    seen = await passed(GET.replace(b"Host", sent + b"\r\nHost"))

    assert seen.headers == [
        "Accept-Encoding: br",
        "X-Many: 1",
        "X-Many: 2",
        "X-Goog-User-Project: p",
    ]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_body_goes_up_with_its_length(method: str) -> None:
    body = gzip.compress(b"text", mtime=0)
    top = GET.replace(b"GET", method.encode()).replace(
        b"Host", b"Content-Encoding: gzip\r\nContent-Length: %d\r\nHost" % len(body)
    )

    seen = await passed(top + body, len(body))

    assert seen.line.startswith(method)
    assert seen.headers == ["Content-Encoding: gzip", f"Content-Length: {len(body)}"]
    assert seen.body == body


async def test_a_chunked_body_goes_up_in_chunks() -> None:
    top = GET.replace(b"GET", b"POST").replace(b"Host", b"Transfer-Encoding: chunked\r\nHost")
    body = chunk(b"one") + END

    seen = await passed(top + body, len(body))

    assert seen.headers == ["Transfer-Encoding: chunked"]
    assert seen.body == body


async def test_a_body_is_streamed_before_it_is_complete() -> None:
    first = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await head(reader)
        assert await reader.readexactly(3) == b"one"
        first.set()
        assert await reader.readexactly(3) == b"two"
        writer.write(OK)

    top = GET.replace(b"GET", b"POST").replace(b"Host", b"Content-Length: 6\r\nHost")
    async with proxied(script) as port, connected(port, top + b"one") as client:
        await first.wait()
        client.writer.write(b"two")
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", b"302"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}", b"404"),
        (b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\n\r\n{}", b"429"),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", b"503"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"204"),
    ],
)
async def test_every_status_comes_down(sent: bytes, status: bytes) -> None:
    top, body = await answer_to(answering(sent))

    assert top.split()[1] == status
    assert body == sent.partition(b"\r\n\r\n")[2]


async def test_an_answer_comes_down_as_it_was_packed() -> None:
    packed = gzip.compress(b"text", mtime=0)
    sent = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)

    top, body = await answer_to(answering(sent, packed))

    assert b"Content-Encoding: gzip" in top
    assert b"Content-Length: %d" % len(packed) in top
    assert body == packed


async def test_headers_come_down_without_those_of_the_hop() -> None:
    sent = (
        b"HTTP/1.1 200 OK\r\nVary: a\r\nVary: b\r\nServer: ESF\r\nAlt-Svc: h3\r\n"
        b"Set-Cookie: a=1\r\nKeep-Alive: 5\r\nContent-Type: text/x\r\nContent-Length: 2\r\n\r\nok"
    )

    top, _ = await answer_to(answering(sent))

    assert top.count(b"Vary: ") == 2
    assert b"Server: ESF" in top
    assert b"Content-Type: text/x" in top
    assert not any(name in top for name in (b"Alt-Svc", b"Set-Cookie", b"Keep-Alive"))


async def test_a_head_request_has_the_length_of_what_it_does_not_send() -> None:
    sent = b"HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n"

    top, body = await answer_to(answering(sent), GET.replace(b"GET", b"HEAD"))

    assert b"Content-Length: 77" in top
    assert body == b""


async def test_an_answer_is_streamed_before_it_is_complete() -> None:
    go_on = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(CHUNKED + chunk(b"one"))
        await go_on.wait()
        writer.write(chunk(b"two") + END)

    async with proxied(script) as port, connected(port, GET) as client:
        await client.head()
        assert await client.reader.readexactly(8) == chunk(b"one")
        go_on.set()
        assert await client.rest() == chunk(b"two") + END


@pytest.mark.parametrize(
    "sent", [CHUNKED + b"3\r\none\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\none"]
)
async def test_an_answer_that_breaks_off_is_not_completed(sent: bytes) -> None:
    go_on = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(sent)
        await go_on.wait()

    async with proxied(script) as port, connected(port, GET.replace(b"close", b"x")) as client:
        await client.head()
        body = await client.reader.readuntil(b"one")
        go_on.set()
        body += await client.rest()

    assert body.rstrip() in {b"3\r\none", b"one"}


@pytest.mark.parametrize(
    ("script", "status", "code"),
    [
        (cutting(), 502, "UNAVAILABLE"),
        (cutting(b"no HTTP\r\n\r\n"), 502, "UNAVAILABLE"),
        (answering(), 504, "DEADLINE_EXCEEDED"),
    ],
)
async def test_no_answer_is_an_error_of_googles_form(
    script: Script, status: int, code: str
) -> None:
    async with proxied(script, patience=0.05) as port:
        top, body = await exchange(port, GET)

    assert int(top.split()[1]) == status
    assert json.loads(body)["error"]["status"] == code


async def test_an_upstream_that_cannot_be_reached_is_unavailable() -> None:
    async with scripted(answering()) as url:
        pass  # nobody listens there any more

    async with running_before(url) as port:
        top, body = await exchange(port, GET.replace(b"files", b"files?key=test-key"))

    assert top.startswith(b"HTTP/1.1 503 ")
    assert json.loads(body)["error"]["message"] == "The upstream cannot be reached."


async def test_a_path_that_climbs_is_refused() -> None:
    top, _ = await answer_to(answering(OK), GET.replace(b"files", b"../x"))

    assert top.startswith(b"HTTP/1.1 400 ")


async def test_a_client_that_leaves_ends_the_upstream_request() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def script(reader: Reader, _writer: Writer) -> None:
        await head(reader)
        began.set()
        await reader.read()
        ended.set()

    async with proxied(script) as port, connected(port, GET) as client:
        await began.wait()
        client.writer.close()
        await ended.wait()
