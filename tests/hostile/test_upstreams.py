"""An upstream that answers ambiguously, endlessly, or unasked: nobody gets another's answer."""

import json
from collections.abc import Callable

import attrs
import pytest

from tests.faults.upstreams import UNARY
from tests.gemini import chunk, sse
from tests.running import StartProxy
from tests.sockets import END, Reader, Writer, head, scripted
from tests.sockets import chunk as http_chunk
from tests.wire import STREAM, Ending

OK = b"HTTP/1.1 200 OK\r\n"
EVENTS = OK + b"Content-Type: text/event-stream\r\n"
JSON = OK + b"Content-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
GOOD = sse(chunk("Well.", finish="STOP"))
WHOLE = json.dumps(chunk("Well.", finish="STOP")).encode()
EVIL = sse(chunk("Evil.", finish="STOP"))
QUICK = {"max_consecutive_retries": 1, "retry_delay_ms": 1, "max_delay_ms": 1}


def sized(head: bytes, body: bytes) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def in_chunks(head: bytes, body: bytes) -> bytes:
    return head + CHUNKED + b"\r\n" + http_chunk(body) + END


@attrs.define(eq=False)
class Turns:
    """An upstream whose connections each answer with ``first`` once, then as they should."""

    first: bytes
    good: bytes
    closes: bool = False
    asked: int = 0

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        """Serve one connection."""
        while True:
            top = await head(reader)
            length = top.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
            await reader.readexactly(int(length or 0))
            self.asked += 1
            writer.write(self.first if self.asked == 1 else self.good)
            if self.asked == 1 and self.closes:
                return


FALSE: dict[str, Callable[[bytes], bytes]] = {
    "two lengths": lambda top: sized(top + b"Content-Length: 3\r\n", EVIL),
    "a length and chunks": lambda top: sized(top + CHUNKED, http_chunk(EVIL) + END),
    "no number for a length": lambda top: top + b"Content-Length: 0x10\r\n\r\n" + EVIL,
    "a negative length": lambda top: top + b"Content-Length: -1\r\n\r\n" + EVIL,
    "a NUL in a header": lambda top: sized(top + b"X-A: \0\r\n", EVIL),
    "a header without a name": lambda top: sized(top + b": 1\r\n", EVIL),
    "a blank before the colon": lambda top: sized(top + b"X-A : 1\r\n", EVIL),
    "a flood of headers": lambda top: sized(top + b"X-A: 1\r\n" * 5000, EVIL),
    "a header without an end": lambda top: top + b"X-A: " + b"a" * (1 << 20),
    "no chunk size": lambda top: top + CHUNKED + b"\r\nzz\r\n" + EVIL,
    "a negative chunk": lambda top: top + CHUNKED + b"\r\n-1\r\n" + EVIL,
}


@pytest.mark.parametrize("target", [STREAM, UNARY])
@pytest.mark.parametrize("name", FALSE)
async def test_an_answer_that_is_ambiguous_is_none(
    proxy: StartProxy, name: str, target: str
) -> None:
    good = in_chunks(EVENTS, GOOD) if target == STREAM else sized(JSON, WHOLE)
    turns = Turns(FALSE[name](EVENTS if target == STREAM else JSON), good)
    async with scripted(turns) as url:
        running = await proxy(str(url), repair=QUICK)
        answers = [await running.ask(target) for _ in range(3)]

    assert all(answer.ending is Ending.COMPLETE for answer in answers)
    assert not any(b"Evil" in answer.body for answer in answers)
    assert all(b"Well" in answer.body for answer in answers)


@pytest.mark.parametrize("unasked", [in_chunks(EVENTS, EVIL), sized(EVENTS, EVIL)])
@pytest.mark.parametrize("target", [STREAM, UNARY])
async def test_a_second_answer_goes_to_nobody(
    proxy: StartProxy, target: str, unasked: bytes
) -> None:
    good = in_chunks(EVENTS, GOOD) if target == STREAM else sized(JSON, WHOLE)
    turns = Turns(good + unasked, good)
    async with scripted(turns) as url:
        running = await proxy(str(url), repair=QUICK)
        answers = [await running.ask(target) for _ in range(3)]

    assert [b"Well" in answer.body for answer in answers] == [True] * 3
    assert not any(b"Evil" in answer.body for answer in answers)
