"""``X-Server-Timeout`` over real sockets: it ends waiting, and no answer that has begun."""

import asyncio

import pytest

from tests.faults.upstreams import (
    COMPUTE,
    OTHER,
    SSE_HEAD,
    UNARY,
    is_googles_error,
    request,
)
from tests.gemini import BODY, chunk, sse
from tests.replies import SILENT, Reply, json_reply, replying
from tests.running import AccessLog, StartProxy
from tests.sockets import Reader, Writer, scripted
from tests.sockets import chunk as http_chunk
from tests.wire import ARRAY, STREAM

INTERACTIONS = "/v1beta/interactions"
OPENAI = "/v1beta/openai/chat/completions"
EVERY = pytest.mark.parametrize(
    "target", [STREAM, ARRAY, UNARY, COMPUTE, OTHER, INTERACTIONS, OPENAI]
)
FIRST, REST = sse(chunk("One, ")), sse(chunk("two.", finish="STOP"))
HEARTBEAT = 0.05
GIVEN = 1.0
BEATS = int(2 * GIVEN / HEARTBEAT)


@EVERY
async def test_silence_ends_when_the_client_says(
    proxy: StartProxy, access_log: AccessLog, target: str
) -> None:
    async with replying(SILENT) as upstream:
        answer = await (await proxy(upstream.url)).ask(target, BODY, {"X-Server-Timeout": "0.5"})

        assert len(upstream.seen) == 1
    is_googles_error(answer, 504, "DEADLINE_EXCEEDED")
    assert (await access_log.line())["status"] == 504


@EVERY
async def test_a_longer_time_than_our_own_is_kept(proxy: StartProxy, target: str) -> None:
    """The upstream answers when our own patience must have been over for long."""
    answered = {"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}]}
    whole = json_reply(answered).raw

    async def serve(reader: Reader, writer: Writer) -> None:
        await request(reader)
        asyncio.get_running_loop().call_later(0.3, writer.write, whole)
        await reader.read()

    async with scripted(serve) as upstream:
        running = await proxy(str(upstream), upstream={"first_byte_timeout_seconds": 0.05})

        answer = await running.ask(target, BODY, {"X-Server-Timeout": "30"})

    assert answer.status == 200
    assert b'"x"' in answer.body


async def test_a_stream_that_delivers_is_not_ended_by_it(
    proxy: StartProxy, access_log: AccessLog
) -> None:
    """Heartbeats tell that the client's seconds are over."""
    go_on = asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        await request(reader)
        writer.write(SSE_HEAD + http_chunk(FIRST))
        await go_on.wait()
        writer.write(http_chunk(REST) + b"0\r\n\r\n")

    async with scripted(serve) as upstream:
        running = await proxy(str(upstream), client={"heartbeat_seconds": HEARTBEAT})
        async with running.connect() as client:
            await client.send(STREAM, BODY, {"X-Server-Timeout": f"{GIVEN:g}"})
            await client.head()
            assert await client.chunk() == FIRST
            for _ in range(BEATS):
                assert await client.chunk() == b"\r\n\r\n"

            go_on.set()

            rest = [await client.chunk()]
            while rest[-1]:
                rest.append(await client.chunk())
    assert [data for data in rest if data != b"\r\n\r\n"] == [REST, b""]
    assert (await access_log.line())["attempts"] == 1


@pytest.mark.parametrize("target", [STREAM, UNARY])
async def test_no_attempt_begins_after_it(proxy: StartProxy, target: str) -> None:
    """The pause that the upstream asks for is longer than what is left."""
    busy = json_reply({"error": {"code": 503, "message": "busy"}}, 503, "Retry-After: 20")
    async with replying(busy) as upstream:
        answer = await (await proxy(upstream.url)).ask(target, BODY, {"X-Server-Timeout": "9"})

        assert len(upstream.seen) == 1
    assert (answer.status, answer.headers["Retry-After"]) == (503, "20")


async def test_a_stream_with_text_out_is_not_repaired_beyond_it(proxy: StartProxy) -> None:
    """Its repair meets silence, which ends with the client's time and not with ours."""
    broken = Reply(SSE_HEAD + http_chunk(FIRST), closes=True)
    async with replying(broken, SILENT) as upstream:
        answer = await (await proxy(upstream.url)).ask(STREAM, BODY, {"X-Server-Timeout": "0.5"})

        assert len(upstream.seen) == 2
        assert [seen.headers["X-Server-Timeout"] for seen in upstream.seen] == ["0.5"] * 2
    assert answer.chunks[0] == FIRST
    assert b'"DEADLINE_EXCEEDED"' in answer.chunks[-1]


async def test_without_it_silence_is_not_repeated(proxy: StartProxy) -> None:
    async with replying(SILENT) as upstream:
        running = await proxy(upstream.url, upstream={"first_byte_timeout_seconds": 0.05})

        is_googles_error(await running.ask(STREAM), 504, "DEADLINE_EXCEEDED")

        assert len(upstream.seen) == 1
