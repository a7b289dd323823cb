"""One follower: in its own time, with an end of its own, and never with a hole."""

import asyncio

import pytest

from gemproxy.chaos.faults import Fault, Kind, event
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.routes.parts import IN_FLIGHT
from tests.faults.upstreams import Flood
from tests.gemini import chunk, sse
from tests.resume.clients import KINDS, SSE, Reader, reading, streams_of, until
from tests.resume.clients import Kind as Dialect
from tests.running import StartProxy
from tests.sockets import scripted
from tests.wire import STREAM

STORY = BUILT_IN["story"]
STALLED = Script(STORY, [Fault(Kind.STALL, event(5))])
BROKEN = Script(STORY, [Fault(Kind.CLEAN_EOF, event(5)), *[Fault(Kind.CLEAN_EOF)] * 9])
PIECE = sse(chunk("x" * 20_000))


async def test_p10_a_follower_that_trimming_overtakes_ends_loudly_and_delays_nobody(
    proxy: StartProxy,
) -> None:
    """It reads nothing until megabytes have gone by that are not kept."""
    flood = Flood(b"", PIECE, 40_000_000)
    async with scripted(flood) as url:
        running = await proxy(str(url).rstrip("/"), resume={"max_stream_bytes": 200_000})
        async with running.connect(receive_buffer=1 << 17) as slow:
            await slow.send(STREAM, headers=SSE.headers("k"))
            status, headers = await slow.head()
            async with reading(running, SSE, "k") as quick:
                (stream,) = streams_of(running)
                await until(lambda: stream.log.base > 500)
                assert quick.status in {200, 410}
            reader = Reader(slow, SSE.decoder(), status, headers)
            async with asyncio.timeout(30):
                got = await reader.all()

            assert not reader.whole
            assert b"OUT_OF_RANGE" in got[-1]
            assert all(data == PIECE[6:-4] for data in got[:-1])
            gone = await running.ask(STREAM, headers=SSE.headers("k", len(got) - 1))
            assert gone.status == 410
        await running.ask(f"/gemproxy/v1/streams/{stream.id}:cancel", b"", method="POST")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_a_broken_answer_is_broken_for_each_who_comes(
    proxy: StartProxy, kind: Dialect
) -> None:
    async with ChaosServer(BROKEN) as fake:
        running = await proxy(fake, repair={"enabled": False})
        bodies = []
        for after in (None, 2, 5):
            async with reading(running, kind, "k", after) as reader:
                bodies.append(await reader.all())
                assert not reader.whole

        first, *others = bodies
        assert others[0][:-1] == first[2:-1]
        assert len(fake.attempts) == 1
        assert all(b'"error"' in body[-1] for body in bodies)


async def test_a_follower_that_an_operator_ends_hears_it_and_the_answer_goes_on(
    proxy: StartProxy,
) -> None:
    async with ChaosServer(STALLED) as fake:
        running = await proxy(fake)
        async with reading(running, SSE, "k") as reader:
            await reader.some(5)
            here = running.app[IN_FLIGHT]
            (run,) = [one for one in here.running if one.exchange.account.follows]

            here.cancel(run)

            assert b"CANCELLED" in (await reader.all())[-1]
        assert streams_of(running)[0].state == "running"


async def test_a_client_that_leaves_before_the_head_is_no_follower_any_more(
    proxy: StartProxy,
) -> None:
    async with ChaosServer(Script(STORY, [Fault(Kind.STALL)])) as fake:
        running = await proxy(fake)
        async with running.connect() as connection:
            await connection.send(STREAM, headers=SSE.headers("k"))
            await fake.until_stalled()
            assert streams_of(running)[0].followers == 1

        await until(lambda: streams_of(running)[0].followers == 0)
        assert streams_of(running)[0].detached is not None
