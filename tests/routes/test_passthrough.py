"""Bytes in, bytes out: the whole application between two raw sockets."""

import asyncio
import contextlib
import gzip
import json
import re
from collections.abc import AsyncIterator

import attrs
import pytest
from aiohttp import web
from yarl import URL

from gemproxy.config import sections, settings
from gemproxy.relay.parting import NEVER
from gemproxy.routes.parts import IN_FLIGHT
from gemproxy.web.app import create_app
from tests.chaos.client import dechunked
from tests.running import LINGER
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
    async with running(app_before(url, patience)) as port:
        yield port


def app_before(url: URL, patience: float = 30.0) -> web.Application:
    upstream = sections.Upstream(url_base=str(url), first_byte_timeout_seconds=patience)
    repair = sections.Repair(retry_delay_ms=1, max_delay_ms=1)
    app = create_app(settings.Settings(upstream=upstream, repair=repair))
    app[IN_FLIGHT].patience = LINGER
    return app


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

    seen = await passed(GET.replace(b"files", b"models").replace(b"Host", sent + b"\r\nHost"))

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
        (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", b"302"),
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

    assert body in {chunk(b"one") + NEVER, b"one"}


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
    began = asyncio.Event()
    ended: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(reader: Reader, _writer: Writer) -> None:
        await head(reader)
        began.set()
        ended.set_result(await reader.read())

    async with proxied(script) as port, connected(port, GET) as client:
        await began.wait()
        assert not ended.done()
        client.writer.close()

        assert await ended == b""


async def test_a_range_and_a_condition_pass_both_ways() -> None:
    sent = b'Range: bytes=2-4\r\nIf-Range: "e"\r\nIf-None-Match: "f"'
    answer = (
        b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-4/10\r\n"
        b'ETag: "e"\r\nAccept-Ranges: bytes\r\nContent-Length: 3\r\n\r\n234'
    )
    target = GET.replace(b"files", b"files/a:download?alt=media")

    seen = await passed(target.replace(b"Host", sent + b"\r\nHost"))
    top, body = await answer_to(answering(answer), target)

    assert seen.headers == sent.decode().split("\r\n")
    assert top.startswith(b"HTTP/1.1 206 ")
    assert b"Content-Range: bytes 2-4/10" in top
    assert body == b"234"


@pytest.mark.parametrize("status", [b"304 Not Modified", b"416 Range Not Satisfiable"])
async def test_an_answer_without_content_passes(status: bytes) -> None:
    sent = b'HTTP/1.1 %s\r\nETag: "e"\r\nContent-Length: 0\r\n\r\n' % status

    top, body = await answer_to(answering(sent), GET.replace(b"files", b"files/a:download"))

    assert top.split()[1] == status.split()[0]
    assert body == b""


DOWNLOAD = GET.replace(b"files", b"files/a:download?alt=media&key=test-key")


async def test_a_redirect_within_the_upstream_is_followed_with_the_credential() -> None:
    tops: list[bytes] = []

    async def script(reader: Reader, writer: Writer) -> None:
        tops.append(await head(reader))
        if len(tops) == 1:
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: /media/a\r\nContent-Length: 0\r\n\r\n")
        else:
            writer.write(OK)

    top, body = await answer_to(script, DOWNLOAD.replace(b"Host", b"Range: bytes=0-1\r\nHost"))

    assert top.startswith(b"HTTP/1.1 200 ")
    assert body == b"ok"
    assert tops[1].startswith(b"GET /media/a HTTP/1.1\r\n")
    assert b"Range: bytes=0-1" in tops[1]
    assert b"x-goog-api-key: test-key" in tops[1]


@pytest.mark.parametrize("repair", [b"on", b"off"])
async def test_a_redirect_to_another_host_is_the_clients_to_follow(repair: bytes) -> None:
    sent = b"HTTP/1.1 302 Found\r\nLocation: http://localhost/a\r\nContent-Length: 0\r\n\r\n"
    request = DOWNLOAD.replace(b"Host", b"X-Gemproxy-Repair: %s\r\nHost" % repair)

    top, _ = await answer_to(answering(sent), request)

    assert top.startswith(b"HTTP/1.1 302 ")
    assert b"Location: http://localhost/a\r\n" in top


async def test_a_redirect_that_is_not_followed_leads_to_our_base() -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        host = (await head(reader)).partition(b"Host: ")[2].partition(b"\r\n")[0]
        location = b"http://" + host + b"/v1/x?key=test-key"
        writer.write(b"HTTP/1.1 307 Go\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % location)

    top, _ = await answer_to(script, GET.replace(b"GET", b"POST"))

    assert b"Location: http://h/v1/x\r\n" in top


def json_answer(document: object, *headers: bytes) -> bytes:
    body = json.dumps(document).encode()
    named = b"".join(header + b"\r\n" for header in headers)
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\n"
        b"%bContent-Length: %d\r\n\r\n%b" % (named, len(body), body)
    )


def naming_itself(*headers: bytes, padding: int = 0) -> Script:
    """Return the script of an upstream that names a file of its own by its URI."""

    async def script(reader: Reader, writer: Writer) -> None:
        host = (await head(reader)).partition(b"Host: ")[2].partition(b"\r\n")[0].decode()
        document = {"uri": f"http://{host}/v1beta/files/abc", "x": "x" * padding}
        writer.write(json_answer(document, *headers))

    return script


SECURE = GET.replace(b"Host", b"Accept-Encoding: gzip\r\nX-Forwarded-Proto: https\r\nHost")


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_over_https_an_answer_names_files_on_our_base(method: bytes) -> None:
    top, body = await answer_to(naming_itself(), SECURE.replace(b"GET", method))

    assert json.loads(body)["uri"] == "https://h/v1beta/files/abc"
    assert b"Content-Length: %d" % len(body) in top


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_over_http_an_answer_passes_untouched(method: bytes) -> None:
    _, body = await answer_to(naming_itself(), GET.replace(b"GET", method))

    assert json.loads(body)["uri"].startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("script", "request_"),
    [
        (naming_itself(padding=2 << 20), SECURE.replace(b"GET", b"POST")),
        (naming_itself(b"Content-Encoding: x-own"), SECURE),
        (naming_itself(b"Content-Encoding: x-own"), SECURE.replace(b"GET", b"POST")),
        (naming_itself(), SECURE.replace(b"files", b"models")),
        (naming_itself(), SECURE.replace(b"files", b"models").replace(b"GET", b"POST")),
    ],
)
async def test_a_large_a_packed_and_any_other_answer_pass_untouched(
    script: Script, request_: bytes
) -> None:
    _, body = await answer_to(script, request_)

    assert json.loads(body)["uri"].startswith("http://127.0.0.1:")


