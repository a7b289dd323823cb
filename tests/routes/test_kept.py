"""Streams by their id: their state, their frames, their end."""

import asyncio
import json

import pytest

from gemproxy.chaos.faults import Fault, event
from gemproxy.chaos.faults import Kind as Faults
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer, Outcome
from tests.resume.clients import (
    ARRAY_KIND,
    OPENAI,
    SSE,
    Kind,
    keeper_of,
    reading,
    streams_of,
    until,
)
from tests.running import AccessLog, Proxy, StartProxy
from tests.wire import KEY, Answer, Ending

STORY = BUILT_IN["story"]
ENDLESS = Script(STORY, rearm=True)
STALLED = Script(STORY, [Fault(Faults.STALL, event(5))])
OTHER = {"x-goog-api-key": "another-key"}
each_kind = pytest.mark.parametrize("kind", [SSE, ARRAY_KIND, OPENAI], ids=lambda kind: kind.name)


async def get(
    proxy: Proxy, rest: str, headers: dict[str, str] | None = None, method: str = "GET"
) -> Answer:
    target = f"/gemproxy/v1/streams/{rest}"
    return await proxy.ask(target, b"", {**KEY, **(headers or {})}, method)


def documents(chunks: list[bytes]) -> list[object]:
    return list(map(json.loads, chunks))


async def made(proxy: Proxy, kind: Kind = SSE, key: str = "k") -> tuple[str, list[bytes]]:
    """Have a stream made; return its id and its chunks."""
    answer = await proxy.ask(kind.target, kind.body, kind.headers(key))
    return answer.headers["X-Gemproxy-Stream-Id"], kind.chunks(answer.body)


