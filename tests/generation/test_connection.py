"""The client's connection as a reader, seen from a raw socket."""

from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from multidict import CIMultiDict

from gemproxy.core.repair.events import Frames, Out, Run
from gemproxy.core.wire.frame import Frame
from gemproxy.generation.connection import ConnectionReader, connection_reader
from gemproxy.relay.parting import NEVER, part
from gemproxy.voices.array import ArrayVoice
from gemproxy.voices.sse import EventVoice
from gemproxy.voices.voice import Voice
from tests import sockets
from tests.sockets import END, chunk

Script = Callable[[ConnectionReader], Awaitable[None]]

LAST_POST = b"POST /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
HEADERS = CIMultiDict({"Content-Type": "text/event-stream"})
EVENT = b'data: {"a":1}\n\n'
OUR_OWN: tuple[Out, ...] = (Frames((Frame(b"", b'{"b":2}'),)),)
ERROR = {"error": {"code": 503}}


def run(raw: bytes) -> tuple[Out, ...]:
    return (Run(raw, raw.count(b"data: "), b"\n\n"),)


async def received(script: Script, *, sse: bool = True) -> bytes:
    """Return the body that a client gets while ``script`` is the handler."""

    async def handle(request: web.Request) -> web.StreamResponse:
        voice: Voice = EventVoice() if sse else ArrayVoice()
        reader = connection_reader(request, voice, send_timeout=30.0)
        await script(reader)
        await part(request, at_once, patience=1.0, send_timeout=30.0)
        return reader.response

    app = web.Application()
    app.router.add_route("*", "/x", handle)
    async with (
        sockets.running(app, cancels=True) as port,
        sockets.connected(port, LAST_POST) as client,
    ):
        await client.head()
        return await client.rest()


async def at_once(_seconds: float) -> bool:
    """Linger not at all."""
    return False


async def test_frames_of_our_own_are_framed_as_the_clients_first() -> None:
    async def script(reader: ConnectionReader) -> None:
        assert reader.content_type == "text/event-stream"
        assert not reader.committed
        await reader.open(200, HEADERS)
        assert reader.committed
        assert await reader.offer(run(EVENT))
        await reader.heartbeat()
        assert await reader.offer(OUR_OWN)
        assert reader.sent == 2 * len(EVENT)
        await reader.finish((), Frame(b": bye\n\n", None))

    body = await received(script)

    assert body == b"".join(map(chunk, (EVENT, b"\n\n", b'data: {"b":2}\n\n', b": bye\n\n"))) + END


async def test_a_long_run_is_one_write_and_settled_where_its_client_is_slow() -> None:
    async def script(reader: ConnectionReader) -> None:
        await reader.open(200, HEADERS)
        if not await reader.offer(run(EVENT * 6000)):
            await reader.settle()
        await reader.finish(OUR_OWN, None)

    body = await received(script)

    assert body == chunk(EVENT * 6000) + chunk(b'data: {"b":2}\n\n') + END


async def test_a_frame_that_is_written_in_slices_is_settled() -> None:
    long = EVENT * 30_000

    async def script(reader: ConnectionReader) -> None:
        await reader.open(200, HEADERS)
        assert not await reader.offer(run(long))
        await reader.settle()
        await reader.finish(OUR_OWN, None)

    body = await received(script)

    slices = [long[at : at + (1 << 18)] for at in range(0, len(long), 1 << 18)]
    assert body == b"".join(map(chunk, [*slices, b'data: {"b":2}\n\n'])) + END


async def test_an_array_is_closed_and_its_last_bytes_are_one_write() -> None:
    async def script(reader: ConnectionReader) -> None:
        await reader.open(200, {})
        await reader.finish(OUR_OWN, None)

    assert await received(script, sse=False) == chunk(b'[{"b":2}\n]') + END


async def test_what_is_no_generation_passes_as_it_came() -> None:
    async def script(reader: ConnectionReader) -> None:
        await reader.open(200, {})
        await reader.pass_on(b"{}")

    assert await received(script, sse=False) == chunk(b"{}") + END


@pytest.mark.parametrize(
    ("payload", "words"), [(ERROR, b'data: {"error":{"code":503}}\n\n'), (None, b"")]
)
async def test_a_failure_is_told_or_cut_without_a_word(
    payload: dict[str, object] | None, words: bytes
) -> None:
    async def script(reader: ConnectionReader) -> None:
        await reader.open(200, HEADERS)
        await reader.offer(run(EVENT))
        await reader.fail(payload)

    assert await received(script) == chunk(EVENT) + (chunk(words) if words else b"") + NEVER
