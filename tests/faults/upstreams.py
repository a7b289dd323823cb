"""Upstreams that misbehave on purpose, beyond what the fake Gemini has by name."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping

import attrs

from gemproxy.chaos.answers import Answer as Told
from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.gemini import Json, chunk, sse
from tests.sockets import Reader, Writer, head
from tests.sockets import Script as Serve
from tests.wire import Answer, Ending, connect

STORY = BUILT_IN["story"]
SSE_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
UNSIZED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
UNARY = "/v1beta/models/gemini-test:generateContent"
COMPUTE = "/v1beta/models/gemini-test:countTokens"
OTHER = "/v1beta/cachedContents"
LAST = sse(chunk(".", finish="STOP", usage=(3, 9)))


def script(*specs: str, answer: Told = STORY) -> Script:
    """Return a script with the faults that the command line names so."""
    return Script(answer, [parse_fault(spec) for spec in specs])


def model(name: str) -> str:
    """Return the target of a stream of the model ``name``."""
    return f"/v1/models/{name}:streamGenerateContent?alt=sse"


async def request(reader: Reader) -> bytes:
    """Read a request with its body; return its head."""
    top = await head(reader)
    size = re.search(rb"(?i)content-length: (\d+)", top)
    await reader.readexactly(int(size[1]) if size else 0)
    return top


async def said(told: Script, target: str) -> Answer:
    """Return what the fake Gemini itself answers."""
    async with ChaosServer(told) as server, connect(server.url) as connection:
        return await connection.ask(target)


def is_whole(answer: Answer, told: Told = STORY) -> bool:
    """Assert that a client cannot tell the answer from an undisturbed one."""
    assert answer.status == 200, answer.body
    assert answer.ending is Ending.COMPLETE
    assert answer.text == told.text
    assert answer.finish_reasons == ["STOP"]
    assert len(answer.response_ids) == 1
    return True


def is_googles_error(answer: Answer, status: int, code: str) -> Json:
    """Assert that an answer is an error in Google's form, complete, with no word of our code."""
    assert (answer.status, answer.ending) == (status, Ending.COMPLETE)
    error = answer.error
    assert (error["code"], error["status"]) == (status, code)
    assert error["message"]
    assert error["details"][0]["requestId"]
    says_nothing_of_the_code(answer.body)
    return error


def says_nothing_of_the_code(body: bytes) -> None:
    """Assert that no traceback, file or library of ours is in what a client reads."""
    for trace in (b"Traceback", b".py", b"aiohttp", b"Error:", b"asyncio", b"127.0.0.1"):
        assert trace not in body


@attrs.define(eq=False)
class Lockstep:
    """An upstream whose streams go on together: nobody gets a frame until all have the last.

    ``clients`` is how many there are, ``go_on`` lets them all take a step.
    """

    clients: int
    frames: tuple[bytes, ...]
    asked: int = 0
    _steps: list[asyncio.Event] = attrs.field(init=False)

    @_steps.default
    def _one_for_each_frame(self) -> list[asyncio.Event]:
        return [asyncio.Event() for _ in self.frames]

    def go_on(self, step: int) -> None:
        """Let all streams have the frame number ``step``."""
        self._steps[step].set()

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        """Answer one connection."""
        await request(reader)
        self.asked += 1
        writer.write(UNSIZED)
        for frame, step in zip(self.frames, self._steps, strict=True):
            await step.wait()
            writer.write(frame)
            await writer.drain()


@attrs.define(eq=False)
class Flood:
    """An upstream that answers with ``piece`` again and again, until the peer leaves or ``most``.

    ``closed`` counts the connections that have ended.
    """

    begin: bytes
    piece: bytes
    most: int
    head: bytes = UNSIZED
    requests: int = 0
    written: int = 0
    closed: int = 0

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        """Answer one connection."""
        await request(reader)
        self.requests += 1
        writer.transport.set_write_buffer_limits(high=0)
        writer.write(self.head + self.begin)
        try:
            for _ in range(self.most // len(self.piece)):
                writer.write(self.piece)
                await writer.drain()
                self.written += len(self.piece)
        finally:
            self.closed += 1


def counting(serve: Serve, counts: dict[str, int]) -> Serve:
    """Return ``serve`` with its connections counted under "connections"."""

    async def counted(reader: Reader, writer: Writer) -> None:
        counts["connections"] = counts.get("connections", 0) + 1
        await serve(reader, writer)

    return counted


Ask = Callable[[str], Awaitable[Answer]]
Fields = Mapping[str, str]
