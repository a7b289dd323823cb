"""The properties of keyed streams over real sockets, each by its number.

P2, P7 and P16 have their tests without sockets, too, in ``test_log`` and ``test_cursor``.
"""

import asyncio
import gc
import random

import pytest

from gemproxy.chaos.faults import Fault, Kind, event
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer, Outcome
from gemproxy.resume.follower import Follower
from gemproxy.resume.log import FrameLog
from gemproxy.resume.stream import Stream
from gemproxy.routes.parts import IN_FLIGHT
from tests.gemini import chunk, sse
from tests.replies import Reply, replying
from tests.resume import clients
from tests.resume.clients import (
    KINDS,
    SSE,
    keeper_of,
    read_with_cuts,
    reading,
    streams_of,
    until,
)
from tests.running import AccessLog, StartProxy
from tests.wire import ARRAY, STREAM, Answer, Ending

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
STORY = BUILT_IN["story"]
ENDLESS = Script(STORY, rearm=True)
STALLED = Script(STORY, [Fault(Kind.STALL, event(5))])
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def cut_at(*places: int) -> Script:
    return Script(STORY, [Fault(Kind.RST, event(place)) for place in places], rearm=True)


@each_kind
@pytest.mark.parametrize("size", [1, 2, 7])
async def test_p1_a_client_that_is_cut_after_every_few_chunks_has_each_once(
    proxy: StartProxy, kind: clients.Kind, size: int
) -> None:
    async with ChaosServer(ENDLESS, event_delay=0.002) as fake:
        running = await proxy(fake, resume={"max_followers": 1000})

        got, connections = await read_with_cuts(running, kind, "k", lambda _: size)

        whole = await running.ask(kind.target, kind.body, kind.headers("k"))
        assert got == kind.chunks(whole.body)
        assert whole.text == STORY.text
        assert connections >= len(got) // size
        assert len(fake.attempts) == 1
        assert [stream.log.top for stream in streams_of(running)] == [len(got)]


@each_kind
async def test_p1_any_schedule_of_cuts_gives_the_direct_answer_and_p14_one_splice_each(
    proxy: StartProxy, kind: clients.Kind
) -> None:
    """The upstream is cut twice, too, and each client loses its connection at random places."""
    dice = random.Random(19)
    async with (
        ChaosServer(ENDLESS) as whole,
        ChaosServer(cut_at(4, 9), event_delay=0.001) as fake,
    ):
        direct = await (await proxy(whole)).ask(kind.target, kind.body)
        running = await proxy(fake, resume={"max_followers": 1000})

        for key in range(10):
            got, _ = await read_with_cuts(running, kind, f"k{key}", lambda _: dice.randint(1, 14))

            assert clients.text_of_chunks(got) == direct.text
            assert streams_of(running)[key].log.top == len(got)
        assert len(fake.attempts) == 30


@each_kind
async def test_p2_and_p7_what_was_trimmed_is_410_and_the_bytes_are_bounded(
    proxy: StartProxy, kind: clients.Kind
) -> None:
    async with ChaosServer(ENDLESS) as fake:
        running = await proxy(fake, resume={"max_stream_bytes": 2000})
        async with reading(running, kind, "k") as reader:
            await reader.all()
        (stream,) = streams_of(running)

        assert stream.log.base > 0
        assert stream.log.size <= 2000
        for after in (0, 1, stream.log.base - 1):
            gone = await running.ask(kind.target, kind.body, kind.headers("k", after))
            assert (gone.status, gone.error["status"]) == (410, "OUT_OF_RANGE")
        kept = await running.ask(kind.target, kind.body, kind.headers("k", stream.log.base))
        assert kind.chunks(kept.body) == reader.chunks[stream.log.base :]
        assert len(fake.attempts) == 1


