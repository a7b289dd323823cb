"""Stock @google/genai through the proxy: its users do not notice that the upstream breaks."""

import json

import pytest

from gemproxy.chaos import answers
from gemproxy.chaos.behaviours import Behaviour
from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.framing import Style
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.relay.inflight import InFlight
from gemproxy.routes.parts import IN_FLIGHT
from tests.gemini import Json
from tests.running import StartProxy
from tests.sdk.node import NodeDriver, NodeRun

STORY = BUILT_IN["story"]
BREAKS = ("rst@1500", "error:503@event:5", "clean@700", "finish:OTHER@event:7", "fin@2000")
DEAD = ["clean@0"] * 9


def script(
    *specs: str, answer: answers.Answer = STORY, behaviour: Behaviour = Behaviour.ECHO
) -> Script:
    """Return a script with the faults that the command line names so."""
    return Script(answer, [parse_fault(spec) for spec in specs], behaviour)


def finishes(run: NodeRun) -> list[str]:
    return [chunk.finish_reason for chunk in run.chunks if chunk.finish_reason]


def parts_of(run: NodeRun) -> list[Json]:
    return [
        part
        for chunk in run.chunks
        for candidate in chunk.raw.get("candidates", [])
        for part in candidate.get("content", {}).get("parts", [])
    ]


@pytest.mark.parametrize("name", ["story", "chinese", "emoji"])
async def test_an_answer_that_breaks_often_is_whole(
    proxy: StartProxy, node_driver: NodeDriver, name: str
) -> None:
    told = BUILT_IN[name]
    async with ChaosServer(script(*BREAKS, answer=told)) as server:
        run = await node_driver((await proxy(server)).url, "Hello")

        assert run.error is None
        assert run.text() == told.text
        assert finishes(run) == ["STOP"]
        assert len({chunk.raw["responseId"] for chunk in run.chunks}) == 1
        assert len(server.attempts) > 3
        assert server.violations == []


async def test_the_answer_is_the_one_without_a_proxy(
    proxy: StartProxy, node_driver: NodeDriver
) -> None:
    async with ChaosServer(script()) as server:
        direct = await node_driver(server.url, "Hello")
    async with ChaosServer(script()) as server:
        through = await node_driver((await proxy(server)).url, "Hello")

    assert through == direct


async def test_the_history_of_a_chat_is_intact(proxy: StartProxy, node_driver: NodeDriver) -> None:
    async with ChaosServer(script("rst@1500", "clean@event:6")) as server:
        run = await node_driver((await proxy(server)).url, "Hello", "And then?", mode="chat")

        assert run.error is None
        assert [run.text(0), run.text(1)] == [STORY.text] * 2
        assert turns_of(run.curated) == turns_of(run.history)
        assert turns_of(run.curated) == [
            ("user", "Hello"),
            ("model", STORY.text),
            ("user", "And then?"),
            ("model", STORY.text),
        ]
        assert turns_of(server.requests[-1].document["contents"]) == turns_of(run.curated)[:3]


def turns_of(contents: list[Json]) -> list[tuple[str, str]]:
    """Return a history with the chunks of each turn joined."""
    turns: list[tuple[str, str]] = []
    for content in contents:
        role, text = content["role"], "".join(part.get("text", "") for part in content["parts"])
        if turns and turns[-1][0] == role:
            turns[-1] = (role, turns[-1][1] + text)
        else:
            turns.append((role, text))
    return turns


async def test_thoughts_are_not_repeated(proxy: StartProxy, node_driver: NodeDriver) -> None:
    told = BUILT_IN["thinking"]
    async with ChaosServer(script("clean@event:12", "rst@3000", answer=told)) as server:
        run = await node_driver(
            (await proxy(server)).url,
            "Hello",
            config={"thinkingConfig": {"includeThoughts": True}},
        )

        thoughts = "".join(part["text"] for part in parts_of(run) if part.get("thought"))
        assert run.text() == told.text
        assert thoughts
        assert told.thoughts.startswith(thoughts)


