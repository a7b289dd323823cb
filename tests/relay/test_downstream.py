"""The client's connection, seen from a raw socket: every byte counts."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from unittest.mock import patch

import attrs
import pytest
from aiohttp import web
from multidict import CIMultiDict

from gemproxy.core.repair.events import Frames
from gemproxy.core.wire.frame import Frame
from gemproxy.relay import downstream
from gemproxy.relay.downstream import ClientGone, ClientSink, EventStream, client_sink
from gemproxy.relay.parting import NEVER, part
from gemproxy.voices.array import ArrayVoice
from gemproxy.voices.document import DocumentVoice
from gemproxy.voices.sse import FRAGILE, GO, STANDARD, EventVoice
from gemproxy.voices.voice import Asides
from tests import sockets
from tests.sockets import END, chunk

Script = Callable[[ClientSink], Awaitable[None]]

POST = b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
LAST_POST = POST.replace(b"Host", b"Connection: close\r\nHost")
HEADERS = CIMultiDict({"Content-Type": "text/event-stream"})
FRAME = b'data: {"a":1}\r\n\r\n'
ERROR = {"error": {"code": 503, "message": "gone", "status": "UNAVAILABLE"}}
ERROR_JSON = b'{"error":{"code":503,"message":"gone","status":"UNAVAILABLE"}}'
MEBIBYTE = b"x" * 2**20


@attrs.define(eq=False)
class Stage:
    """A server with one route that runs ``script``, and how the runs ended."""

    script: Script
    voice: Asides = attrs.field(factory=EventVoice)
    send_timeout: float = 30.0
    cancels: bool = True
    ends: "asyncio.Queue[BaseException | None]" = attrs.field(factory=asyncio.Queue)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        sink = client_sink(
            request,
            self.voice,
            "application/json" if isinstance(self.voice, ArrayVoice) else "text/event-stream",
            send_timeout=self.send_timeout,
        )
        try:
            await self.script(sink)
        except ClientGone as gone:
            self.ends.put_nowait(gone)
        except asyncio.CancelledError as cancelled:
            self.ends.put_nowait(cancelled)
            raise
        else:
            self.ends.put_nowait(None)
        await part(request, at_once, patience=1.0, send_timeout=self.send_timeout)
        return sink.response


async def at_once(_seconds: float) -> bool:
    """Linger not at all."""
    return False


@contextlib.asynccontextmanager
async def connected(stage: Stage, request: bytes = LAST_POST) -> AsyncIterator[sockets.Client]:
    """Serve the stage as production does, and send it one request."""
    app = web.Application()
    app.router.add_route("*", "/x", stage.handle)
    async with (
        sockets.running(app, cancels=stage.cancels) as port,
        sockets.connected(port, request) as client,
    ):
        yield client


async def received(stage: Stage, request: bytes = LAST_POST) -> tuple[bytes, bytes]:
    """Return head and body of the answer of a stage."""
    async with connected(stage, request) as client:
        return await client.head(), await client.rest()


async def test_frames_arrive_as_they_were_given() -> None:
    async def script(sink: ClientSink) -> None:
        await sink.open(200, HEADERS)
        await sink.emit(FRAME)
        await sink.emit(b"data: 2\n\n")
        await sink.finish()

    _, body = await received(Stage(script))

    assert body == chunk(FRAME) + chunk(b"data: 2\n\n") + END


@pytest.mark.parametrize("size", [1, 2**14, 2**18])
async def test_a_frame_is_one_write_to_the_transport(size: int) -> None:
    async def script(sink: ClientSink) -> None:
        await sink.open(200, HEADERS)
        transport = sink._request.transport
        assert transport is not None
        with patch.object(transport, "write", wraps=transport.write) as write:
            await sink.emit(b"x" * size)
            assert write.call_count == 1
        await sink.finish()

    stage = Stage(script)

    assert (await received(stage))[1] == chunk(b"x" * size) + END
    assert stage.ends.get_nowait() is None


@pytest.mark.parametrize("size", [1, 2**17, 2**20 + 7])
@pytest.mark.parametrize("framing", ["chunks", "length", "end of the connection"])
async def test_a_large_part_is_written_as_it_is_and_let_go_of(size: int, framing: str) -> None:
    part = bytearray(b"x" * size)

    async def script(sink: ClientSink) -> None:
        length = {"Content-Length": str(size + 2)} if framing == "length" else {}
        await sink.open(200, length)
        await sink.emit(b"[")
        await sink.pour(memoryview(part))
        part.append(0)  # nothing refers to it
        assert sink.sent == size + 1
        await sink.finish(b"]")

    stage = Stage(script, DocumentVoice())
    request = LAST_POST.replace(b"1.1", b"1.0") if framing == "end of the connection" else LAST_POST
    _, body = await received(stage, request)

    data = b"x" * size
    chunked = chunk(b"[") + chunk(data) + b"1\r\n]\r\n" + END
    assert body == (chunked if framing == "chunks" else b"[" + data + b"]")
    assert stage.ends.get_nowait() is None


async def test_a_large_part_that_is_half_written_is_followed_by_no_error() -> None:
    async def script(sink: ClientSink) -> None:
        await sink.open(200, HEADERS)
        sending = asyncio.create_task(sink.pour(MEBIBYTE * 32))
        transport = sink._request.transport
        assert transport is not None
        while transport.get_write_buffer_size() == 0:  # noqa: ASYNC110 (nothing announces it)
            await asyncio.sleep(0)
        sending.cancel()
        await asyncio.wait([sending])
        await sink.fail(ERROR)

    async with connected(Stage(script)) as client:
        await client.head()
        body = await client.rest()

    assert body.endswith(b"x" + NEVER)
    assert len(body) < 32 * len(MEBIBYTE)


async def test_a_frame_without_bytes_is_no_end_of_the_body() -> None:
    async def script(sink: ClientSink) -> None:
        await sink.open(200, HEADERS)
        for piece in (FRAME, b"", FRAME):
            assert await sink.offer(piece)
        await sink.finish()

    _, body = await received(Stage(script))

    assert body == chunk(FRAME) * 2 + END


async def test_a_frame_is_taken_without_waiting_or_kept_for_later() -> None:
    async def script(sink: ClientSink) -> None:
        await sink.open(200, HEADERS)
        assert await sink.offer(FRAME)
        assert sink.sent == len(FRAME)
        assert not await sink.offer(MEBIBYTE)
        assert sink.sent == len(FRAME)
        await sink.settle()
        assert sink.sent == len(FRAME + MEBIBYTE)
        await sink.settle()  # there is nothing left to do
        await sink.finish()

    _, body = await received(Stage(script))

    slices = [MEBIBYTE[at : at + 2**18] for at in range(0, 2**20, 2**18)]
    assert body == chunk(FRAME) + b"".join(map(chunk, slices)) + END


async def test_a_frame_that_was_kept_goes_before_the_error() -> None:
    long = FRAME * 30_000

    async def script(sink: ClientSink) -> None:
        await sink.open(200, HEADERS)
        assert not await sink.offer(long)
        await sink.fail(ERROR)

    _, body = await received(Stage(script))

    assert body == chunk(long + b"data: " + ERROR_JSON + b"\r\n\r\n") + NEVER


async def test_the_head_is_out_before_the_first_frame() -> None:
    go_on = asyncio.Event()

    async def script(sink: ClientSink) -> None:
        assert not sink.committed
        await sink.open(200, HEADERS)
        assert sink.committed
        await go_on.wait()
        await sink.finish()

    async with connected(Stage(script)) as client:
        assert (await client.head()).startswith(b"HTTP/1.1 200 OK\r\n")
        go_on.set()
        assert await client.rest() == END


async def test_the_head_is_the_upstreams_and_keeps_the_stream_unbuffered() -> None:
    async def script(sink: ClientSink) -> None:
        pairs = [("content-type", "text/event-stream; x=y"), ("Vary", "a"), ("vary", "b")]
        await sink.open(206, CIMultiDict(pairs))
        await sink.finish()

    head, _ = await received(Stage(script), POST.replace(b"1.1", b"1.0"))
    lines = head.split(b"\r\n")

    assert lines[0] == b"HTTP/1.0 206 Partial Content"
    assert [line for line in lines if line.lower().startswith(b"content-type")] == [
        b"content-type: text/event-stream; x=y"
    ]
    assert {b"Vary: a", b"vary: b"} <= set(lines)
    assert {b"Cache-Control: no-cache, no-transform", b"X-Accel-Buffering: no"} <= set(lines)
    assert b"keep-alive" not in head


async def test_a_complete_answer_leaves_the_connection_open() -> None:
    async def script(sink: ClientSink) -> None:
        await sink.open(200, HEADERS)
        await sink.finish()

    async with connected(Stage(script), POST) as client:
        await client.head()
        assert await client.reader.readexactly(len(END)) == END
        client.writer.write(LAST_POST)
        await client.head()
        assert await client.rest() == END


async def test_no_ping_is_ever_sent() -> None:
    async def script(sink: ClientSink) -> None:
        await sink.open(200, HEADERS)
        await asyncio.sleep(0)
        assert isinstance(sink.response, EventStream)
        assert not sink.response.is_connected()
        await sink.finish()

    stage = Stage(script)
    await received(stage)

    assert stage.ends.get_nowait() is None


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux only")
@pytest.mark.parametrize("voice", [EventVoice(), ArrayVoice()])
async def test_the_kernel_looks_after_peers_that_hang(voice: Asides) -> None:
    async def script(sink: ClientSink) -> None:
        await sink.open(200, HEADERS)
        transport = sink._request.transport
        assert transport is not None
        option = socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT
        assert transport.get_extra_info("socket").getsockopt(*option) == 30_000
        await sink.finish()

    stage = Stage(script, voice)
    await received(stage)

    assert stage.ends.get_nowait() is None


async def test_heartbeats_follow_the_line_ends_of_the_stream() -> None:
    async def script(sink: ClientSink) -> None:
        await sink.open(200, HEADERS)
        await sink.heartbeat()
        await sink.emit(voice.say((Frames((Frame(b"data: 1\n\n", b"1"),)),)))
        await sink.heartbeat()
        assert sink.sent == len(b"data: 1\n\n")
        await sink.finish()

    voice = EventVoice()
    _, body = await received(Stage(script, voice))

    assert body == chunk(b"\r\n\r\n") + chunk(b"data: 1\n\n") + chunk(b"\n\n") + END


async def test_a_client_that_breaks_on_heartbeats_gets_none() -> None:
    async def script(sink: ClientSink) -> None:
        await sink.open(200, HEADERS)
        await sink.heartbeat()
        await sink.emit(voice.say((Frames((Frame(FRAME, b"{}"),)),)))
        await sink.heartbeat()
        await sink.finish()

    voice = EventVoice(FRAGILE)
    assert (await received(Stage(script, voice)))[1] == chunk(FRAME) + END


async def test_an_array_is_padded_only_between_its_brackets() -> None:
    async def script(sink: ClientSink) -> None:
        await sink.open(200, CIMultiDict({"Content-Type": "application/json"}))
        await sink.heartbeat()
        await sink.emit(voice.say((Frames((Frame(b"[{}\n", b"{}"),)),)))
        await sink.heartbeat()
        await sink.emit(b"]")
        await sink.finish()

    voice = ArrayVoice()
    head, body = await received(Stage(script, voice))

    assert b"X-Accel-Buffering: no" in head
    assert body == chunk(b"[{}\n") + chunk(b"\n") + chunk(b"]") + END


@pytest.mark.parametrize(
    ("voice", "expected"),
    [
        (EventVoice(STANDARD), b"data: " + ERROR_JSON + b"\r\n\r\n"),
        (EventVoice(FRAGILE), b"data: " + ERROR_JSON + b"\r\n\r\n"),
        (EventVoice(GO), ERROR_JSON + b"\r\n\r\n"),
        (ArrayVoice(), b",\r\n" + ERROR_JSON),
    ],
)
@pytest.mark.parametrize("request_", [POST, LAST_POST])
async def test_a_failed_answer_ends_with_the_error_and_without_an_end(
    voice: Asides, expected: bytes, request_: bytes
) -> None:
    frame = b"[{}" if isinstance(voice, ArrayVoice) else FRAME

    async def script(sink: ClientSink) -> None:
        await sink.open(200, HEADERS)
        await sink.emit(frame)
        await sink.fail(ERROR)

    stage = Stage(script, voice)

    assert (await received(stage, request_))[1] == chunk(frame) + chunk(expected) + NEVER
    assert stage.ends.get_nowait() is None


async def test_a_slow_client_still_gets_the_error() -> None:
    async def script(sink: ClientSink) -> None:
        await sink.open(200, HEADERS)
        for _ in range(16):
            await sink.emit(b"data: " + MEBIBYTE + b"\r\n\r\n")
        await sink.fail(ERROR)

    async with connected(Stage(script)) as client:
        await client.head()
        assert (await client.rest()).endswith(ERROR_JSON + b"\r\n\r\n\r\n" + NEVER)


async def until_gone(sink: ClientSink) -> None:
    while sink._request.transport is not None:  # noqa: ASYNC110 (nothing announces it)
        await asyncio.sleep(0)


async def test_emit_waits_while_the_client_does_not_read() -> None:
    order: list[str] = []

    async def script(sink: ClientSink) -> None:
        await sink.open(200, HEADERS)
        for _ in range(32):
            await sink.emit(MEBIBYTE)
        order.append("sent")
        await sink.finish()

    async with connected(Stage(script)) as client:
        await client.head()
        order.append("read")
        await client.rest()

    assert order == ["read", "sent"]


@pytest.fixture
def no_kernel_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave it to the sink to cut a client off: TCP_USER_TIMEOUT has the same seconds.

    Where the kernel is first, the connection is lost and aiohttp cancels the handler.
    """
    monkeypatch.setattr(downstream, "_USER_TIMEOUT", None)


