"""The proxy calls itself, where the settings say, and nowhere else."""

import asyncio
import logging
from functools import partial

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from gemproxy.config import sections
from gemproxy.config.settings import Settings
from gemproxy.web.neighbours import NEIGHBOURS, Neighbours
from gemproxy.web.waking import Waker, keep_awake, place_of
from tests.running import PATIENCE
from tests.sockets import Reader, Writer, head, scripted

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
AWAY = (
    b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)


class Host:
    """A host that answers what it is told to, and remembers the paths."""

    def __init__(self, *replies: bytes) -> None:
        self.replies = list(replies)
        self.targets: list[bytes] = []
        self.called = asyncio.Event()

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        self.targets.append((await head(reader)).split(b" ")[1])
        writer.write(self.replies.pop(0) if self.replies else OK)
        self.called.set()


async def calls(host: Host, number: int, path: str = "") -> None:
    async with scripted(host) as url, aiohttp.ClientSession() as session:
        waker = Waker(URL(str(url).rstrip("/") + path), session)
        for _ in range(number):
            await waker.call()


@pytest.mark.parametrize(("path", "target"), [("", b"/wake"), ("/gemini", b"/gemini/wake")])
async def test_wake_is_called_below_the_base(path: str, target: bytes) -> None:
    host = Host()
    await calls(host, 1, path)

    assert host.targets == [target]


async def test_no_redirect_is_followed(caplog: pytest.LogCaptureFixture) -> None:
    host = Host(AWAY)
    await calls(host, 1)

    assert host.targets == [b"/wake"]
    assert "status 302" in caplog.text


async def test_a_row_of_failures_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    host = Host(AWAY, AWAY, OK, AWAY)
    await calls(host, 4)

    assert len(caplog.records) == 2


async def test_a_host_that_cannot_be_reached_is_a_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with aiohttp.ClientSession() as session:
        await Waker(URL("http://127.0.0.1:9"), session).call()

    assert "127.0.0.1" in caplog.text


@pytest.mark.parametrize("number", [0, 1])
async def test_the_first_worker_calls_for_all(number: int) -> None:
    host = Host()
    async with scripted(host) as url:
        server = sections.Server(self_ping_seconds=0.001, self_ping_url=str(url).rstrip("/"))
        app = web.Application()
        app[NEIGHBOURS] = Neighbours(None, number, 2)
        app.cleanup_ctx.append(partial(keep_awake, Settings(server=server)))
        runner = web.AppRunner(app)
        await runner.setup()
        if number == 0:
            await asyncio.wait_for(host.called.wait(), PATIENCE)
        await runner.cleanup()
    assert bool(host.targets) is (number == 0)


def test_the_public_url_goes_before_the_platforms() -> None:
    server = sections.Server(public_url="https://a.example", self_ping_url="https://b.example")

    assert place_of(Settings(server=server)) == "https://a.example"
    assert place_of(Settings(server=sections.Server(self_ping_url="https://b.example"))) == (
        "https://b.example"
    )