@each_kind
async def test_a_stream_is_read_on_as_events_in_its_own_dialect(
    proxy: StartProxy, kind: Kind
) -> None:
    async with ChaosServer(ENDLESS) as fake:
        running = await proxy(fake)
        name, chunks = await made(running, kind)

        for after in (0, 1, len(chunks) // 2, len(chunks)):
            for rest, headers in (
                (f"{name}?after={after}", {}),
                (name, {"Last-Event-ID": str(after)}),
                (name, {"Last-Event-ID": f"{name}:{after}"}),
            ):
                answer = await get(running, rest, headers)
                assert (answer.status, answer.ending) == (200, Ending.COMPLETE)
                assert answer.headers["Content-Type"].startswith("text/event-stream")
                assert answer.headers["X-Gemproxy-Resumed-From"] == str(after)
                assert documents(OPENAI.chunks(answer.body)) == documents(chunks[after:])
        assert len(fake.attempts) == 1


@each_kind
async def test_ids_of_events_lead_to_their_place(proxy: StartProxy, kind: Kind) -> None:
    async with ChaosServer(ENDLESS) as fake:
        running = await proxy(fake)
        name, chunks = await made(running, kind)

        answer = await get(running, f"{name}?after=2", {"X-Gemproxy-Event-Ids": "1"})

        lines = answer.body.splitlines()
        ids = [line[4:].decode() for line in lines if line.startswith(b"id: ")]
        assert lines[0] == b"retry: 1000"
        assert ids == [f"{name}:{number}" for number in range(3, len(chunks) + 1)]
        again = await get(running, name, {"Last-Event-ID": ids[0]})
        assert len(again.body.split(b"data: {")) == len(chunks) - 3 + 1


async def test_an_event_stream_is_wanted_by_the_accept_header_too(proxy: StartProxy) -> None:
    async with ChaosServer(ENDLESS) as fake:
        running = await proxy(fake)
        name, chunks = await made(running)

        answer = await get(running, name, {"Accept": "text/event-stream"})

        assert SSE.chunks(answer.body) == chunks


async def test_the_state_of_a_stream_while_it_runs_alone_and_when_it_is_over(
    proxy: StartProxy,
) -> None:
    async with ChaosServer(STALLED) as fake:
        running = await proxy(fake)
        async with reading(running, SSE, "k") as reader:
            await reader.some(5)
            name = reader.headers["X-Gemproxy-Stream-Id"]
            one = json.loads((await get(running, name)).body)
        await until(lambda: not streams_of(running)[0].followers)
        alone = json.loads((await get(running, f"{name}/status")).body)
        ended = json.loads((await get(running, f"{name}:cancel", method="POST")).body)

        assert (one["state"], one["followers"], one["detached"]) == ("running", 1, False)
        assert (one["id"], one["model"], one["frames"]) == (name, "gemini-test", 5)
        assert (alone["followers"], alone["detached"]) == (0, True)
        assert (ended["state"], ended["detached"]) == ("cancelled", False)
        assert alone["expires_in_seconds"] is None
        assert 0 < ended["expires_in_seconds"] <= 600


@each_kind
async def test_p8_a_cancel_reaches_the_upstream_and_all_followers_and_may_be_repeated(
    proxy: StartProxy, kind: Kind, access_log: AccessLog
) -> None:
    async with ChaosServer(STALLED) as fake:
        running = await proxy(fake)
        async with reading(running, kind, "k") as one, reading(running, kind, "k") as other:
            for reader in (one, other):
                await reader.some(4)
            name = one.headers["X-Gemproxy-Stream-Id"]

            answers = [await get(running, f"{name}:cancel", method="POST") for _ in range(2)]

            for reader in (one, other):
                chunks = await reader.all()
                assert not reader.whole
                assert b"ancelled" in chunks[-1]
        await fake.until_closed()
        assert [json.loads(answer.body)["state"] for answer in answers] == ["cancelled"] * 2
        assert [attempt.outcome for attempt in fake.attempts] == [Outcome.ABANDONED]
        lines = [await access_log.line() for _ in range(5)]
        (line,) = [one for one in lines if "tokens" in one]
        assert (line["status"], line["client"]) == (499, "gone")


async def test_p8_a_cancel_before_anything_came_is_the_answer_to_the_key(
    proxy: StartProxy,
) -> None:
    silent = Script(STORY, [Fault(Faults.STALL)])
    async with ChaosServer(silent) as fake:
        running = await proxy(fake)
        async with running.connect() as connection:
            await connection.send(SSE.target, SSE.body, SSE.headers("k"))
            await fake.until_stalled()
            (stream,) = streams_of(running)
            await get(running, f"{stream.id}:cancel", method="POST")
            answer = await connection.answer()
        again = await running.ask(SSE.target, SSE.body, SSE.headers("k"))

        for one in (answer, again):
            assert (one.status, one.error["status"]) == (499, "CANCELLED")
        assert len(fake.attempts) == 1


async def test_p6_nobody_else_sees_a_stream_or_ends_it(proxy: StartProxy) -> None:
    async with ChaosServer(STALLED) as fake:
        running = await proxy(fake)
        async with reading(running, SSE, "k") as reader:
            await reader.some(5)
            name = reader.headers["X-Gemproxy-Stream-Id"]
            answers = [
                await get(running, f"{wanted}{rest}", headers, method)
                for wanted, headers in ((name, OTHER), ("0" * 32, {}), ("nonsense", {}))
                for rest, method in (
                    ("?after=0", "GET"),
                    ("", "GET"),
                    ("/status", "GET"),
                    (":cancel", "POST"),
                )
            ]
            nobody = await running.ask(
                f"/gemproxy/v1/streams/{name}", b"", {"Accept": "*/*"}, "GET"
            )

            assert {answer.status for answer in (*answers, nobody)} == {404}
            assert {answer.error["message"] for answer in answers} == {
                "This caller has no stream with this id."
            }
            assert streams_of(running)[0].state == "running"


async def test_a_stream_whose_time_is_over_is_410_for_its_owner_alone(proxy: StartProxy) -> None:
    async with ChaosServer(ENDLESS) as fake:
        running = await proxy(fake, resume={"ttl_seconds": 3600})
        name, _ = await made(running)
        shelf = keeper_of(running).store
        later = shelf.clock() + 3601
        shelf.clock = lambda: later

        assert (await get(running, f"{name}?after=3")).status == 410
        assert (await get(running, name)).status == 410
        assert (await get(running, name, OTHER)).status == 404


@pytest.mark.parametrize(
    ("rest", "method", "status"),
    [
        ("{}?after=-1", "GET", 400),
        ("{}?after=1&after=1", "GET", 400),
        ("{}?after=", "GET", 400),
        ("{}?after=999", "GET", 400),
        ("{}?after=00000000000000000000000000000000:1", "GET", 404),
        ("{}", "POST", 405),
        ("{}:cancel", "GET", 405),
        ("{}:stop", "POST", 404),
        ("{}/other", "GET", 404),
    ],
)
async def test_p16_what_is_wrong_is_refused_and_nothing_goes_up(
    proxy: StartProxy, rest: str, method: str, status: int
) -> None:
    async with ChaosServer(ENDLESS) as fake:
        running = await proxy(fake)
        name, _ = await made(running)

        refused = await get(running, rest.format(name), method=method)

        assert refused.status == status
        assert len(fake.requests) == 1


async def test_where_no_streams_are_kept_there_is_none(proxy: StartProxy) -> None:
    async with ChaosServer(ENDLESS) as fake:
        running = await proxy(fake, resume={"enabled": False})

        assert (await get(running, "0" * 32)).status == 404
        assert (await running.ask("/gemproxy/v1/streams", b"", method="GET")).status == 404
        assert fake.requests == []


async def test_followers_of_all_kinds_read_one_answer_side_by_side(proxy: StartProxy) -> None:
    async with ChaosServer(ENDLESS, event_delay=0.002) as fake:
        running = await proxy(fake, resume={"max_followers": 20})
        async with reading(running, ARRAY_KIND, "k") as reader:
            name = reader.headers["X-Gemproxy-Stream-Id"]
            answers = await asyncio.gather(
                *(get(running, f"{name}?after=0") for _ in range(5)),
                *(get(running, f"{name}?after=0", {"X-Gemproxy-Event-Ids": "1"}) for _ in "ab"),
                *(running.ask(ARRAY_KIND.target, headers=SSE.headers("k")) for _ in "ab"),
            )
            chunks = await reader.all()

        for answer in answers:
            kind = ARRAY_KIND if answer.headers["Content-Type"].startswith("app") else SSE
            assert documents(kind.chunks(answer.body)) == documents(chunks)
        assert len(fake.attempts) == 1
