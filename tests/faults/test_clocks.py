"""The wall clock jumps: nothing here is timed by it."""

import ast
import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

import gemproxy
from gemproxy.chaos.server import ChaosServer
from tests.faults.upstreams import UNSIZED, is_whole, request, script
from tests.gemini import chunk, sse
from tests.running import AccessLog, StartProxy
from tests.sockets import Reader, Writer, scripted

HOUR = 3600.0
FIRST = sse(chunk("One, "))
REST = sse(chunk("two.", finish="STOP"))


@attrs.define(eq=False)
class WallClock:
    """The time of day, ``ahead`` of the real one by so many seconds."""

    ahead: float = 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    """Set the time of day for everything in this process that looks at it."""
    shown = WallClock()
    seconds, nanoseconds = time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: seconds() + shown.ahead)
    monkeypatch.setattr(time, "time_ns", lambda: nanoseconds() + int(shown.ahead * 1e9))
    return shown


jumps = pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forward", "back"])


@jumps
async def test_a_jump_disturbs_no_stream(
    proxy: StartProxy, clock: WallClock, access_log: AccessLog, jump: float
) -> None:
    """Neither the patience of a minute and a half nor a heartbeat of 15 s is over by it."""
    jumped = asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        await request(reader)
        writer.write(UNSIZED + FIRST)
        await writer.drain()
        await jumped.wait()
        writer.write(REST)

    async with scripted(serve) as upstream:
        running = await proxy(str(upstream))
        async with running.connect() as client:
            await client.send()
            await client.head()
            assert await client.chunk() == FIRST

            clock.ahead = jump
            jumped.set()

            assert [await client.chunk(), await client.chunk()] == [REST, b""]
        line = await access_log.line()
    assert line["attempts"] == 1
    assert 0 <= line["duration_ms"] < HOUR * 1000


@jumps
async def test_patience_and_heartbeats_go_on_after_a_jump(
    proxy: StartProxy, clock: WallClock, jump: float
) -> None:
    async with ChaosServer(script("stall@event:5")) as server:
        running = await proxy(
            server,
            upstream={"chunk_timeout_seconds": 0.2},
            client={"heartbeat_seconds": 0.05},
        )
        async with running.connect() as client:
            await client.send()
            await server.until_stalled()

            clock.ahead = jump

            answer = await client.answer()
    assert is_whole(answer)
    assert b"\r\n\r\n" in answer.chunks
    assert len(server.attempts) == 2


WALL = {"time", "time_ns", "now", "utcnow", "today", "gmtime", "localtime"}
SHOWN = {
    "admin/models.py",
    "doctor/through.py",
    "keys/command.py",
    "observe/logs.py",
    "pages/keys.py",
    "pages/overview.py",
    "pages/projects.py",
    "probe/report.py",
    "routes/chat.py",
    "routes/drawing.py",
    "routes/painting.py",
    "routes/selftest.py",
    "tracing/spans.py",
    "tracing/totals.py",
    "usage/db.py",
    "users/command.py",
    "web/pooling.py",
    "web/status.py",
    "web/totals.py",
}
"""Where the time of day is shown to people or a collector, makes an id that sorts, dates what is
stored, or is compared with a date: of a price, a key, a rest, a proof.

The pool and the accounts are given their clocks: days and stored rests need the time of day.
"""


def readings(tree: ast.AST) -> Iterator[str]:
    """Yield the calls that read the time of day."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = ast.unparse(node.func.value)
            if node.func.attr in WALL and owner.split(".")[-1] in {"time", "datetime", "date"}:
                yield ast.unparse(node)


def test_nothing_but_what_people_read_looks_at_the_time_of_day() -> None:
    package = Path(gemproxy.__file__).parent
    found = {
        str(file.relative_to(package)): list(readings(ast.parse(file.read_text())))
        for file in package.rglob("*.py")
    }

    assert {name for name, calls in found.items() if calls} == SHOWN