@pytest.mark.usefixtures("no_kernel_timeout")
async def test_a_client_that_does_not_read_is_cut_off() -> None:
    async def script(sink: ClientSink) -> None:
        await sink.open(200, HEADERS)
        while True:
            await sink.emit(MEBIBYTE)

    stage = Stage(script, send_timeout=0.05)
    async with connected(stage) as client:
        gone = await stage.ends.get()
        assert isinstance(gone, ClientGone)
        assert str(gone) == "the client does not read"
        assert not (await client.rest()).endswith(END)


@pytest.mark.usefixtures("no_kernel_timeout")
async def test_small_frames_are_no_way_around_the_send_timeout() -> None:
    async def script(sink: ClientSink) -> None:
        await sink.open(200, HEADERS)
        while True:
            await sink.emit(FRAME)

    stage = Stage(script, send_timeout=0.05)
    async with connected(stage):
        assert isinstance(await stage.ends.get(), ClientGone)


@pytest.mark.usefixtures("no_kernel_timeout")
async def test_the_end_waits_for_the_client_no_longer_than_a_frame() -> None:
    async def script(sink: ClientSink) -> None:
        await sink.open(200, HEADERS)
        transport = sink._request.transport
        assert transport is not None
        transport.write(MEBIBYTE * 16)
        await sink.finish()

    stage = Stage(script, send_timeout=0.05)
    async with connected(stage):
        assert isinstance(await stage.ends.get(), ClientGone)


