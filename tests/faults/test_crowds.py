"""Many streams at once: each is exact, and none is left behind."""

import asyncio
import contextlib
import random
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.faults.processes import serving, told_by_proc
from tests.faults.upstreams import Lockstep, is_whole, model, script
from tests.gemini import chunk, sse
from tests.running import PATIENCE, StartProxy
from tests.sockets import scripted
from tests.wire import Ending

pytestmark = pytest.mark.production_loop

CROWD = 500
QUEUE = min(CROWD, socket.SOMAXCONN)
MANY = {"max_connections": 2 * CROWD}
TIRELESS = {"max_consecutive_retries": 50, "max_resumes": 50}


def troubles() -> Iterator[Script]:
    """Yield scripts that go wrong in as many ways, each from one seed."""
    rng = random.Random(500)
    while True:
        kinds = ["clean", "fin", "rst", "truncated-chunk", "error:503", "finish:OTHER"]
        specs = []
        for _ in range(rng.randint(0, 2)):
            kind = rng.choice(kinds)
            place = f"event:{rng.randint(4, 30)}" if ":" in kind else str(rng.randint(0, 9000))
            specs.append(f"{kind}@{place}")
        yield script(*specs, answer=BUILT_IN["story"])


async def test_of_many_streams_with_all_kinds_of_trouble_each_is_exact(proxy: StartProxy) -> None:
    some = troubles()
    scripts = {f"model-{number:03}": next(some) for number in range(CROWD)}
    async with ChaosServer(scripts) as server:
        running = await proxy(server, server=MANY, repair=TIRELESS)

        answers = await asyncio.gather(*(running.ask(model(name)) for name in scripts))

        assert all(map(is_whole, answers))
        assert server.violations == []


async def test_no_stream_is_left_behind_by_the_others(proxy: StartProxy) -> None:
    """All streams go in step: a frame is sent when every client has read the one before."""
    texts = [f"{number}, " for number in range(12)]
    frames = [*(sse(chunk(text)) for text in texts), sse(chunk("end.", finish="STOP"))]
    upstream = Lockstep(CROWD, tuple(frames))
    async with scripted(upstream) as url:
        running = await proxy(str(url), server=MANY)
        async with asyncio.TaskGroup() as clients:
            turn = asyncio.Barrier(CROWD + 1)

            async def read() -> bytes:
                async with running.connect() as connection:
                    await connection.send()
                    body = b""
                    for number, frame in enumerate(frames):
                        if not number:
                            await turn.wait()
                            await connection.head()
                        got = await connection.chunk()
                        assert got == frame
                        body += got
                        await turn.wait()
                    assert await connection.chunk() == b""
                    return body

            reading = [clients.create_task(read()) for _ in range(CROWD)]
            for step in range(len(frames)):
                await turn.wait()
                upstream.go_on(step)
            await turn.wait()

        assert {task.result() for task in reading} == {b"".join(frames)}
    assert upstream.asked == CROWD


@told_by_proc
async def test_a_crowd_waits_in_the_kernel_while_the_loop_is_busy(tmp_path: Path) -> None:
    """A stopped process takes in nobody, as a busy one: who finds the queue full is reset."""
    async with ChaosServer(script()) as server, serving(tmp_path, server.url) as proxy:
        proxy.process.send_signal(signal.SIGSTOP)
        async with contextlib.AsyncExitStack() as stack, asyncio.timeout(PATIENCE):
            clients = [await stack.enter_async_context(proxy.connect()) for _ in range(QUEUE)]
            proxy.process.send_signal(signal.SIGCONT)

            assert is_whole(await clients[-1].ask())


async def test_one_too_many_is_told_so_at_once(proxy: StartProxy) -> None:
    async with ChaosServer(script("stall@event:3")) as server:
        running = await proxy(server, server={"max_connections": 1})
        async with running.connect() as first:
            await first.send()
            await first.head()

            answer = await running.ask()

            assert (answer.status, answer.error["status"]) == (503, "UNAVAILABLE")
            assert answer.headers["Retry-After"] == "1"
            assert answer.ending is Ending.COMPLETE
        await server.until_closed()
