"""The client's side of a stream: it leaves, it does not read, it waits in silence."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import attrs
import pytest

from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer, Outcome
from gemproxy.routes.parts import IN_FLIGHT
from tests.gemini import chunk, sse, text_of
from tests.running import PATIENCE, AccessLog, StartProxy
from tests.wire import ARRAY, KEY, STREAM, Connection, Ending, body_of

STORY = BUILT_IN["story"]
HOUR = 3_600_000


def script(*specs: str, line_end: str = "\r\n") -> Script:
    """Return a script with the faults that the command line names so."""
    return Script(STORY, [parse_fault(spec) for spec in specs], line_end=line_end)


# --- The client leaves -------------------------------------------------------------------


def fin(connection: Connection) -> None:
    """Leave with FIN, whatever is unread."""
    connection.socket.shutdown(socket.SHUT_WR)


def rst(connection: Connection) -> None:
    """Leave with RST."""
    connection.reset()


LEAVE = pytest.mark.parametrize("leave", [fin, rst])
Leave = Callable[[Connection], None]


async def soon(event: Awaitable[None]) -> None:
    """Wait for what has to happen at once."""
    async with asyncio.timeout(PATIENCE):
        await event


@LEAVE
async def test_a_client_that_leaves_in_the_stream_ends_the_attempt(
    proxy: StartProxy, access_log: AccessLog, leave: Leave
) -> None:
    async with ChaosServer(script(), event_delay=0.02) as server:
        running = await proxy(server)
        async with running.connect() as connection:
            await connection.send()
            await connection.head()
            await connection.chunk()

            leave(connection)

            await soon(server.until_closed())
        assert server.attempts[0].outcome is Outcome.ABANDONED
        line = await access_log.line()
        assert (line["status"], line["ending"]) == (499, "streaming")
        assert len(running.app[IN_FLIGHT]) == 0


@LEAVE
@pytest.mark.parametrize("place", ["headers", "0", "event:3", "end"])
async def test_a_client_that_leaves_during_a_stall_ends_the_attempt(
    proxy: StartProxy, leave: Leave, place: str
) -> None:
    async with ChaosServer(script(f"stall@{place}")) as server:
        running = await proxy(server, upstream={"finish_grace_seconds": 60.0})
        async with running.connect() as connection:
            await connection.send()
            await soon(server.until_stalled())

            leave(connection)

            await soon(server.until_closed())
        assert len(server.attempts) == 1


@LEAVE
@pytest.mark.parametrize(
    "specs",
    [
        ("clean@event:3", "clean@0", "clean@0"),
        ("status:503", "status:503", "status:503"),
        ("status:429,retry=29",),
        ("clean@event:3", "error:429,retry=29@event:0"),
    ],
)
async def test_a_client_that_leaves_during_a_back_off_ends_the_request(
    proxy: StartProxy, access_log: AccessLog, leave: Leave, specs: tuple[str, ...]
) -> None:
    before_the_wait = min(len(specs), 2)
    async with ChaosServer(script(*specs)) as server:
        running = await proxy(server, repair={"retry_delay_ms": HOUR, "max_delay_ms": HOUR})
        async with running.connect() as connection:
            await connection.send()
            await soon(server.until(lambda: told(server) == before_the_wait))

            leave(connection)

            assert (await access_log.line())["status"] == 499
        assert len(server.attempts) == before_the_wait


def told(server: ChaosServer) -> int:
    """Return how many attempts were answered to their end."""
    return sum(attempt.outcome is Outcome.SENT for attempt in server.attempts)


async def test_a_client_that_leaves_does_not_disturb_the_others(proxy: StartProxy) -> None:
    async with ChaosServer({"*": script(), "stalls": script("stall@event:3")}) as server:
        running = await proxy(server)
        async with running.connect() as connection:
            await connection.send("/v1/models/stalls:streamGenerateContent?alt=sse")
            await soon(server.until_stalled())

        assert (await running.ask()).text == STORY.text


# --- The client does not read ------------------------------------------------------------


FRAME = sse(chunk("x" * (1 << 16)))
FRAMES = 512
LAST = sse(chunk(".", finish="STOP"))
KERNELS = 16 << 20
"""Bytes that the kernel's buffers between upstream and client hold at most, about."""


@attrs.define
class Fountain:
    """An upstream that answers every request with 32 MiB, and counts what it got rid of."""

    url: str = ""
    written: dict[str, int] = attrs.field(factory=dict)
    left: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            name = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
            writer.transport.set_write_buffer_limits(high=0)
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            for data in (*[FRAME] * FRAMES, LAST):
                writer.write(data)
                await writer.drain()
                self.written[name] = self.written.get(name, 0) + len(data)
        self.left.set()
        writer.close()


@pytest.fixture
async def fountain() -> AsyncIterator[Fountain]:
    """Run a Fountain on a socket of its own."""
    source = Fountain()
    server = await asyncio.start_server(source.serve, "127.0.0.1", 0)
    source.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield source
    server.close()


