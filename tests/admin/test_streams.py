"""What runs in two workers, as an operator sees it at either, and how one of them is ended."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from gemproxy.admin.desk import Alone, Desk
from gemproxy.admin.route import NOTHING, Call
from gemproxy.admin.streams import (
    CancelAnswer,
    CancelQuery,
    InterruptAnswer,
    RunningStream,
    StreamList,
    StreamsQuery,
    cancel,
    interrupt,
    streams,
)
from gemproxy.chaos.faults import Fault, Kind, event
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.core.errors import BadField, Unrouted
from gemproxy.web.neighbours import NEIGHBOURS, Neighbours, private_directory
from gemproxy.web.streams import STREAMS
from tests.faults.upstreams import request
from tests.io.test_live import close_of, connected
from tests.live_upstream import live_upstream, silent
from tests.running import AccessLog, Proxy, running
from tests.sockets import Reader, Writer, scripted
from tests.wire import ARRAY, KEY, STREAM, Connection, Ending, body_of

UNARY = "/v1beta/models/gemini-test:generateContent"
CHAT = "/v1/chat/completions"
STALL = Fault(Kind.STALL, event(5))
STALLED = Script(BUILT_IN["story"], [STALL])
BODY_OF_CHAT = {"model": "gemini-test", "messages": [{"role": "user", "content": "Tell."}]}


@contextlib.asynccontextmanager
async def workers(upstream: ChaosServer | str) -> AsyncIterator[Sequence[Proxy]]:
    """Run two workers of one proxy."""
    with private_directory() as place:
        first, second = (Neighbours(place, number, 2, patience=5.0) for number in range(2))
        async with running(upstream, first) as one, running(upstream, second) as other:
            yield one, other


@contextlib.asynccontextmanager
async def stalled(script: Script = STALLED) -> AsyncIterator[tuple[Proxy, Proxy, ChaosServer]]:
    """Run two workers, and an upstream whose streams come to a stand."""
    async with ChaosServer(script) as fake, workers(fake) as (one, other):
        yield one, other, fake


def call(proxy: Proxy, query: Any, **names: str) -> Call[Any, Any]:
    """Return a call of the API at a worker."""
    desk = Desk(neighbours=proxy.app[NEIGHBOURS], streams=proxy.app[STREAMS])
    return Call(desk, names, query, NOTHING, "operator", "127.0.0.1")


async def listed(proxy: Proxy, **query: Any) -> StreamList:
    return await streams(call(proxy, StreamsQuery(**query)))


async def ended(proxy: Proxy, name: str, worker: int | None = None) -> CancelAnswer:
    return await cancel(call(proxy, CancelQuery(worker=worker), id=name))


@contextlib.asynccontextmanager
async def asking(
    proxy: Proxy, target: str = STREAM, name: str = "mine", prompt: str = "Tell."
) -> AsyncIterator[Connection]:
    """Yield a client that waits for its answer."""
    body = body_of(prompt)
    if target == CHAT:
        body = json.dumps({**BODY_OF_CHAT, "stream": True}).encode()
    async with proxy.connect() as client:
        await client.send(target, body, {**KEY, "X-Request-Id": name})
        yield client


async def test_a_stream_that_was_cut_and_repaired_is_shown_with_its_attempts() -> None:
    cut = Script(BUILT_IN["story"], [Fault(Kind.RST, event(4)), Fault(Kind.STALL, event(7))])
    async with stalled(cut) as (one, other, fake):
        async with asking(one):
            await fake.until_stalled()
            there = await listed(other)
            here = await listed(one)
        (stream,) = there.streams

    assert there.workers == here.workers
    assert (there.workers.asked, there.workers.answered, there.total) == (1, 1, 1)
    assert attrs_of(stream, "id", "worker", "user", "model", "route", "dialect") == (
        *("mine", 0, "", "gemini-test", "stream", "gemini"),
    )
    assert stream.state in {"splicing", "streaming"}
    assert stream.characters > 0
    assert stream.bytes > 0
    assert stream.silent_seconds is not None
    assert [(one.cause, one.running, one.status) for one in stream.attempts] == [
        ("drop", False, 200),
        (None, True, 200),
    ]
    assert not stream.cancelled


def attrs_of(stream: RunningStream, *names: str) -> tuple[Any, ...]:
    return tuple(getattr(stream, name) for name in names)


async def test_the_oldest_comes_first_and_filters_choose() -> None:
    async with stalled() as (one, other, fake), asking(other, name="old", prompt="a"):
        await fake.until_requests(1)
        async with asking(one, name="new", prompt="b"):
            await fake.until_requests(2)
            assert [s.id for s in (await listed(one)).streams] == ["old", "new"]
            some = await listed(one, limit=1)
            assert ([s.id for s in some.streams], some.total) == (["old"], 2)
            rest = await listed(other, limit=1, cursor=some.next)
            assert ([s.id for s in rest.streams], rest.total, rest.next) == (["new"], 2, None)
            with pytest.raises(BadField, match="cursor"):
                await listed(one, cursor="old")
            assert (await listed(one, model="gemini-test")).total == 2
            assert (await listed(one, model="other")).total == 0
            assert (await listed(one, user="ann")).total == 0
            assert (await listed(one, project="")).total == 2


async def test_what_asks_no_model_is_not_listed() -> None:
    async with stalled() as (one, other, _):
        await one.ask("/v1beta/models", b"", method="GET")
        assert (await listed(other)).streams == []


@pytest.mark.parametrize("target", [STREAM, ARRAY, CHAT], ids=["sse", "array", "chat"])
@pytest.mark.parametrize("worker", [0, 1])
async def test_a_stream_is_ended_loudly_from_either_worker(
    target: str, worker: int, access_log: AccessLog
) -> None:
    async with stalled() as (one, other, fake), asking(one, target) as client:
        await fake.until_stalled()
        said = await ended((one, other)[worker], "mine")
        answer = await client.answer()
        await fake.until_closed()
        with pytest.raises(Unrouted):
            await ended(one, "mine")

    assert said.cancelled == 1
    assert answer.ending is not Ending.COMPLETE
    assert b"cancelled" in answer.body.lower()
    assert b"STOP" not in answer.body
    assert b"[DONE]" not in answer.body
    line = await access_log.line()
    assert line["cancelled"] is True
    assert line["ending"] != "done"


@pytest.mark.parametrize("target", [STREAM, UNARY, CHAT])
async def test_an_answer_that_has_not_begun_is_an_error_that_no_sdk_asks_again(
    target: str,
) -> None:
    asked = asyncio.Event()

    async def never(reader: Reader, _writer: Writer) -> None:
        await request(reader)
        asked.set()
        await reader.read()

    async with (
        scripted(never) as upstream,
        workers(str(upstream)) as (one, other),
        asking(one, target) as client,
    ):
        await asked.wait()
        (stream,) = (await listed(other)).streams
        assert (stream.state, stream.attempts[0].status) == ("connecting", None)
        assert stream.silent_seconds is not None
        await ended(other, "mine")
        answer = await client.answer()

    assert answer.status == 499
    assert "operator" in json.loads(answer.body)["error"]["message"]
    assert answer.ending is Ending.COMPLETE


async def test_an_id_that_two_requests_have_ends_both_or_those_of_a_worker() -> None:
    async with (
        stalled() as (one, other, fake),
        asking(one, prompt="a") as first,
        asking(other, prompt="b") as second,
    ):
        await fake.until_requests(2)
        only = await ended(one, "mine", worker=1)
        await second.answer()
        assert (only.cancelled, [s.worker for s in (await listed(one)).streams]) == (1, [0])
        with pytest.raises(Unrouted):
            await ended(one, "mine", worker=1)
        await ended(other, "mine")
        await first.answer()


async def test_a_worker_that_does_not_answer_is_counted() -> None:
    async with ChaosServer(STALLED) as fake:
        with private_directory() as place:
            async with running(fake, Neighbours(place, 0, 3, patience=0.05)) as one:
                assert (await listed(one)).workers.asked == 2
                with pytest.raises(Unrouted, match="2 of 2 other workers did not answer"):
                    await ended(one, "mine")


async def test_a_live_session_is_ended_with_a_reason() -> None:
    async with (
        live_upstream(silent) as upstream,
        workers(upstream.url) as (one, other),
        connected(one.url) as client,
    ):
        (session,) = (await listed(other)).streams
        assert (session.route, session.dialect, session.state) == ("live", "live", "streaming")
        await ended(other, session.id)
        assert await close_of(client) == (1008, "The operator of the proxy ended this request.")


async def test_a_process_alone_lists_its_own() -> None:
    async with ChaosServer(STALLED) as fake, running(fake) as one, asking(one):
        await fake.until_stalled()
        (stream,) = (await listed(one)).streams
        assert stream.id == "mine"
        assert await Alone().ask("streams") == await one.app[NEIGHBOURS].ask("streams")


@pytest.mark.parametrize("target", [STREAM, ARRAY, CHAT], ids=["sse", "array", "chat"])
@pytest.mark.parametrize("worker", [0, 1])
async def test_an_interrupted_stream_is_repaired_as_after_a_drop(
    target: str, worker: int, access_log: AccessLog
) -> None:
    async with stalled() as (*both, fake), asking(both[0], target) as client:
        await fake.until_stalled()
        said = await interrupted(both[worker])
        answer = await client.answer()

    assert said.interrupted == 1
    assert answer.ending is Ending.COMPLETE
    text = answer.text if target != CHAT else text_of_chat(answer.body)
    assert text == BUILT_IN["story"].text
    line = await access_log.line()
    assert (line["ending"], line["causes"]) == ("done", ["drop"])


def text_of_chat(body: bytes) -> str:
    events = [json.loads(line[6:]) for line in body.splitlines() if line.startswith(b"data: {")]
    return "".join(
        choice["delta"].get("content", "") for event in events for choice in event["choices"]
    )


async def interrupted(proxy: Proxy) -> InterruptAnswer:
    return await interrupt(call(proxy, CancelQuery(), id="mine"))


async def test_what_would_not_be_repaired_is_not_interrupted() -> None:
    async with stalled() as (one, _, fake), one.connect() as client:
        own = {**KEY, "X-Request-Id": "mine", "X-Gemproxy-Repair": "off"}
        await client.send(STREAM, body_of("Tell."), own)
        await fake.until_stalled()
        with pytest.raises(Unrouted):
            await interrupted(one)
        with pytest.raises(Unrouted):
            await interrupt(call(one, CancelQuery(), id="other"))