async def test_a_large_answer_of_unknown_length_passes_whole() -> None:
    large = json.dumps({"x": "y" * (3 << 20)}).encode()
    sent = b"Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n"
    script = answering(
        b"HTTP/1.1 200 OK\r\n" + sent, chunk(large[: 2 << 20]), chunk(large[2 << 20 :]), END
    )

    _, body = await answer_to(script, GET.replace(b"GET", b"POST"))

    assert dechunked(body) == large


async def test_an_answer_that_may_be_packed_is_asked_for_unpacked_where_uris_are_read() -> None:
    seen = await passed(SECURE.replace(b"GET", b"POST"))

    assert "Accept-Encoding: identity" in seen.headers


@pytest.mark.parametrize(
    "path", [b"models/g:generateContent", b"models/g:countTokens", b"cachedContents"]
)
async def test_our_uri_in_a_request_becomes_the_upstreams(path: bytes) -> None:
    body = b'{"contents":[{"parts":[{"fileData":{"fileUri":"https://h/v1beta/files/abc"}}]}]}'
    top = GET.replace(b"GET", b"POST").replace(b"files", path)
    lines = b"Content-Type: application/json\r\nContent-Length: %d\r\nHost" % len(body)
    seen: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(reader: Reader, writer: Writer) -> None:
        start = await head(reader)
        size = int(start.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
        seen.set_result(await reader.readexactly(size))
        candidate = {"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}
        writer.write(json_answer({"candidates": [candidate]}))

    await answer_to(script, top.replace(b"Host", lines) + body)

    uri = json.loads(await seen)["contents"][0]["parts"][0]["fileData"]["fileUri"]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1beta/files/abc", uri)


POST = GET.replace(b"GET", b"POST").replace(b"files", b"cachedContents")


@contextlib.asynccontextmanager
async def capped(script: Script, limit: int = 10) -> AsyncIterator[int]:
    """Run the proxy with a cap on request bodies; yield its port."""
    async with scripted(script) as url:
        made = settings.Settings(
            upstream=sections.Upstream(url_base=str(url)),
            server=sections.Server(max_body_bytes=limit),
        )
        async with running(create_app(made)) as port:
            yield port


async def taking_all(reader: Reader, writer: Writer) -> None:
    """Answer a request when its body is complete, however that is told."""
    start = await head(reader)
    if b"chunked" in start:
        await reader.readuntil(END)
    else:
        size = int(start.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(size)
    writer.write(OK)


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        (b"Content-Length: 11", b"x" * 11),
        (b"Content-Length: 11\r\nContent-Type: application/json", b'"123456789"'),
        (b"Transfer-Encoding: chunked", chunk(b"x" * 11) + END),
    ],
)
async def test_a_body_beyond_the_cap_is_refused(lines: bytes, body: bytes) -> None:
    async with capped(taking_all) as port:
        top, answer = await exchange(port, POST.replace(b"Host", lines + b"\r\nHost") + body)

    assert top.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer)["error"]["status"] == "INVALID_ARGUMENT"