@pytest.mark.parametrize("step", ["open", "emit", "heartbeat", "finish", "fail"])
async def test_every_step_says_that_the_client_is_gone(step: str) -> None:
    async def script(sink: ClientSink) -> None:
        if step != "open":
            await sink.open(200, HEADERS)
        await until_gone(sink)
        await take(step, sink)

    stage = Stage(script, cancels=False)
    async with connected(stage) as client:
        client.writer.close()
        assert isinstance(await stage.ends.get(), ClientGone)


@pytest.mark.parametrize("step", ["open", "emit", "heartbeat", "finish", "fail"])
async def test_a_closing_connection_counts_as_a_client_that_is_gone(step: str) -> None:
    async def script(sink: ClientSink) -> None:
        if step != "open":
            await sink.open(200, HEADERS)
        assert sink._request.transport is not None
        sink._request.transport.close()
        await take(step, sink)

    stage = Stage(script)
    async with connected(stage):
        assert isinstance(await stage.ends.get(), ClientGone)


async def take(step: str, sink: ClientSink) -> None:
    match step:
        case "open":
            await sink.open(200, HEADERS)
        case "emit":
            await sink.emit(FRAME)
        case "heartbeat":
            await sink.heartbeat()
        case "finish":
            await sink.finish()
        case "fail":
            await sink.fail(ERROR)


