"""The client leaves: wherever that is, the upstream connection is closed, and nothing is left."""

import asyncio
import socket
from collections.abc import Callable

import pytest

from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer, Outcome
from gemproxy.routes.parts import IN_FLIGHT
from tests.faults.upstreams import COMPUTE, OTHER, UNARY, model, said, script
from tests.gemini import BODY
from tests.replies import SILENT, Reply, replying
from tests.running import PATIENCE, Proxy, StartProxy
from tests.wire import ARRAY, KEY, STREAM, Connection

Leave = Callable[[Connection], None]


def fin(connection: Connection) -> None:
    """Leave with FIN, whatever is unread."""
    connection.socket.shutdown(socket.SHUT_WR)


def rst(connection: Connection) -> None:
    """Leave with RST."""
    connection.reset()


leaves = pytest.mark.parametrize("leave", [fin, rst])


async def read_and_leave(
    proxy: Proxy, server: ChaosServer, name: str, frames: int, leave: Leave
) -> None:
    """Read so many frames of a model's stream and leave in the middle of it."""
    async with proxy.connect() as connection:
        await connection.send(model(name))
        await server.until(lambda: any(attempt.model == name for attempt in server.attempts))
        body = b""
        if frames:
            await connection.head()
        while body.count(b"data: ") < frames:
            body += await connection.chunk()
        leave(connection)


@leaves
async def test_after_any_frame(proxy: StartProxy, leave: Leave) -> None:
    """Each stream stalls behind the frame that its client reads last."""
    frames = len((await said(script(), STREAM)).chunks)
    scripts: dict[str, Script] = {
        f"frame-{number:02}": script("stall@headers" if not number else f"stall@event:{number}")
        for number in range(frames)
    }
    async with ChaosServer(scripts) as server:
        running = await proxy(server)

        async with asyncio.timeout(PATIENCE):
            async with asyncio.TaskGroup() as clients:
                for number, name in enumerate(scripts):
                    clients.create_task(read_and_leave(running, server, name, number, leave))
            await server.until_closed()

        assert {attempt.outcome for attempt in server.attempts} == {Outcome.ABANDONED}
        assert len(server.attempts) == len(scripts)
        assert len(running.app[IN_FLIGHT]) == 0


@leaves
@pytest.mark.parametrize("target", [STREAM, ARRAY, UNARY, COMPUTE, OTHER])
async def test_before_an_answer(proxy: StartProxy, target: str, leave: Leave) -> None:
    async with replying(SILENT) as upstream:
        running = await proxy(upstream.url)
        async with running.connect() as connection:
            await connection.send(target)
            await asyncio.wait_for(upstream.stalled.wait(), PATIENCE)

            leave(connection)

            await asyncio.wait_for(running.app[IN_FLIGHT].drain(PATIENCE), PATIENCE)
        assert not running.app[IN_FLIGHT].expired
        assert len(upstream.seen) == 1


HALF = Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", stalls=True)


@leaves
async def test_in_a_body_that_passes_through(proxy: StartProxy, leave: Leave) -> None:
    async with replying(HALF) as upstream:
        running = await proxy(upstream.url)
        async with running.connect() as connection:
            await connection.send(OTHER, headers=KEY)
            await connection.head()
            assert await connection.exactly(4) == b"half"

            leave(connection)

            await asyncio.wait_for(running.app[IN_FLIGHT].drain(PATIENCE), PATIENCE)
        assert not running.app[IN_FLIGHT].expired


@leaves
@pytest.mark.parametrize("target", [STREAM, UNARY, OTHER, "/upload/v1beta/files"])
async def test_in_the_middle_of_its_own_body(proxy: StartProxy, target: str, leave: Leave) -> None:
    async with replying(SILENT) as upstream:
        running = await proxy(upstream.url)
        async with running.connect() as connection:
            longer = {**KEY, "Content-Length": str(len(BODY) + 1)}
            await connection.send(target, headers=longer)
            async with asyncio.timeout(PATIENCE):
                while not running.app[IN_FLIGHT]:  # noqa: ASYNC110 (requests are not announced)
                    await asyncio.sleep(0)

            leave(connection)

            await asyncio.wait_for(running.app[IN_FLIGHT].drain(PATIENCE), PATIENCE)
        assert not running.app[IN_FLIGHT].expired
        assert upstream.seen == []