async def test_a_call_arrives_once(proxy: StartProxy, node_driver: NodeDriver) -> None:
    told = BUILT_IN["call"]
    async with ChaosServer(script("rst@500", "clean@event:1", answer=told)) as server:
        run = await node_driver((await proxy(server)).url, "Hello")

        (call,) = [part["functionCall"] for part in parts_of(run) if "functionCall" in part]
        assert (call["name"], call["args"]) == (told.calls[0].name, told.calls[0].args)
        assert run.error is None


async def test_usage_is_that_of_one_answer(proxy: StartProxy, node_driver: NodeDriver) -> None:
    async with ChaosServer({"gemini-test": script(*BREAKS), "*": script()}) as server:
        running = await proxy(server)
        whole = await node_driver(running.url, "Hello", model="gemini-w")
        broken = await node_driver(running.url, "Hello")

        expected, usage = (run.chunks[-1].raw["usageMetadata"] for run in (whole, broken))
        assert usage["promptTokenCount"] == expected["promptTokenCount"]
        count = expected["candidatesTokenCount"]
        assert usage["candidatesTokenCount"] == pytest.approx(count, rel=0.05)


async def test_heartbeats_are_not_seen(proxy: StartProxy, node_driver: NodeDriver) -> None:
    async with ChaosServer(script("stall@event:4"), event_delay=0.01) as server:
        running = await proxy(
            server,
            client={"heartbeat_seconds": 0.01, "headers_after_seconds": 0.01},
            upstream={"chunk_timeout_seconds": 0.2},
        )

        run = await node_driver(running.url, "Hello")

        assert run.error is None
        assert run.text() == STORY.text


async def test_giving_up_raises_after_the_text_so_far(
    proxy: StartProxy, node_driver: NodeDriver
) -> None:
    async with ChaosServer(script("clean@event:5", *DEAD)) as server:
        running = await proxy(server, repair={"max_consecutive_retries": 2})

        run = await node_driver(running.url, "Hello")

        assert run.error is not None
        assert (run.error.name, run.error.status) == ("ApiError", 503)
        assert json.loads(run.error.message[run.error.message.index("{") :])
        assert STORY.text.startswith(run.text())
        assert len(run.chunks) == 5
        assert finishes(run) == []


async def test_giving_up_is_told_to_a_reader_that_takes_its_time(
    proxy: StartProxy, node_driver: NodeDriver
) -> None:
    """Node's fetch drops what is unread when the connection ends: "TypeError: terminated"."""
    async with ChaosServer(script("clean@event:5", *DEAD)) as server:
        running = await proxy(server, repair={"max_consecutive_retries": 2})
        running.app[IN_FLIGHT].patience = InFlight(1).patience

        run = await node_driver(running.url, "Hello", pause=50)

        assert run.error is not None
        assert (run.error.name, run.error.status) == ("ApiError", 503)
        assert len(run.chunks) == 5


async def test_giving_up_before_the_answer_began_raises(
    proxy: StartProxy, node_driver: NodeDriver
) -> None:
    async with ChaosServer(script(*["status:500"] * 9)) as server:
        running = await proxy(server, repair={"max_consecutive_retries": 2})

        run = await node_driver(running.url, "Hello")

        assert run.chunks == ()
        assert run.error is not None
        assert (run.error.name, run.error.status) == ("ApiError", 500)
        assert len(server.attempts) == 3


@pytest.mark.parametrize("style", Style)
async def test_an_answer_in_any_framing_is_read(
    proxy: StartProxy, node_driver: NodeDriver, style: Style
) -> None:
    told = Script(STORY, [parse_fault("fin@2000")], style=style)
    async with ChaosServer(told) as server:
        run = await node_driver((await proxy(server)).url, "Hello")

    assert run.error is None
    assert run.text() == STORY.text
    assert finishes(run) == ["STOP"]


async def test_a_bare_response_among_events_is_read(
    proxy: StartProxy, node_driver: NodeDriver
) -> None:
    async with ChaosServer(script("bare@event:3")) as server:
        run = await node_driver((await proxy(server)).url, "Hello")

        assert len(server.attempts) == 1
    assert run.text() == STORY.text