@pytest.mark.parametrize("step", ["emit", "heartbeat", "finish"])
@pytest.mark.parametrize("end", ["finish", "fail"])
async def test_nothing_comes_behind_an_end(step: str, end: str) -> None:
    async def script(sink: ClientSink) -> None:
        await sink.open(200, HEADERS)
        await take(end, sink)
        await take(step, sink)

    stage = Stage(script)
    _, body = await received(stage)

    assert isinstance(stage.ends.get_nowait(), ClientGone)
    assert body.endswith(END if end == "finish" else NEVER)
    assert body.count(b"\r\n\r\n") <= 1


@pytest.mark.usefixtures("no_kernel_timeout")
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_a_whole_answer_that_waits_for_its_client_is_no_failure(version: bytes) -> None:
    """A shutdown finds it so, and cancels the handler."""

    async def script(sink: ClientSink) -> None:
        await sink.open(200, HEADERS)
        transport = sink._request.transport
        assert transport is not None
        transport.write(MEBIBYTE * 16)
        finishing = asyncio.create_task(sink.finish(FRAME))
        await asyncio.sleep(0)
        assert not finishing.done()
        finishing.cancel()
        await asyncio.wait([finishing])
        await sink.fail(ERROR)

    stage = Stage(script)
    async with connected(stage, LAST_POST.replace(b"1.1", version)) as client:
        await client.head()
        body = await client.rest()

    assert body.endswith(FRAME if version == b"1.0" else chunk(FRAME) + END)


