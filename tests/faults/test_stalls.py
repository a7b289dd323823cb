"""The upstream falls silent: in the middle of an answer, or before there is one."""

import asyncio

import attrs
import pytest

from gemproxy.chaos.faults import Fault, Kind, byte
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.faults.upstreams import (
    COMPUTE,
    OTHER,
    STORY,
    UNARY,
    is_googles_error,
    is_whole,
    model,
    said,
    script,
)
from tests.gemini import documents
from tests.replies import SILENT, replying
from tests.running import AccessLog, Proxy, StartProxy
from tests.wire import ARRAY, STREAM, Answer

HEARTBEAT = b"\r\n\r\n"
PLACES = 40
WATCHFUL = {"heartbeat_seconds": 0.02, "headers_after_seconds": 0.02}
SHORT = {"chunk_timeout_seconds": 0.3, "thinking_timeout_seconds": 0.3, "finish_grace_seconds": 0.3}


async def ask_all(proxy: Proxy, scripts: dict[str, Script]) -> dict[str, Answer]:
    """Ask for all of the streams at once."""
    got = await asyncio.gather(*(proxy.ask(model(name)) for name in scripts))
    return dict(zip(scripts, got, strict=True))


async def test_a_stall_after_any_number_of_bytes_is_resumed_and_the_client_kept_warm(
    proxy: StartProxy,
) -> None:
    *_, last = (whole := await said(script(), STREAM)).chunks
    end = len(whole.body) - len(last)
    scripts = {
        f"at-{at:05}": Script(STORY, [Fault(Kind.STALL, byte(at))])
        for at in range(0, end, end // PLACES)
    }
    async with ChaosServer(scripts) as server:
        running = await proxy(server, client=WATCHFUL, upstream=SHORT)

        got = await ask_all(running, scripts)

        assert len(server.attempts) == 2 * len(scripts)
        assert server.violations == []
    for answer in got.values():
        frames = b"".join(data for data in answer.chunks if data != HEARTBEAT)
        assert is_whole(attrs.evolve(answer, body=frames))
        assert HEARTBEAT in answer.chunks
        assert documents(frames) == answer.documents


@pytest.mark.parametrize("target", [STREAM, ARRAY, UNARY, COMPUTE])
async def test_an_upstream_that_never_answers_is_asked_once_and_is_too_late(
    proxy: StartProxy, access_log: AccessLog, target: str
) -> None:
    async with replying(SILENT) as upstream:
        running = await proxy(
            upstream.url,
            upstream={"first_byte_timeout_seconds": 0.05},
            repair={"max_consecutive_retries": 2},
        )

        answer = await running.ask(target)

        assert len(upstream.seen) == 1
    is_googles_error(answer, 504, "DEADLINE_EXCEEDED")
    assert (await access_log.line())["attempts"] == 1


async def test_what_may_not_be_repeated_is_asked_once_and_is_too_late(proxy: StartProxy) -> None:
    async with replying(SILENT) as upstream:
        running = await proxy(upstream.url, upstream={"first_byte_timeout_seconds": 0.05})

        is_googles_error(await running.ask(OTHER), 504, "DEADLINE_EXCEEDED")

        assert len(upstream.seen) == 1


async def test_a_stream_that_stalls_for_ever_ends_loudly(proxy: StartProxy) -> None:
    async with ChaosServer(script("stall@event:5", *["stall@0"] * 9)) as server:
        running = await proxy(server, upstream=SHORT, repair={"max_consecutive_retries": 2})

        answer = await running.ask()

        assert b'"error"' in answer.chunks[-1]
        assert answer.ending.name == "FIN"
        assert len(server.attempts) == 3
