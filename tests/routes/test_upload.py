"""Uploads through the proxy: every protocol, every command, and never a credential too few."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Mapping
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest

from gemproxy.chaos.answers import Answer as Told
from gemproxy.chaos.files import GRANULARITY
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.relay.sessions import new_key
from gemproxy.web.app import create_app
from tests.gemini import Json
from tests.running import Proxy, StartProxy, settings
from tests.sockets import Reader, Writer, head, running, scripted
from tests.wire import KEY, Answer

FILES = "/upload/v1beta/files"
START = {
    "X-Goog-Upload-Protocol": "resumable",
    "X-Goog-Upload-Command": "start",
    "X-Goog-Upload-Header-Content-Type": "text/plain",
    "Content-Type": "application/json",
}
FIRST, LAST = b"a" * GRANULARITY, b"the end"


def gemini() -> ChaosServer:
    return ChaosServer(Script(Told("An answer.")))


@attrs.frozen
class Session:
    """An upload that was begun; its ``target`` is on the proxy."""

    proxy: Proxy
    target: str

    async def send(
        self,
        command: str,
        body: bytes = b"",
        offset: int = 0,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send what belongs to the upload, as google-genai does: without a credential."""
        fields = {"X-Goog-Upload-Command": command, "X-Goog-Upload-Offset": str(offset)}
        return await self.proxy.ask(self.target, body, {**fields, **(headers or {})})


async def begun(
    proxy: Proxy, target: str = FILES, headers: Mapping[str, str] = KEY
) -> tuple[Session, Answer]:
    """Start a resumable upload."""
    answer = await proxy.ask(target, b'{"file": {}}', {**START, **headers})
    assert answer.status == 200
    url = urlsplit(answer.headers["X-Goog-Upload-URL"])
    return Session(proxy, f"{url.path}?{url.query}"), answer


def file_in(answer: Answer) -> Json:
    file: Json = json.loads(answer.body)["file"]
    return file


async def test_an_upload_goes_on_through_the_proxy_without_a_credential(proxy: StartProxy) -> None:
    async with gemini() as server:
        started = await proxy(server)
        session, _ = await begun(started)

        first = await session.send("upload", FIRST)
        last = await session.send("upload, finalize", LAST, len(FIRST))

        assert first.headers["X-Goog-Upload-Status"] == "active"
        assert last.headers["X-Goog-Upload-Status"] == "final"
        (file,) = server.files.files.values()
        assert file.content == FIRST + LAST
        assert file_in(last)["name"] == f"files/{file.id}"
        assert [request.header("x-goog-api-key") for request in server.requests] == ["test-key"] * 3
        assert server.violations == []


async def test_the_urls_are_ours_and_show_nothing(proxy: StartProxy) -> None:
    async with gemini() as server:
        started = await proxy(server)
        _, answer = await begun(started)

        for name in ("X-Goog-Upload-URL", "X-Goog-Upload-Control-URL"):
            url = answer.headers[name]
            assert url.startswith(f"{started.url}{FILES}?upload_id=gemproxy-")
            assert "test-key" not in url
            assert "upload1" not in url
        assert answer.headers["X-Goog-Upload-Chunk-Granularity"] == str(GRANULARITY)


async def test_the_key_may_come_in_the_query(proxy: StartProxy) -> None:
    async with gemini() as server:
        session, answer = await begun(await proxy(server), f"{FILES}?key=test-key", {"X-A": "b"})

        await session.send("upload, finalize", LAST)

        assert "key=" not in answer.headers["X-Goog-Upload-URL"]
        assert [request.header("x-goog-api-key") for request in server.requests] == ["test-key"] * 2


async def test_a_client_that_repeats_its_credential_sends_one(proxy: StartProxy) -> None:
    async with gemini() as server:
        session, _ = await begun(await proxy(server))

        last = await session.send(
            "upload, finalize", LAST, 0, {**KEY, "Authorization": "Bearer ya29.t"}
        )

        assert last.status == 200
        assert server.requests[-1].values("x-goog-api-key") == ["test-key"]
        assert server.requests[-1].values("authorization") == []


