"""Keyed streams for OpenAI's clients: a number counts the chunks that their SDKs yield."""

import asyncio
import json
import random

import pytest

from gemproxy.chaos.faults import Fault, Kind, event
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.core.wire.sse import SSEDecoder
from tests.gemini import chunk, sse
from tests.replies import Reply, replying
from tests.resume.clients import CHAT, OPENAI, read_with_cuts, reading, streams_of, until
from tests.running import AccessLog, StartProxy
from tests.wire import Ending

STORY = BUILT_IN["story"]
ENDLESS = Script(STORY, rearm=True)
CALLS = Script(BUILT_IN["call"], rearm=True)
THINKING = Script(BUILT_IN["thinking"], rearm=True)
CUT = Script(STORY, [Fault(Kind.RST, event(4))], rearm=True)
STALLED = Script(STORY, [Fault(Kind.STALL, event(5))])
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def text_of(chunks: list[bytes]) -> str:
    return "".join(
        choice["delta"].get("content") or ""
        for document in map(json.loads, chunks)
        for choice in document["choices"]
    )


@pytest.mark.parametrize("script", [ENDLESS, CUT, CALLS, THINKING])
async def test_p1_at_each_number_the_rest_is_what_is_missing(
    proxy: StartProxy, script: Script
) -> None:
    async with ChaosServer(script) as fake:
        running = await proxy(fake)
        answer = await running.ask(CHAT, OPENAI.body, OPENAI.headers("k"))
        asked, whole = len(fake.attempts), OPENAI.chunks(answer.body)

        for after in range(len(whole) + 1):
            rest = await running.ask(CHAT, OPENAI.body, OPENAI.headers("k", after))
            assert (rest.status, rest.ending) == (200, Ending.COMPLETE)
            assert OPENAI.chunks(rest.body) == whole[after:]
            assert rest.body.endswith(b"data: [DONE]\n\n")
        beyond = await running.ask(CHAT, OPENAI.body, OPENAI.headers("k", len(whole) + 1))
        assert (beyond.status, json.loads(beyond.body)["error"]["type"]) == (
            400,
            "invalid_request_error",
        )
        assert len(fake.attempts) == asked


async def test_p1_any_schedule_of_cuts_gives_the_whole_answer_once(proxy: StartProxy) -> None:
    dice = random.Random(19)
    async with ChaosServer(CUT, event_delay=0.001) as fake:
        running = await proxy(fake, resume={"max_followers": 1000})
        for key in range(5):
            got, _ = await read_with_cuts(running, OPENAI, f"k{key}", lambda _: dice.randint(1, 14))

            assert text_of(got) == STORY.text
            assert json.loads(got[-1])["usage"]["completion_tokens"] > 0
        assert len(fake.attempts) == 10


async def test_p3_many_requests_make_one_answer_with_one_id(proxy: StartProxy) -> None:
    async with ChaosServer(ENDLESS, event_delay=0.001) as fake:
        running = await proxy(fake, resume={"max_followers": 100})

        answers = await asyncio.gather(
            *(running.ask(CHAT, OPENAI.body, OPENAI.headers("k")) for _ in range(100))
        )

        assert len({answer.body for answer in answers}) == 1
        assert len(fake.attempts) == 1


async def test_p4_and_p5_refusals_are_in_openai_s_words(proxy: StartProxy) -> None:
    async with ChaosServer(ENDLESS) as fake:
        running = await proxy(fake)
        unknown = await running.ask(CHAT, OPENAI.body, OPENAI.headers("k", 3))
        await running.ask(CHAT, OPENAI.body, OPENAI.headers("k"))
        other = await running.ask(CHAT, OPENAI.body.replace(b"story", b"poem"), OPENAI.headers("k"))

        said = [(one.status, json.loads(one.body)["error"]["code"]) for one in (unknown, other)]
        assert said == [(410, "gone"), (422, "idempotency_key_reused")]
        assert len(fake.attempts) == 1


