"""The reader that makes one JSON response of a stream."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import cast

import attrs
import pytest
from multidict import CIMultiDict

from gemproxy.core.repair.events import Frames, Out, Run
from gemproxy.core.wire.sse import SSEDecoder
from gemproxy.generation.collecting import CollectingReader, Waiting, json_headers
from gemproxy.relay.downstream import ClientGone, ClientSink
from gemproxy.voices.document import DocumentVoice
from tests.gemini import chunk, sse

JSON = "application/json; charset=UTF-8"


@attrs.define
class Client:
    """A client's reader that notes what it is told; ``heard`` is set at every write."""

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

    async def heartbeat(self) -> None:
        await self.emit(DocumentVoice().heartbeat())

    async def emit(self, raw: bytes) -> None:
        self.heard.set()
        if self.gone:
            raise ClientGone
        self.body += raw

    async def finish(self) -> None:
        self.ended = "complete"

    async def fail(self, payload: object) -> None:
        self.ended = "loud"


def frames(raw: bytes) -> tuple[Out, ...]:
    """Return whole events as frames."""
    return (Frames(tuple(SSEDecoder(1 << 20).feed(raw))),)


def run(raw: bytes) -> tuple[Out, ...]:
    """Return whole plain events as a run."""
    return (Run(raw, raw.count(b"data: "), b"\r\n\r\n"),)


def collecting(client: Client) -> CollectingReader:
    return CollectingReader(Waiting(cast(ClientSink, client)))


@contextlib.asynccontextmanager
async def warmed(client: Client, reader: CollectingReader) -> AsyncIterator[None]:
    """Yield when the client has got its first sign of life."""
    async with reader.client.kept_warm(0, 0):
        await client.heard.wait()
        yield


async def test_the_client_gets_one_response_with_its_length() -> None:
    client = Client()
    reader = collecting(client)
    await reader.open(200, {"X-Some": "1", "Content-Type": JSON})

    await reader.offer(frames(sse(chunk("Hel"), chunk("lo"))))
    await reader.heartbeat()
    await reader.offer(frames(sse(chunk("!", finish="STOP"))))
    assert not reader.committed
    await reader.finish((), None)

    assert json.loads(client.body) == chunk("Hello!", finish="STOP")
    assert client.headers == CIMultiDict(
        {"X-Some": "1", "Content-Type": JSON, "Content-Length": str(len(client.body))}
    )
    assert client.ended == "complete"


@pytest.mark.parametrize("form", [frames, run])
async def test_runs_and_frames_make_no_difference(form: Callable[[bytes], tuple[Out, ...]]) -> None:
    client = Client()
    reader = collecting(client)
    raw = sse(chunk("Grüß"), chunk(" "))

    assert await reader.offer(form(raw))
    assert await reader.offer(form(sse(chunk("Gott"))) + form(sse(chunk("!"))))
    await reader.settle()
    assert reader.sent >= len("Grüß Gott!")
    await reader.finish(form(sse(chunk("", finish="STOP"))), None)

    assert json.loads(client.body) == chunk("Grüß Gott!", finish="STOP")


async def test_a_last_frame_may_lack_its_end_and_comments_say_nothing() -> None:
    client = Client()
    reader = collecting(client)
    decoder = SSEDecoder(1 << 20)
    raw = b": hello\r\n\r\ndata: []\r\n\r\n" + sse(chunk("a", finish="STOP"))[:-4]

    await reader.offer((Frames(tuple(decoder.feed(raw))),))
    await reader.finish((), decoder.close())

    assert json.loads(client.body) == chunk("a", finish="STOP")


async def test_an_answer_that_is_no_generation_passes_as_it_came() -> None:
    client = Client()
    reader = collecting(client)
    await reader.open(200, {"Content-Type": "application/json"})

    await reader.pass_on(b'{"ok": true}')

    assert client.body == b'{"ok": true}'
    assert client.headers["Content-Length"] == "12"
    assert client.ended == "complete"


async def test_a_waiting_client_gets_white_space_and_then_the_response() -> None:
    client = Client()
    reader = collecting(client)

    async with warmed(client, reader):
        assert reader.committed
        await reader.offer(frames(sse(chunk("a", finish="STOP"))))
        await reader.finish((), None)

    assert client.body.startswith(b"\n")
    assert json.loads(client.body) == chunk("a", finish="STOP")
    assert client.headers == CIMultiDict({"Content-Type": JSON})
    assert client.ended == "complete"


async def test_a_waiting_client_is_told_of_a_failure_loudly() -> None:
    client = Client()
    reader = collecting(client)

    async with warmed(client, reader):
        await reader.fail({"error": {}})

    assert client.ended == "loud"


async def test_a_client_that_is_gone_is_not_the_warmers_affair() -> None:
    client = Client(gone=True)
    reader = collecting(client)

    async with warmed(client, reader):
        with pytest.raises(ClientGone):
            await reader.finish((), None)


async def test_a_client_that_need_not_wait_hears_nothing() -> None:
    client = Client()

    async with collecting(client).client.kept_warm(3600, 1):
        pass

    assert not client.committed


def test_the_headers_of_a_stream_become_those_of_a_response() -> None:
    headers = {"Content-Type": "text/event-stream", "Content-Length": "9", "X-Some": "1"}

    assert json_headers(headers) == CIMultiDict({"Content-Type": JSON, "X-Some": "1"})


def test_the_headers_of_an_error_stay() -> None:
    assert json_headers({"Content-Type": "text/html"}) == CIMultiDict({"Content-Type": "text/html"})
