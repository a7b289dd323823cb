"""The sink that makes one JSON response of a stream."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import cast

import attrs
import pytest
from multidict import CIMultiDict

from gemproxy.core.wire.sse import SSEDecoder
from gemproxy.relay.collecting import CollectingSink, json_headers
from gemproxy.relay.downstream import ClientGone, ClientSink
from tests.gemini import chunk, sse

JSON = "application/json; charset=UTF-8"


@attrs.define
class Client:
    """A client's sink that notes what it is told; ``heard`` is set at every write."""

    committed: bool = False
    headers: CIMultiDict[str] = attrs.field(factory=CIMultiDict)
    body: bytes = b""
    ended: str = ""
    gone: bool = False
    heard: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def open(self, status: int, headers: CIMultiDict[str]) -> None:
        assert not self.committed
        assert status == 200
        self.committed, self.headers = True, CIMultiDict(headers)

    async def emit(self, raw: bytes) -> None:
        self.heard.set()
        if self.gone:
            raise ClientGone
        self.body += raw

    async def finish(self) -> None:
        self.ended = "complete"

    async def fail(self, payload: object) -> None:
        self.ended = "loud"


def collecting(client: Client) -> CollectingSink:
    return CollectingSink(cast(ClientSink, client), SSEDecoder(1 << 20))


@contextlib.asynccontextmanager
async def warmed(client: Client, sink: CollectingSink) -> AsyncIterator[None]:
    """Yield when the client has got its first sign of life."""
    async with sink.kept_warm(0, 0):
        await client.heard.wait()
        yield


async def test_the_client_gets_one_response_with_its_length() -> None:
    client = Client()
    sink = collecting(client)
    await sink.open(200, {"X-Some": "1", "Content-Type": JSON})

    await sink.emit(sse(chunk("Hel"), chunk("lo")))
    await sink.heartbeat()
    await sink.emit(sse(chunk("!", finish="STOP")))
    assert not sink.committed
    await sink.finish()

    assert json.loads(client.body) == chunk("Hello!", finish="STOP")
    assert client.headers == CIMultiDict(
        {"X-Some": "1", "Content-Type": JSON, "Content-Length": str(len(client.body))}
    )
    assert client.ended == "complete"


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_how_the_frames_are_written_makes_no_difference(size: int) -> None:
    client = Client()
    sink = collecting(client)
    raw = sse(chunk("Grüß"), chunk(" Gott", finish="STOP"))

    for at in range(0, len(raw), size):
        await sink.emit(raw[at : at + size])
    await sink.finish()

    assert json.loads(client.body) == chunk("Grüß Gott", finish="STOP")


async def test_a_last_frame_may_lack_its_end_and_comments_say_nothing() -> None:
    client = Client()
    sink = collecting(client)

    await sink.emit(b": hello\r\n\r\ndata: []\r\n\r\n" + sse(chunk("a", finish="STOP"))[:-4])
    await sink.finish()

    assert json.loads(client.body) == chunk("a", finish="STOP")


async def test_a_waiting_client_gets_white_space_and_then_the_response() -> None:
    client = Client()
    sink = collecting(client)

    async with warmed(client, sink):
        assert sink.committed
        await sink.emit(sse(chunk("a", finish="STOP")))
        await sink.finish()

    assert client.body.startswith(b"\n")
    assert json.loads(client.body) == chunk("a", finish="STOP")
    assert client.headers == CIMultiDict({"Content-Type": JSON})
    assert client.ended == "complete"


async def test_a_waiting_client_is_told_of_a_failure_loudly() -> None:
    client = Client()
    sink = collecting(client)

    async with warmed(client, sink):
        await sink.fail({"error": {}})

    assert client.ended == "loud"


async def test_a_client_that_is_gone_is_not_the_warmers_affair() -> None:
    client = Client(gone=True)
    sink = collecting(client)

    async with warmed(client, sink):
        with pytest.raises(ClientGone):
            await sink.finish()


async def test_a_client_that_need_not_wait_hears_nothing() -> None:
    client = Client()

    async with collecting(client).kept_warm(3600, 1):
        pass

    assert not client.committed


def test_the_headers_of_a_stream_become_those_of_a_response() -> None:
    headers = {"Content-Type": "text/event-stream", "Content-Length": "9", "X-Some": "1"}

    assert json_headers(headers) == CIMultiDict({"Content-Type": JSON, "X-Some": "1"})


def test_the_headers_of_an_error_stay() -> None:
    assert json_headers({"Content-Type": "text/html"}) == CIMultiDict({"Content-Type": "text/html"})