async def test_a_client_that_leaves_cancels_the_handler() -> None:
    async def script(sink: ClientSink) -> None:
        await sink.open(200, HEADERS)
        await asyncio.Event().wait()

    stage = Stage(script)
    async with connected(stage) as client:
        await client.head()
        client.writer.close()
        assert isinstance(await stage.ends.get(), asyncio.CancelledError)


@pytest.mark.parametrize(
    ("voice", "sent"),
    [
        (EventVoice(STANDARD), b"data: {"),
        (EventVoice(STANDARD), b'data: {"a":1}\r\n'),
        (EventVoice(GO), b"data: {"),
        (EventVoice(FRAGILE), b"data: {"),
        (ArrayVoice(), b'[{"a":'),
        (ArrayVoice(), b"[{}]"),
        (DocumentVoice(), b'{"a":1}'),
    ],
)
async def test_half_an_event_is_followed_by_no_error(voice: Asides, sent: bytes) -> None:
    async def script(sink: ClientSink) -> None:
        await sink.open(200, HEADERS)
        for byte in sent:
            await sink.emit(bytes([byte]))
        await sink.fail(ERROR)

    _, body = await received(Stage(script, voice))

    assert body == b"".join(chunk(bytes([byte])) for byte in sent) + NEVER


async def test_an_image_that_is_half_written_is_followed_by_no_error() -> None:
    """Its client is slow, and the process is told to end."""

    async def script(sink: ClientSink) -> None:
        await sink.open(200, HEADERS)
        sending = asyncio.create_task(sink.emit(b"data: " + MEBIBYTE * 32 + b"\n\n"))
        transport = sink._request.transport
        assert transport is not None
        while transport.get_write_buffer_size() == 0:  # noqa: ASYNC110 (nothing announces it)
            await asyncio.sleep(0)
        sending.cancel()
        await asyncio.wait([sending])
        await sink.fail(ERROR)

    async with connected(Stage(script)) as client:
        await client.head()
        body = await client.rest()

    assert body.endswith(b"x\r\n" + NEVER)


