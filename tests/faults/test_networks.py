"""A bad line that loses nothing: in one byte at a time, late, unsteady, narrow.

What comes out is what went in, byte for byte, by one attempt.
"""

import asyncio
import random
from collections.abc import Callable, Iterator

import attrs
import pytest

from tests.faults.upstreams import OTHER, UNARY, UNSIZED, request
from tests.gemini import chunk, sse
from tests.running import StartProxy
from tests.sockets import Reader, Script, Writer, scripted
from tests.wire import ARRAY, STREAM, Ending

SAID = [
    chunk("Größe ändern: 测试 👩‍💻", usage=(3, 5)),
    chunk(" und weiter."),
    chunk("", finish="STOP", usage=(3, 9)),
]


@attrs.frozen
class Line:
    """How bytes travel: in slices of so many, each after so many seconds."""

    size: Callable[[random.Random], int]
    delay: Callable[[random.Random], float]

    def slices(self, data: bytes) -> Iterator[tuple[float, bytes]]:
        """Yield the slices of ``data``, each with the seconds before it."""
        rng = random.Random(len(data))
        while data:
            size = self.size(rng)
            yield self.delay(rng), data[:size]
            data = data[size:]


LINES = {
    "slicer": Line(lambda _: 1, lambda _: 0.0),
    "latency": Line(lambda _: 400, lambda _: 0.1),
    "jitter": Line(lambda rng: rng.randint(1, 60), lambda rng: rng.choice((0.0, 0.0, 0.005, 0.02))),
    "bandwidth": Line(lambda _: 50, lambda _: 0.05),  # 1 kB/s
}


ARRAY_BODY = b"[" + b",\r\n".join(sse(one)[len(b"data: ") : -4] for one in SAID) + b"]"
BODIES = {
    STREAM: sse(*SAID),
    ARRAY: ARRAY_BODY,
    UNARY: sse(SAID[-1])[len(b"data: ") : -4],
    OTHER: "Ein Dokument, kein JSON: 测试".encode(),
}


def carrying(line: Line, targets: list[str]) -> Script:
    """Return an upstream that answers each request over this line, and notes its target."""

    async def serve(reader: Reader, writer: Writer) -> None:
        target = (await request(reader)).split(b" ")[1].decode()
        targets.append(target)
        writer.write(UNSIZED)
        for delay, data in line.slices(BODIES[target]):
            await asyncio.sleep(delay)
            writer.write(data)
            await writer.drain()

    return serve


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
async def test_what_comes_over_a_bad_line_is_passed_on_byte_for_byte(
    proxy: StartProxy, line: Line
) -> None:
    targets: list[str] = []
    async with scripted(carrying(line, targets)) as upstream:
        running = await proxy(str(upstream))

        answers = await asyncio.gather(*map(running.ask, BODIES))

    assert [answer.body for answer in answers] == list(BODIES.values())
    assert {(answer.status, answer.ending) for answer in answers} == {(200, Ending.COMPLETE)}
    assert sorted(targets) == sorted(BODIES)