async def test_a_query_and_a_cancel_pass(proxy: StartProxy) -> None:
    async with gemini() as server:
        session, _ = await begun(await proxy(server))
        await session.send("upload", FIRST)

        asked = await session.send("query")
        cancelled = await session.send("cancel")
        refused = await session.send("upload, finalize", LAST, len(FIRST))

        assert asked.headers["X-Goog-Upload-Size-Received"] == str(len(FIRST))
        assert cancelled.headers["X-Goog-Upload-Status"] == "cancelled"
        assert refused.status == 400


async def test_a_piece_is_never_sent_twice(proxy: StartProxy) -> None:
    pieces = 0

    async def script(reader: Reader, writer: Writer) -> None:
        nonlocal pieces
        top = await head(reader)
        if b": start" in top:
            url = b"X-Goog-Upload-URL: /upload/v1beta/files?upload_id=1\r\nContent-Length: 0"
            writer.write(b"HTTP/1.1 200 OK\r\n" + url + b"\r\n\r\n")
            await head(reader)
        pieces += 1

    async with scripted(script) as url:
        session, _ = await begun(await proxy(str(url)))
        answer = await session.send("upload, finalize", LAST)

    assert answer.status == 502
    assert pieces == 1


@pytest.mark.parametrize(
    ("target", "headers", "body"),
    [
        (f"{FILES}?uploadType=media", {"Content-Type": "text/plain"}, b"content"),
        (FILES, {"X-Goog-Upload-Protocol": "raw", "Content-Type": "text/plain"}, b"content"),
        (
            f"{FILES}?uploadType=multipart",
            {"Content-Type": "multipart/related; boundary=b"},
            b"--b\r\n\r\n{}\r\n--b\r\nContent-Type: text/plain\r\n\r\ncontent\r\n--b--",
        ),
        (
            FILES,
            {
                "X-Goog-Upload-Protocol": "multipart",
                "Content-Type": "multipart/related; boundary=b",
            },
            b"--b\r\n\r\n{}\r\n--b\r\nContent-Type: text/plain\r\n\r\ncontent\r\n--b--",
        ),
    ],
)
async def test_an_upload_in_one_request_passes(
    proxy: StartProxy, target: str, headers: dict[str, str], body: bytes
) -> None:
    async with gemini() as server:
        answer = await (await proxy(server)).ask(target, body, {**headers, **KEY})

        assert file_in(answer)["mimeType"] == "text/plain"
        (file,) = server.files.files.values()
        assert file.content == b"content"
        assert server.requests[-1].body == body


async def test_an_environments_file_is_put_byte_for_byte(proxy: StartProxy) -> None:
    seen: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(reader: Reader, writer: Writer) -> None:
        seen.set_result(await head(reader) + await reader.readexactly(7))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    target = "/upload/v1/environments/e-1/files/a%20dir/b.txt?overwrite=true"
    async with scripted(script) as url:
        await (await proxy(str(url))).ask(target, b"content", KEY, "PUT")

    assert (await seen).startswith(f"PUT {target} HTTP/1.1\r\n".encode())
    assert (await seen).endswith(b"\r\n\r\ncontent")