async def test_a_frame_that_says_nothing_is_no_chunk_and_no_end(proxy: StartProxy) -> None:
    raw = sse(chunk("one ")) + b": comment\r\n\r\n" + sse(chunk("two "), chunk(".", finish="STOP"))
    async with replying(Reply(HEAD + raw), Reply(HEAD + raw)) as upstream:
        running = await proxy(upstream.url)
        for headers in (None, OPENAI.headers("k"), OPENAI.headers("k", 0)):
            answer = await running.ask(CHAT, OPENAI.body, headers)
            assert text_of(OPENAI.chunks(answer.body)) == "one two ."


async def test_p9_and_p14_one_line_and_one_repair_while_nobody_follows(
    proxy: StartProxy, access_log: AccessLog
) -> None:
    async with ChaosServer(CUT, event_delay=0.003) as fake:
        running = await proxy(fake)
        async with reading(running, OPENAI, "k") as reader:
            got = list(await reader.some(2))
        (stream,) = streams_of(running)
        await until(lambda: stream.state == "done")

        rest = await running.ask(CHAT, OPENAI.body, OPENAI.headers("k", len(got)))

        assert text_of(got + OPENAI.chunks(rest.body)) == STORY.text
        lines = [await access_log.line() for _ in range(3)]
        (made,) = [line for line in lines if "follows" not in line]
        assert (made["ending"], made["attempts"], made["model"]) == ("done", 2, "gemini-test")
        assert len(fake.attempts) == 2


async def test_signs_of_life_are_comments_and_not_counted(proxy: StartProxy) -> None:
    async with ChaosServer(STALLED) as fake:
        running = await proxy(fake, client={"heartbeat_seconds": 0.02})
        async with reading(running, OPENAI, "k") as reader:
            await reader.some(5)
            assert await reader.connection.chunk() == b": keep-alive\n\n"
            async with reading(running, OPENAI, "k", 5) as second:
                assert await second.connection.chunk() == b": keep-alive\n\n"


@pytest.mark.parametrize("change", [{"n": 2}, {"stream": False, "stream_options": None}])
async def test_what_cannot_be_kept_is_answered_without_a_key_and_never_resumed(
    proxy: StartProxy, change: dict[str, object]
) -> None:
    body = json.dumps({**json.loads(OPENAI.body), **change}).encode()
    async with ChaosServer(ENDLESS) as fake:
        running = await proxy(fake)

        answer = await running.ask(CHAT, body, OPENAI.headers("k"))
        resumed = await running.ask(CHAT, body, OPENAI.headers("k", 2))

        assert answer.status == 200
        assert "X-Gemproxy-Stream-Id" not in answer.headers
        if "n" in change:
            assert answer.headers["X-Gemproxy-Resume"] == "off"
            decoder = SSEDecoder()
            assert decoder.feed(answer.body)
        assert resumed.status == 410


async def test_a_trimmed_answer_cannot_be_translated_again(proxy: StartProxy) -> None:
    async with ChaosServer(ENDLESS) as fake:
        running = await proxy(fake, resume={"max_stream_bytes": 2000})
        answer = await running.ask(CHAT, OPENAI.body, OPENAI.headers("k"))
        chunks = OPENAI.chunks(answer.body)

        assert text_of(chunks) == STORY.text
        gone = await running.ask(CHAT, OPENAI.body, OPENAI.headers("k", len(chunks) - 1))
        assert gone.status == 410


async def test_a_refusal_is_retold_to_all_and_frees_the_key(proxy: StartProxy) -> None:
    async with ChaosServer(Script(STORY, [Fault(Kind.STATUS, code=400)])) as fake:
        running = await proxy(fake)

        first = await running.ask(CHAT, OPENAI.body, OPENAI.headers("k"))
        again = await running.ask(CHAT, OPENAI.body, OPENAI.headers("k"))

        assert (first.status, again.status) == (400, 200)
        assert len(fake.attempts) == 2