async def test_p3_a_hundred_requests_with_one_key_make_one_generation(proxy: StartProxy) -> None:
    async with ChaosServer(ENDLESS, event_delay=0.002) as fake:
        running = await proxy(fake, resume={"max_followers": 100})

        answers = await asyncio.gather(
            *(running.ask(STREAM, headers=SSE.headers("k")) for _ in range(100))
        )

        assert {answer.status for answer in answers} == {200}
        assert len({answer.headers["X-Gemproxy-Stream-Id"] for answer in answers}) == 1
        assert {answer.text for answer in answers} == {STORY.text}
        assert sum("X-Gemproxy-Resumed-From" not in answer.headers for answer in answers) == 1
        assert len(fake.attempts) == 1


async def test_p3_the_same_key_of_another_client_is_another_key(proxy: StartProxy) -> None:
    async with ChaosServer(ENDLESS) as fake:
        running = await proxy(fake)

        for name in ("ann", "bob"):
            headers = {**SSE.headers("k"), "x-goog-api-key": f"key-of-{name}"}
            assert (await running.ask(STREAM, headers=headers)).text == STORY.text

        assert [dict(attempt.request.headers)["x-goog-api-key"] for attempt in fake.attempts] == [
            "key-of-ann",
            "key-of-bob",
        ]


@each_kind
async def test_p4_a_key_with_another_request_is_422(proxy: StartProxy, kind: clients.Kind) -> None:
    async with ChaosServer(ENDLESS) as fake:
        running = await proxy(fake)
        await running.ask(kind.target, kind.body, kind.headers("k"))

        others = [
            (kind.target, kind.body.replace(b"story", b"poem")),
            (kind.target.replace("gemini-test", "gemini-next"), kind.body),
        ]
        for target, body in others:
            refused = await running.ask(target, body, kind.headers("k"))
            assert (refused.status, refused.error["status"]) == (422, "INVALID_ARGUMENT")
        assert len(fake.attempts) == 1


@each_kind
@pytest.mark.parametrize("after", ["1", "17", "0123456789abcdef0123456789abcdef:0"])
async def test_p5_a_resume_of_nothing_is_410_and_never_a_second_answer(
    proxy: StartProxy, kind: clients.Kind, after: str
) -> None:
    async with ChaosServer(ENDLESS) as fake:
        running = await proxy(fake)

        refused = await running.ask(kind.target, kind.body, kind.headers("k", after))

        assert (refused.status, refused.error["status"]) == (410, "OUT_OF_RANGE")
        assert fake.attempts == []


async def test_p5_where_no_streams_are_kept_a_resume_is_refused_and_the_answer_says_so(
    proxy: StartProxy,
) -> None:
    async with ChaosServer(ENDLESS) as fake:
        running = await proxy(fake, resume={"enabled": False})

        answer = await running.ask(STREAM, headers=SSE.headers("k"))
        assert (answer.text, answer.headers["X-Gemproxy-Resume"]) == (STORY.text, "off")
        assert "X-Gemproxy-Stream-Id" not in answer.headers

        refused = await running.ask(STREAM, headers=SSE.headers("k", 3))
        assert refused.status == 410
        assert len(fake.attempts) == 1


async def test_p7_after_its_time_nothing_is_kept(proxy: StartProxy) -> None:
    async with ChaosServer(ENDLESS) as fake:
        running = await proxy(fake, resume={"ttl_seconds": 0.1})
        for key in range(20):
            await running.ask(STREAM, headers=SSE.headers(f"k{key}"))
        shelf = keeper_of(running).store

        await until(lambda: not len(shelf))
        await until(lambda: not shelf.remembered)

        assert shelf.room.held == 0
        again = await running.ask(STREAM, headers=SSE.headers("k0"))
        assert again.text == STORY.text
        assert len(fake.attempts) == 21


def kept_objects() -> int:
    """Return how many objects of streams there are in the process."""
    return sum(type(one) in {Stream, FrameLog, Follower} for one in gc.get_objects())


