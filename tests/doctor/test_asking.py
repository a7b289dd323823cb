"""One request over real sockets: an answer, or what kind of trouble there is."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from yarl import URL

from gemproxy.config.tls import server_context
from gemproxy.doctor.asking import Answer, Kind, Trouble, ask, see
from tests.certificates import Files, make

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: x\r\n\r\n{}"


@contextlib.asynccontextmanager
async def server(answer: bytes | None) -> AsyncIterator[int]:
    """Answer every request so, None: never; yield the port."""
    ended = asyncio.Event()
    serving = set[asyncio.Task[None] | None]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            if answer is None:
                await ended.wait()
            else:
                writer.write(answer)
        writer.close()

    running = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with running:
        yield running.sockets[0].getsockname()[1]
        ended.set()
        await asyncio.gather(*filter(None, serving))


@contextlib.asynccontextmanager
async def server_with_tls(files: Files) -> AsyncIterator[int]:
    """Answer every request with 404; yield the port."""
    runner = web.ServerRunner(web.Server(_missing))
    await runner.setup()
    tls = server_context(files.cert, files.key)
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    yield site.port
    await runner.cleanup()


async def _missing(_request: web.BaseRequest) -> web.Response:
    return web.Response(status=404)


async def test_an_answer_has_its_times_by_our_clock() -> None:
    async with server(ANSWER) as port:
        answer = await ask(URL(f"http://127.0.0.1:{port}"), lambda: 7.0)

    assert isinstance(answer, Answer)
    assert (answer.status, answer.body, answer.began, answer.ended) == (200, b"{}", 7.0, 7.0)


async def kind_of(url: str, proxy: str | None = None) -> Kind:
    found = await ask(URL(url), time.time, proxy=URL(proxy) if proxy else None, seconds=0.5)
    assert isinstance(found, Trouble)
    return found.kind


async def test_nobody_listens() -> None:
    assert await kind_of("http://127.0.0.1:1") is Kind.REFUSED


async def test_a_name_that_is_unknown() -> None:
    assert await kind_of("http://nowhere.invalid") in {Kind.NAME, Kind.SILENT}


async def test_a_server_that_hangs_is_given_up() -> None:
    async with server(None) as port:
        assert await kind_of(f"http://127.0.0.1:{port}") is Kind.SILENT


async def test_a_server_that_breaks_off() -> None:
    async with server(b"") as port:
        assert await kind_of(f"http://127.0.0.1:{port}") is Kind.BROKEN


async def test_tls_with_a_server_that_has_none() -> None:
    async with server(ANSWER) as port:
        assert await kind_of(f"https://127.0.0.1:{port}") in {Kind.TLS, Kind.SILENT, Kind.BROKEN}


async def test_a_proxy_that_is_not_there() -> None:
    assert await kind_of("https://127.0.0.1:1", "http://127.0.0.1:1") is Kind.PROXY


async def test_a_proxy_that_refuses() -> None:
    async with server(b"HTTP/1.1 407 no\r\nContent-Length: 0\r\n\r\n") as port:
        assert await kind_of("https://x.invalid", f"http://127.0.0.1:{port}") is Kind.PROXY_REFUSES


@pytest.mark.parametrize("expired", [False, True])
async def test_a_certificate_of_nobody_we_know(tmp_path: Path, *, expired: bool) -> None:
    async with server_with_tls(make(tmp_path, expired=expired)) as port:
        found = await ask(URL(f"https://127.0.0.1:{port}"), time.time)
        trusting = await ask(URL(f"https://127.0.0.1:{port}"), time.time, verify=False)

    assert isinstance(found, Trouble)
    assert found.kind is Kind.CERTIFICATE
    assert found.code
    assert isinstance(trusting, Answer)


async def test_the_proxy_of_the_environment_is_tried_where_nothing_else_leads() -> None:
    environ = {"http_proxy": ""}
    async with server(ANSWER) as port:
        environ["http_proxy"] = f"http://127.0.0.1:{port}"
        found = await see(URL("http://127.0.0.1:1"), "", environ, time.time)
        alone = await see(URL("http://127.0.0.1:1"), "", {}, time.time)

    assert (found.by_environment, alone.by_environment) == (True, None)
    assert isinstance(found.result, Trouble)