async def test_a_form_with_a_file_has_no_cap() -> None:
    lines = b"Content-Length: 11\r\nContent-Type: multipart/form-data; boundary=x\r\nHost"

    async with capped(taking_all) as port:
        top, _ = await exchange(port, POST.replace(b"Host", lines) + b"x" * 11)

    assert top.startswith(b"HTTP/1.1 200 ")


async def test_an_answer_that_comes_before_the_body_is_complete_is_passed_on() -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

    top = POST.replace(b"Host", b"Content-Length: 9\r\nHost")
    async with proxied(script) as port, connected(port, top + b"one") as client:
        assert (await client.head()).startswith(b"HTTP/1.1 403 ")
        assert await client.reader.readexactly(2) == b"{}"


CHAT = b"/v1beta/openai/chat/completions"
INTERACTION = b"/v1beta/interactions/"
EVENT = b'data: {"id":"1"}\n\n'
EVENTS = b"Content-Type: text/event-stream\r\n"
STREAM = CHUNKED.replace(b"\r\n\r\n", b"\r\n" + EVENTS + b"\r\n")


def asking(path: bytes, version: bytes = b"1.1") -> bytes:
    return b"POST %b HTTP/%b\r\nHost: h\r\nContent-Length: 0\r\n\r\n" % (path, version)


async def broken(
    path: bytes,
    *pieces: bytes,
    headers: bytes = EVENTS,
    status: bytes = b"200",
) -> tuple[bytes, bytes]:
    """Return head and body of an answer whose upstream breaks off behind these pieces."""
    top = b"HTTP/1.1 %b Fine\r\n%b" % (status, headers)
    if b"Content-Length" in headers:
        told = [top + b"\r\n", *pieces]
    else:
        told = [top + b"Transfer-Encoding: chunked\r\n\r\n", *map(chunk, pieces)]
    async with proxied(cutting(*told)) as port, connected(port, asking(path)) as client:
        head = await client.head()
        body = bytearray()
        with contextlib.suppress(ConnectionResetError):
            while data := await client.reader.read(1 << 16):
                body += data
    return head, bytes(body)


def words_of(body: bytes, sent: bytes) -> bytes:
    """Return what follows ``sent`` in a chunked body that never ends."""
    assert body.endswith(NEVER)
    told = dechunked(body.removesuffix(NEVER) + END)
    assert told.startswith(sent)
    return told.removeprefix(sent)


@pytest.mark.parametrize("path", [CHAT, b"/v1beta/openai/completions", b"//v1/openai/" + CHAT])
@pytest.mark.parametrize("sent", [(), (EVENT,), (EVENT, EVENT[:5], EVENT[5:])])
async def test_a_chat_that_breaks_off_ends_with_openais_error(
    path: bytes, sent: tuple[bytes, ...]
) -> None:
    _, body = await broken(path, *sent)

    words = words_of(body, b"".join(sent))
    assert words.startswith(b"data: ")
    error = json.loads(words.removeprefix(b"data: "))["error"]
    assert error["code"] == "unavailable"
    assert "broke off" in error["message"]


async def test_in_http_1_0_the_error_is_followed_by_a_reset() -> None:
    script = cutting(STREAM, chunk(EVENT))
    async with proxied(script) as port, connected(port, asking(CHAT, b"1.0")) as client:
        await client.head()
        assert await client.reader.readuntil(b"\n\n") == EVENT
        assert b'"error"' in await client.reader.readuntil(b"\n\n")
        with pytest.raises(ConnectionResetError):
            await client.rest()


@pytest.mark.parametrize("path", [INTERACTION, b"/v1beta/interactions/int-1/"])
async def test_an_interaction_that_breaks_off_ends_with_an_error_event(path: bytes) -> None:
    _, body = await broken(path, EVENT)

    words = words_of(body, EVENT)
    assert words.startswith(b"event: error\ndata: {")
    assert b'"event_type":"error"' in words