async def test_p7_an_answer_leaves_no_object_behind_and_no_cycle(proxy: StartProxy) -> None:
    async with ChaosServer(ENDLESS) as fake:
        running = await proxy(fake, resume={"ttl_seconds": 0.1})
        await running.ask(STREAM, headers=SSE.headers("warm"))
        gc.collect()
        before = kept_objects()  # of other tests
        gc.disable()
        try:
            for key in range(5):
                await running.ask(STREAM, headers=SSE.headers(f"k{key}"))
            shelf = keeper_of(running).store
            await until(lambda: not len(shelf) and not shelf.remembered)
            await until(lambda: kept_objects() <= before)
        finally:
            gc.enable()

        assert shelf.room.held == 0


async def test_p8_without_a_key_a_client_that_leaves_ends_the_answer(proxy: StartProxy) -> None:
    async with ChaosServer(STALLED) as fake:
        running = await proxy(fake)
        async with running.connect() as connection:
            await connection.send(STREAM)
            await fake.until_stalled()

        await fake.until_closed()
        assert [attempt.outcome for attempt in fake.attempts] == [Outcome.ABANDONED]


@each_kind
async def test_p8_with_a_key_the_answer_goes_on_while_nobody_follows(
    proxy: StartProxy, kind: clients.Kind
) -> None:
    async with ChaosServer(ENDLESS, event_delay=0.005) as fake:
        running = await proxy(fake)
        async with reading(running, kind, "k") as reader:
            got = list(await reader.some(3))
        (stream,) = streams_of(running)
        await until(lambda: stream.state == "done")

        rest = await running.ask(kind.target, kind.body, kind.headers("k", len(got)))

        whole = await running.ask(kind.target, kind.body, kind.headers("k"))
        assert got + kind.chunks(rest.body) == kind.chunks(whole.body)
        assert whole.text == STORY.text
        assert len(fake.attempts) == 1


@pytest.mark.parametrize("bound", ["detach_max_seconds", "cancel"])
async def test_p8_an_answer_that_nobody_follows_is_ended_and_its_client_hears_of_it(
    proxy: StartProxy, bound: str
) -> None:
    async with ChaosServer(STALLED) as fake:
        running = await proxy(fake, resume={"detach_max_seconds": 0.1})
        more = {"X-Gemproxy-On-Disconnect": "cancel"} if bound == "cancel" else {}
        async with reading(running, SSE, "k", more=more) as reader:
            got = list(await reader.some(5))
        await fake.until_closed()
        (stream,) = streams_of(running)

        assert stream.state == "cancelled"
        back = await running.ask(STREAM, headers=SSE.headers("k", len(got)))
        assert back.ending is Ending.FIN
        assert b'"CANCELLED"' in back.body
        assert len(fake.attempts) == 1


async def test_p8_an_answer_of_many_tokens_that_nobody_follows_is_ended(
    proxy: StartProxy,
) -> None:
    async with ChaosServer(ENDLESS, event_delay=0.05) as fake:
        running = await proxy(fake, resume={"detach_max_output_tokens": 1})
        async with reading(running, SSE, "k") as reader:
            await reader.some(1)

        await fake.until_closed()
        await until(lambda: streams_of(running)[0].state == "cancelled")


async def test_p8_a_client_that_comes_back_keeps_the_answer_alive(proxy: StartProxy) -> None:
    async with ChaosServer(STALLED) as fake:
        running = await proxy(fake, resume={"detach_max_seconds": 0.2})
        async with reading(running, SSE, "k") as first:
            got = list(await first.some(5))
            async with reading(running, SSE, "k", 2) as second:
                first.connection.close()
                assert await second.some(3) == got[2:5]
                await asyncio.sleep(0)
                keeper = keeper_of(running)
                await keeper.tend()
                (stream,) = streams_of(running)
                assert (stream.state, stream.detached) == ("running", None)


