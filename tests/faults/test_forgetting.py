"""What is over is forgotten: no request, answer or stream is held in memory by a trace of it."""

import asyncio
import gc
from collections import Counter
from collections.abc import Callable

import aiohttp
import pytest
from aiohttp import web

from gemproxy.chaos.server import ChaosServer
from gemproxy.core.repair.machine import StreamMachine
from tests.faults.upstreams import UNARY, is_whole, model, script
from tests.io.test_faults import AT_PLACES, HASTY, OF_THE_WHOLE, TIRELESS, TOLD
from tests.replies import SILENT, replying
from tests.running import StartProxy
from tests.wire import STREAM

pytestmark = pytest.mark.production_loop

KINDS = (web.Request, aiohttp.ClientResponse, StreamMachine)


@pytest.fixture(name="remembered")
def count_remembered() -> Callable[[], Counter[str]]:
    """Return what counts the traces of requests, other than those that other tests left."""

    def count() -> Counter[str]:
        gc.collect()
        return Counter(type(one).__name__ for one in gc.get_objects() if isinstance(one, KINDS))

    before = count()
    return lambda: count() - before


async def test_a_stream_is_forgotten_whatever_went_wrong_with_it(
    proxy: StartProxy, remembered: Callable[[], Counter[str]]
) -> None:
    specs = dict(enumerate([*AT_PLACES, *OF_THE_WHOLE]))
    scripts = {f"model-{number}": script(spec, answer=TOLD) for number, spec in specs.items()}
    silent = [f"model-{number}" for number, spec in specs.items() if spec.startswith("stall")]
    async with ChaosServer(scripts, record=False) as server:
        for upstream, names in (({}, scripts.keys() - set(silent)), (HASTY, silent)):
            # Hasty only where silence is the fault: among so many streams, any may have to wait.
            running = await proxy(server, upstream=upstream, repair=TIRELESS)

            answers = await asyncio.gather(*(running.ask(model(name)) for name in names))

            assert all(is_whole(answer, TOLD) for answer in answers)
    assert remembered() == {}


@pytest.mark.parametrize("target", [STREAM, UNARY])
async def test_a_request_whose_client_left_is_forgotten(
    proxy: StartProxy, remembered: Callable[[], Counter[str]], target: str
) -> None:
    async with replying(SILENT) as upstream:
        running = await proxy(upstream.url)
        for _ in range(5):
            async with running.connect() as connection:
                await connection.send(target)
                await asyncio.wait_for(upstream.stalled.wait(), 10)
                upstream.stalled.clear()
    assert remembered() == {}