GZIPPED = gzip.compress(EVENT, mtime=0)


@pytest.mark.parametrize(
    ("path", "sent", "headers", "status"),
    [
        (b"/v1beta/files", EVENT, EVENTS, b"200"),
        (b"/v1beta/openai/responses", EVENT, EVENTS, b"200"),
        (b"/v1beta/openai/chat/completions/x", EVENT, EVENTS, b"200"),
        (CHAT, EVENT, EVENTS, b"201"),
        (CHAT, EVENT, EVENTS, b"500"),
        (CHAT, EVENT, b"Content-Type: application/json\r\n", b"200"),
        (CHAT, EVENT, b"", b"200"),
        (CHAT, GZIPPED, EVENTS + b"Content-Encoding: gzip\r\n", b"200"),
        (CHAT, EVENT[:-1], EVENTS, b"200"),
        (CHAT, EVENT + b"data: {", EVENTS, b"200"),
        (CHAT, EVENT + b"data: [DONE]\n\n", EVENTS, b"200"),
        (CHAT, EVENT + b"data: [DONE]\n\n: bye\n\n", EVENTS, b"200"),
        (INTERACTION, EVENT + b"event: done\ndata: [DONE]\n\n", EVENTS, b"200"),
        (INTERACTION, b'data: {"event_type": "interaction.completed"}\n\n', EVENTS, b"200"),
    ],
    ids=[
        *("another path", "another API", "below the path", "another status", "an error"),
        *("another type", "no type", "compressed", "half an event", "half of the next event"),
        *("after the end", "behind the end", "after its end", "after completion"),
    ],
)
async def test_what_may_not_be_told_is_cut_without_a_word(
    path: bytes, sent: bytes, headers: bytes, status: bytes
) -> None:
    _, body = await broken(path, sent, headers=headers, status=status)

    assert words_of(body, sent) == b""


async def test_a_stream_with_a_length_is_cut_without_a_word() -> None:
    _, body = await broken(CHAT, EVENT, headers=EVENTS + b"Content-Length: 99\r\n")

    assert body == EVENT


async def test_a_chat_that_ends_by_itself_ends_so() -> None:
    told = STREAM + chunk(EVENT) + END
    async with proxied(cutting(told)) as port, connected(port, asking(CHAT)) as client:
        await client.head()
        assert await client.reader.readuntil(END) == chunk(EVENT) + END


@pytest.mark.parametrize("path", [CHAT, b"/v1beta/something"])
async def test_an_event_stream_is_neither_held_nor_changed_on_its_way(path: bytes) -> None:
    head, _ = await broken(path, EVENT, headers=EVENTS + b"Cache-Control: private\r\n")

    assert b"\r\nX-Accel-Buffering: no\r\n" in head
    assert b"\r\nCache-Control: private, no-transform\r\n" in head


async def test_what_is_no_event_stream_keeps_its_headers() -> None:
    plain = b"Content-Type: text/plain\r\nCache-Control: private\r\n"

    head, _ = await broken(CHAT, EVENT, headers=plain)

    assert b"X-Accel-Buffering" not in head
    assert b"\r\nCache-Control: private\r\n" in head


async def test_a_chat_that_outlasts_a_shutdown_is_told_so() -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(STREAM + chunk(EVENT))
        await reader.read()

    async with scripted(script) as url:
        app = app_before(url)
        async with running(app) as port, connected(port, asking(CHAT)) as client:
            await client.head()
            begun = await client.reader.readexactly(len(chunk(EVENT)))
            await app[IN_FLIGHT].drain(0)
            words = words_of(begun + await client.rest(), EVENT)

    assert "shutting down" in json.loads(words.removeprefix(b"data: "))["error"]["message"]


@pytest.mark.parametrize("target", [b"files", b"files/a:download?alt=media", b"models/m"])
async def test_a_body_of_any_kind_that_breaks_off_is_reset_in_http_1_0(target: bytes) -> None:
    request = GET.replace(b"files", target).replace(b"1.1", b"1.0")
    broken_off = cutting(
        CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Type: a/b\r\n\r\n"), chunk(b"one")
    )
    async with proxied(broken_off) as port, connected(port, request) as client:
        await client.head()
        assert await client.reader.readexactly(3) == b"one"
        with pytest.raises(ConnectionResetError):
            await client.rest()