async def test_p9_one_line_with_figures_however_often_the_client_came_back(
    proxy: StartProxy, access_log: AccessLog
) -> None:
    async with ChaosServer(cut_at(4), event_delay=0.002) as fake:
        running = await proxy(fake, resume={"max_followers": 1000})
        _, connections = await read_with_cuts(running, SSE, "k", lambda _: 9)
        (stream,) = streams_of(running)
        lines = [await access_log.line() for _ in range(connections + 1)]

        assert {line["stream"] for line in lines} == {stream.id}
        (made,) = [line for line in lines if "follows" not in line]
        assert (made["ending"], made["attempts"], made["finish_reason"]) == ("done", 2, "STOP")
        assert made["model"] == "gemini-test"
        assert all("tokens" not in line for line in lines if line is not made)
        assert len(fake.attempts) == 2


async def test_p10_a_follower_that_does_not_read_delays_nobody(proxy: StartProxy) -> None:
    async with ChaosServer(ENDLESS, event_delay=0.001) as fake:
        running = await proxy(fake)
        async with running.connect(receive_buffer=1024) as stalled:
            await stalled.send(STREAM, headers=SSE.headers("k"))
            await fake.until_requests(1)

            answer = await running.ask(STREAM, headers=SSE.headers("k"))

            assert answer.finish_reasons == ["STOP"]
            assert streams_of(running)[0].state == "done"


@each_kind
async def test_p11_the_end_comes_once_to_each_who_comes_back_while_it_comes(
    proxy: StartProxy, kind: clients.Kind
) -> None:
    async with ChaosServer(ENDLESS, event_delay=0.001) as fake:
        running = await proxy(fake, resume={"max_followers": 1000})
        async with reading(running, kind, "k") as reader:
            await reader.some(1)
            (stream,) = streams_of(running)
            ends: dict[int, asyncio.Task[Answer]] = {}
            async with asyncio.TaskGroup() as group:
                while stream.state == "running":
                    await asyncio.sleep(0)
                    if stream.log.top not in ends:  # somebody comes at each place, the last too
                        headers = kind.headers("k", stream.log.top)
                        asked = running.ask(kind.target, kind.body, headers)
                        ends[stream.log.top] = group.create_task(asked)
            whole = await reader.all()

        for after, task in ends.items():
            end = task.result()
            assert (end.status, end.ending) == (200, Ending.COMPLETE)
            assert kind.chunks(end.body) == whole[after:]
        assert len(fake.attempts) == 1


@pytest.mark.parametrize("target", [STREAM, ARRAY])
async def test_p12_a_client_without_a_key_gets_the_same_bytes_with_and_without_this(
    proxy: StartProxy, target: str
) -> None:
    raw = sse(*(chunk(f"word {n} ") for n in range(9)), chunk(".", finish="STOP", usage=(3, 9)))
    answers = []
    for enabled in (True, False):
        async with replying(Reply(HEAD + raw)) as upstream:
            running = await proxy(upstream.url, resume={"enabled": enabled})
            answer = await running.ask(target)
            answers.append((answer.body, answer.chunks, answer.ending, sorted(answer.headers)))
            if enabled:
                assert streams_of(running) == []

    assert answers[0] == answers[1]


async def test_a_client_with_a_key_gets_the_upstream_s_bytes_too(proxy: StartProxy) -> None:
    raw = sse(*(chunk(f"word {n} ") for n in range(9)), chunk(".", finish="STOP"), eol="\n")
    raw = b": hello\n\n" + raw + b": bye\n\n"
    async with replying(Reply(HEAD + raw)) as upstream:
        running = await proxy(upstream.url)
        for _ in range(2):
            assert (await running.ask(STREAM, headers=SSE.headers("k"))).body == raw