@pytest.mark.production_loop
async def test_a_client_that_does_not_read_stops_the_upstream(
    proxy: StartProxy, fountain: Fountain
) -> None:
    running = await proxy(fountain.url)
    idle = "/v1/models/idle:streamGenerateContent?alt=sse"
    eager = "/v1/models/eager:streamGenerateContent?alt=sse"
    async with running.connect(receive_buffer=1 << 16) as connection:
        await connection.send(idle)

        answer = await running.ask(eager)

        assert answer.body == FRAME * FRAMES + LAST
        assert 0 < fountain.written[idle] < KERNELS
        assert (await connection.answer()).body == answer.body


async def test_a_client_that_never_reads_is_given_up(
    proxy: StartProxy, fountain: Fountain, access_log: AccessLog
) -> None:
    running = await proxy(fountain.url, client={"send_timeout_seconds": 0.1})
    async with running.connect(receive_buffer=1 << 16) as connection:
        await connection.send()

        line = await access_log.line()

        assert (line["client"], line["ending"]) == ("gone", "streaming")
        await soon(wait_for(fountain.left))
        assert len(await connection.rest()) < KERNELS


async def wait_for(event: asyncio.Event) -> None:
    await event.wait()


# --- The client waits --------------------------------------------------------------------


RESTLESS = {"heartbeat_seconds": 0.01, "headers_after_seconds": 0.01}


async def frames_of(connection: Connection, count: int) -> bytes:
    """Read chunks until so many frames have come."""
    body = b""
    while body.count(b"data: ") < count:
        body += await connection.chunk()
    return body


@pytest.mark.parametrize("line_end", ["\r\n", "\n"], ids=["crlf", "lf"])
async def test_a_waiting_client_gets_blank_lines_in_the_style_of_the_stream(
    proxy: StartProxy, line_end: str
) -> None:
    async with ChaosServer(script("stall@event:3", line_end=line_end)) as server:
        running = await proxy(server, client={"heartbeat_seconds": 0.01})
        async with running.connect() as connection:
            await connection.send()
            await connection.head()
            await frames_of(connection, 3)

            beats = [await connection.chunk() for _ in range(3)]

        assert beats == [line_end.encode() * 2] * 3


async def test_a_waiting_client_gets_the_head_before_there_is_an_answer(
    proxy: StartProxy,
) -> None:
    async with ChaosServer(script("stall@headers")) as server:
        running = await proxy(server, client=RESTLESS)
        async with running.connect() as connection:
            await connection.send()

            status, headers = await connection.head()

            assert (status, headers["Content-Type"]) == (200, "text/event-stream")
            assert await connection.chunk() == b"\r\n\r\n"


async def test_heartbeats_stand_only_between_frames(proxy: StartProxy) -> None:
    """The upstream pauses between frames, stalls within one, and is asked again."""
    told = BUILT_IN["thinking"]
    broken = Script(told, [parse_fault("stall@3000"), parse_fault("rst@2500")])
    async with ChaosServer(broken, event_delay=0.02) as server:
        running = await proxy(
            server,
            client={"heartbeat_seconds": 0.01},
            upstream={"chunk_timeout_seconds": 0.1, "thinking_timeout_seconds": 0.1},
        )

        answer = await running.ask()

        beats = [data for data in answer.chunks if data == b"\r\n\r\n"]
        frames = [data for data in answer.chunks if data != b"\r\n\r\n"]
        assert beats
        assert all(data.startswith(b"data: {") and data.endswith(b"}\r\n\r\n") for data in frames)
        assert text_of(b"".join(frames)) == told.text
        assert answer.ending is Ending.COMPLETE


async def test_an_array_is_padded_with_white_space_once_it_is_open(proxy: StartProxy) -> None:
    async with ChaosServer(script("stall@event:3", "clean@event:1")) as server:
        running = await proxy(server, client=RESTLESS, upstream={"chunk_timeout_seconds": 0.1})

        answer = await running.ask(ARRAY)

        assert b"\n" in answer.chunks
        assert answer.body.startswith(b"[{")
        assert json.loads(answer.body)[-1]["candidates"][0]["finishReason"] == "STOP"
        assert answer.text == STORY.text


QUIET = {
    "an array that is not open": (ARRAY, "", "headers"),
    "legacy JavaScript": (STREAM, "genai-js/0.24.1", "event:3"),
    "JavaScript before 1.30": (STREAM, "google-genai-sdk/1.9.0 gl-node/v20", "event:3"),
    "Go, line ends unknown": (STREAM, "google-genai-sdk/1.30.0 gl-go/go1.24", "headers"),
}


@pytest.mark.parametrize("name", QUIET)
async def test_clients_that_would_break_get_no_heartbeat(proxy: StartProxy, name: str) -> None:
    """By the time that another client has had five of them."""
    target, client, place = QUIET[name]
    async with ChaosServer(script(*[f"stall@{place}"] * 2)) as server:
        running = await proxy(server, client=RESTLESS)
        async with running.connect() as quiet, running.connect() as restless:
            await quiet.send(target, headers={**KEY, "X-Goog-Api-Client": client})
            await quiet.head()
            await frames_of(quiet, 3 if place == "event:3" else 0)
            await restless.send(body=body_of("Another."))
            await five_heartbeats(restless)

            with pytest.raises(BlockingIOError):
                quiet.socket.recv(1)


async def five_heartbeats(connection: Connection) -> None:
    await connection.head()
    beats = 0
    while beats < 5:
        beats += await connection.chunk() == b"\r\n\r\n"
