"""SIGTERM while streams run: they may finish, be repaired even; what outlasts the drain is told.

Never a clean end where there is none. The process itself always ends with status 0.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.server import ChaosServer
from tests.faults.processes import ProxyProcess, serving
from tests.faults.upstreams import OTHER, UNARY, is_googles_error, is_whole, script
from tests.gemini import Json, documents
from tests.replies import SILENT, replying
from tests.web.test_server import until_refused
from tests.wire import ARRAY, STREAM, Connection, Ending

pytestmark = pytest.mark.production_loop

STALL = "stall@event:5"


@contextlib.asynccontextmanager
async def streaming(
    folder: Path, server: ChaosServer, target: str, drain: float
) -> AsyncIterator[tuple[ProxyProcess, Connection]]:
    """Yield a proxy that was sent SIGTERM in the middle of a stream, and the stream's client.

    A stream whose script stalls has come to that place before.
    """
    async with (
        serving(folder, server.url, {"server.drain_timeout": drain}) as proxy,
        proxy.connect() as client,
    ):
        await client.send(target)
        await server.until_requests(1)
        if server.attempts[0].plan.fault == parse_fault(STALL):
            await server.until_stalled()
        await proxy.terminate()
        yield proxy, client


@pytest.mark.parametrize("target", [STREAM, ARRAY], ids=["sse", "array"])
@pytest.mark.parametrize("spec", ["none", "rst@event:9", "clean@event:9", "finish:OTHER@event:9"])
async def test_a_stream_finishes_within_the_drain_and_is_repaired_meanwhile(
    tmp_path: Path, spec: str, target: str
) -> None:
    async with (
        ChaosServer(script(spec), event_delay=0.005) as server,
        streaming(tmp_path, server, target, drain=60) as (proxy, client),
    ):
        answer = await client.answer()

        assert is_whole(answer)
        assert len(server.attempts) == (1 if spec == "none" else 2)
        assert await proxy.exit_status() == 0


async def test_nobody_new_is_let_in_while_streams_finish(tmp_path: Path) -> None:
    async with (
        ChaosServer(script(STALL)) as server,
        streaming(tmp_path, server, STREAM, drain=60) as (proxy, client),
    ):
        await until_refused(int(proxy.url.rpartition(":")[2]))
        client.close()

        assert await proxy.exit_status() == 0


def last_words(body: bytes) -> Json:
    """Return the error that a stream ends with."""
    error: Json = documents(body)[-1]["error"]
    return error


async def test_a_stream_that_outlasts_the_drain_ends_with_an_error_and_no_last_chunk(
    tmp_path: Path,
) -> None:
    async with (
        ChaosServer(script(STALL)) as server,
        streaming(tmp_path, server, STREAM, drain=0.3) as (proxy, client),
    ):
        answer = await client.answer()

        assert answer.ending is Ending.FIN
        assert answer.body.count(b"data: ") == 6
        assert last_words(answer.body)["status"] == "UNAVAILABLE"
        assert "shutting down" in last_words(answer.body)["message"]
        assert await proxy.exit_status() == 0
        await server.until_closed()


async def test_an_array_that_outlasts_the_drain_stays_open(tmp_path: Path) -> None:
    async with (
        ChaosServer(script(STALL)) as server,
        streaming(tmp_path, server, ARRAY, drain=0.3) as (proxy, client),
    ):
        answer = await client.answer()

        assert answer.ending is Ending.FIN
        assert answer.body.rstrip().endswith(b"}")
        assert b'"error"' in answer.chunks[-1]
        assert await proxy.exit_status() == 0


async def test_a_stream_between_two_attempts_is_told_too(tmp_path: Path) -> None:
    """It waits for its next attempt when the time is up."""
    flags = {"server.drain_timeout": 0.3, "repair.retry_delay_ms": 3_600_000}
    flags |= {"repair.max_delay_ms": 3_600_000, "repair.max_consecutive_retries": 9}
    faults = ["clean@event:5", "clean@0", "clean@0", "clean@0"]
    async with (
        ChaosServer(script(*faults)) as server,
        serving(tmp_path, server.url, flags) as proxy,
        proxy.connect() as client,
    ):
        await client.send()
        await server.until_requests(2)
        await proxy.terminate()

        answer = await client.answer()

        assert answer.ending is Ending.FIN
        assert "shutting down" in last_words(answer.body)["message"]
        assert await proxy.exit_status() == 0


@pytest.mark.parametrize("target", [STREAM, ARRAY, UNARY, OTHER])
async def test_a_request_without_an_answer_yet_is_unavailable(tmp_path: Path, target: str) -> None:
    async with replying(SILENT) as upstream:
        flags = {"server.drain_timeout": 0.3}
        async with serving(tmp_path, upstream.url, flags) as proxy, proxy.connect() as client:
            await client.send(target)
            await asyncio.wait_for(upstream.stalled.wait(), 10)
            await proxy.terminate()

            answer = await client.answer()

            is_googles_error(answer, 503, "UNAVAILABLE")
            assert answer.headers["Connection"] == "close"
            assert await proxy.exit_status() == 0


async def test_a_second_signal_does_not_wait_for_the_drain(tmp_path: Path) -> None:
    async with (
        ChaosServer(script(STALL)) as server,
        streaming(tmp_path, server, STREAM, drain=3600) as (proxy, client),
    ):
        await until_refused(int(proxy.url.rpartition(":")[2]))
        proxy.process.send_signal(signal.SIGINT)

        answer = await client.answer()

        assert "shutting down" in last_words(answer.body)["message"]
        assert await proxy.exit_status() == 0