@each_kind
async def test_p14_the_machine_repairs_while_nobody_follows(
    proxy: StartProxy, kind: clients.Kind
) -> None:
    async with ChaosServer(cut_at(6, 9), event_delay=0.005) as fake:
        running = await proxy(fake)
        async with reading(running, kind, "k") as reader:
            got = list(await reader.some(2))
        (stream,) = streams_of(running)
        await until(lambda: stream.state == "done")
        assert len(fake.attempts) == 3

        rest = await running.ask(kind.target, kind.body, kind.headers("k", len(got)))

        got += kind.chunks(rest.body)
        assert clients.text_of_chunks(got) == STORY.text
        assert len(got) == stream.log.top


async def test_p15_signs_of_life_are_neither_counted_nor_kept(proxy: StartProxy) -> None:
    async with ChaosServer(STALLED) as fake:
        running = await proxy(fake, client={"heartbeat_seconds": 0.02})
        async with reading(running, SSE, "k") as reader:
            await reader.some(5)
            for _ in range(3):
                assert await reader.connection.chunk() == b"\r\n\r\n"
            (stream,) = streams_of(running)
            top, size = stream.log.top, stream.log.size

            async with reading(running, SSE, "k", top) as second:
                assert await second.connection.chunk() == b"\r\n\r\n"

        assert (stream.log.top, stream.log.size) == (top, size)


@pytest.mark.parametrize("value", ["-1", "1.5", str(10**30), "abc", ""])
@each_kind
async def test_p16_a_cursor_of_another_form_is_400(
    proxy: StartProxy, kind: clients.Kind, value: str
) -> None:
    async with ChaosServer(ENDLESS) as fake:
        running = await proxy(fake)
        await running.ask(kind.target, kind.body, kind.headers("k"))

        refused = await running.ask(kind.target, kind.body, kind.headers("k", value))

        assert (refused.status, refused.error["status"]) == (400, "INVALID_ARGUMENT")
        assert len(fake.attempts) == 1


async def test_p16_a_number_beyond_the_last_chunk_is_400_and_the_last_one_is_the_end(
    proxy: StartProxy,
) -> None:
    async with ChaosServer(ENDLESS) as fake:
        running = await proxy(fake)
        await running.ask(STREAM, headers=SSE.headers("k"))
        top = streams_of(running)[0].log.top

        end = await running.ask(STREAM, headers=SSE.headers("k", top))
        beyond = await running.ask(STREAM, headers=SSE.headers("k", top + 1))

        assert (end.status, end.body, end.ending) == (200, b"", Ending.COMPLETE)
        assert end.headers["X-Gemproxy-Resumed-From"] == str(top)
        assert beyond.status == 400


async def test_a_follower_too_many_is_429_and_the_others_read_on(proxy: StartProxy) -> None:
    async with ChaosServer(STALLED) as fake:
        running = await proxy(fake, resume={"max_followers": 1})
        async with reading(running, SSE, "k") as reader:
            await reader.some(5)
            refused = await running.ask(STREAM, headers=SSE.headers("k", 1))

            assert (refused.status, refused.error["status"]) == (429, "RESOURCE_EXHAUSTED")
            assert "Retry-After" in refused.headers


async def test_the_process_ends_a_keyed_stream_as_loudly_as_any(proxy: StartProxy) -> None:
    async with ChaosServer(STALLED) as fake:
        running = await proxy(fake)
        async with reading(running, SSE, "k") as reader:
            await reader.some(5)
            await running.app[IN_FLIGHT].drain(0.05)
            await reader.all()

            assert not reader.whole
            assert b"UNAVAILABLE" in reader.chunks[-1]
        await fake.until_closed()
        running.app[IN_FLIGHT].expired = False


async def test_a_refusal_frees_the_key_and_all_who_wait_hear_it(proxy: StartProxy) -> None:
    refused = Fault(Kind.STATUS, code=400)
    async with ChaosServer(Script(STORY, [refused])) as fake:
        running = await proxy(fake)

        first = await running.ask(STREAM, headers=SSE.headers("k"))
        again = await running.ask(STREAM, headers=SSE.headers("k"))

        assert first.status == 400
        assert (again.status, again.text) == (200, STORY.text)
        assert len(fake.attempts) == 2