async def test_an_upload_by_location_and_content_range_goes_on_too(proxy: StartProxy) -> None:
    tops: list[bytes] = []

    async def script(reader: Reader, writer: Writer) -> None:
        tops.append(await head(reader))
        if len(tops) == 1:
            location = b"/upload/v1beta/files?uploadType=resumable&upload_id=g&key=test-key"
            writer.write(b"HTTP/1.1 200 OK\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % location)
        else:
            writer.write(b"HTTP/1.1 308 Resume\r\nRange: bytes=0-6\r\nContent-Length: 0\r\n\r\n")

    async with scripted(script) as url:
        started = await proxy(str(url))
        answer = await started.ask(f"{FILES}?uploadType=resumable", b"", KEY)
        onward = urlsplit(answer.headers["Location"])
        target = f"{onward.path}?{onward.query}"
        more = await started.ask(target, b"", {"Content-Range": "bytes */*"}, "PUT")

    assert "key=" not in onward.query
    assert more.status == 308
    assert more.headers["Range"] == "bytes=0-6"
    assert tops[1].startswith(b"PUT /upload/v1beta/files?uploadType=resumable&upload_id=g HTTP")
    assert b"x-goog-api-key: test-key\r\n" in tops[1]


async def test_a_session_of_another_start_is_unknown(proxy: StartProxy) -> None:
    async with gemini() as server:
        one, other = await proxy(server), await proxy(server)
        session, _ = await begun(one)
        token = parse_qs(urlsplit(session.target).query)["upload_id"][0]

        stranger = await attrs.evolve(session, proxy=other).send("query")
        assert stranger.status == 404
        assert stranger.error["status"] == "NOT_FOUND"
        assert token not in stranger.body.decode()
        assert len(server.requests) == 1


async def test_a_forged_session_goes_nowhere(proxy: StartProxy) -> None:
    async with gemini() as server:
        started = await proxy(server)

        answer = await started.ask(f"{FILES}?upload_id=gemproxy-AAAA", b"x", {"X-A": "b"})

        assert answer.status == 404
        assert server.requests == []


async def test_googles_own_upload_id_passes(proxy: StartProxy) -> None:
    async with gemini() as server:
        await (await proxy(server)).ask(f"{FILES}?upload_id=theirs", b"", KEY)

        assert server.requests[-1].query == {"upload_id": "theirs"}


@pytest.mark.parametrize(
    ("server_settings", "headers", "base"),
    [
        ({"public_url": "https://proxy.example/gemini"}, {}, "https://proxy.example/gemini"),
        ({}, {"Host": "proxy.example", "X-Forwarded-Proto": "https"}, "https://proxy.example"),
    ],
)
async def test_our_base_is_the_one_that_clients_use(
    proxy: StartProxy, server_settings: Json, headers: dict[str, str], base: str
) -> None:
    async with gemini() as server:
        started = await proxy(server, server=server_settings)

        session, answer = await begun(started, headers={**KEY, **headers})
        file = file_in(await session.send("upload, finalize", LAST, 0, headers))

        assert answer.headers["X-Goog-Upload-URL"].startswith(f"{base}{FILES}?upload_id=")
        assert file["uri"] == f"{base}/v1beta/{file['name']}"
        assert file["downloadUri"] == f"{base}/v1beta/{file['name']}:download?alt=media"


async def test_a_host_that_is_none_is_refused(proxy: StartProxy) -> None:
    async with gemini() as server:
        answer = await (await proxy(server)).ask(FILES, b"", {**START, **KEY, "Host": 'a"b'})

        assert answer.status == 400
        assert server.requests == []


async def test_a_file_has_no_cap(proxy: StartProxy) -> None:
    async with gemini() as server:
        started = await proxy(server, server={"max_body_bytes": 20})
        session, _ = await begun(started)

        assert (await session.send("upload, finalize", b"x" * 1000)).status == 200


async def test_neither_key_nor_session_gets_into_a_log(
    proxy: StartProxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with gemini() as server:
        started = await proxy(server)
        session, _ = await begun(started, f"{FILES}?key=canary-key", {"X-A": "b"})
        await session.send("upload, finalize", LAST)
        await session.send("upload, finalize", LAST)

    lines = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert FILES in lines
    assert "canary-key" not in lines
    assert "gemproxy-" not in lines


async def test_applications_with_one_key_go_on_with_each_others_uploads() -> None:
    key = new_key()
    async with gemini() as server, serving(server, key) as one, serving(server, key) as other:
        session, _ = await begun(one)

        last = await attrs.evolve(session, proxy=other).send("upload, finalize", LAST)

        assert last.headers["X-Goog-Upload-Status"] == "final"


@contextlib.asynccontextmanager
async def serving(server: ChaosServer, key: bytes) -> AsyncIterator[Proxy]:
    """Run a proxy with a key for upload sessions that others may have too."""
    app = create_app(settings(server.url), key)
    async with running(app) as port:
        yield Proxy(f"http://127.0.0.1:{port}", app)