@pytest.mark.parametrize("sent", [(), (b"\n",), (b"\n", b"\n", b"\n")])
async def test_white_space_before_one_value_leaves_room_for_an_error(
    sent: tuple[bytes, ...],
) -> None:
    async def script(sink: ClientSink) -> None:
        await sink.open(200, HEADERS)
        for piece in sent:
            await sink.emit(piece)
        await sink.fail(ERROR)

    _, body = await received(Stage(script, DocumentVoice()))

    assert ERROR_JSON in body


@pytest.mark.parametrize("eol", [b"\n", b"\r\n", b"\r"])
async def test_an_event_in_pieces_is_followed_by_an_error(eol: bytes) -> None:
    event = b"data: {}" + eol * 2

    async def script(sink: ClientSink) -> None:
        await sink.open(200, HEADERS)
        for byte in event:
            await sink.emit(bytes([byte]))
        await sink.fail(ERROR)

    _, body = await received(Stage(script))

    assert ERROR_JSON in body


@pytest.mark.parametrize(
    ("upstreams", "expected"),
    [
        ({}, "no-cache, no-transform"),
        ({"Cache-Control": "private"}, "private, no-transform"),
        ({"cache-control": "No-Transform, private"}, "No-Transform, private"),
    ],
)
@pytest.mark.parametrize("voice", [EventVoice(), ArrayVoice()])
async def test_what_the_upstream_says_of_caches_is_kept(
    voice: Asides, upstreams: dict[str, str], expected: str
) -> None:
    async def script(sink: ClientSink) -> None:
        await sink.open(200, CIMultiDict({**upstreams, "X-Accel-Buffering": "yes"}))
        await sink.finish()

    head, _ = await received(Stage(script, voice))
    lines = head.split(b"\r\n")

    control = [line for line in lines if line.lower().startswith(b"cache-control: ")]
    assert control == [b"Cache-Control: " + expected.encode()]
    assert b"X-Accel-Buffering: no" in lines
    assert b"yes" not in head


async def test_a_stream_in_http_1_0_is_noted_once(caplog: pytest.LogCaptureFixture) -> None:
    async def script(sink: ClientSink) -> None:
        await sink.open(200, HEADERS)
        await sink.finish()

    downstream._note_http_1_0.cache_clear()
    for request in (LAST_POST, LAST_POST.replace(b"1.1", b"1.0"), POST.replace(b"1.1", b"1.0")):
        await received(Stage(script), request)

    notes = [record for record in caplog.records if "proxy_http_version 1.1" in record.message]
    assert len(notes) == 1


@pytest.mark.usefixtures("no_kernel_timeout")
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_a_client_that_does_not_read_cannot_take_a_part_for_the_whole(version: bytes) -> None:
    async def script(sink: ClientSink) -> None:
        await sink.open(200, HEADERS)
        while True:
            await sink.emit(MEBIBYTE)

    stage = Stage(script, send_timeout=0.05)
    async with connected(stage, LAST_POST.replace(b"1.1", version)) as client:
        await stage.ends.get()
        if version == b"1.0":
            with pytest.raises(ConnectionResetError):
                await client.rest()
        else:
            assert not (await client.rest()).endswith(END)
