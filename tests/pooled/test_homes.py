"""The home of a conversation: one project for all its turns, while that is well."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gemproxy.chaos.answers import Answer
from gemproxy.chaos.projects import Project
from gemproxy.chaos.refusals import quota, requests_by_minute
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.pooled.conftest import Clock, StartHouse
from tests.pooled.house import K1, K2, K3, MODEL, access, stream_of
from tests.pooled.program import program
from tests.wire import body_of

pytestmark = pytest.mark.production_loop

FIVE = [
    Project(f"P{number}", (f"AIzaSyHome{number}9c27d404be4a0f8f3e6a51c",)) for number in range(5)
]
SYSTEM = {"parts": [{"text": "Answer briefly."}]}


def said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"text": text}]}


def turns(topic: str, count: int) -> list[dict[str, Any]]:
    """Return a conversation of so many turns of the user, with the answers between."""
    contents = [said("user", f"{topic}, turn 0")]
    for number in range(1, count):
        contents += [said("model", f"Answer {number}."), said("user", f"{topic}, turn {number}")]
    return contents


@pytest.mark.parametrize("system", [{}, {"systemInstruction": SYSTEM}], ids=["without", "with"])
async def test_twenty_turns_stay_at_home(house: StartHouse, system: dict[str, Any]) -> None:
    started = await house(FIVE, Script(Answer("Well.")))
    for topic in range(10):
        for count in range(1, 21):
            document = {"contents": turns(f"Topic {topic}", count), **system}
            assert (await started.send("POST", stream_of(), document)).status == 200

    homes = [
        {one.project for one in started.came()[20 * topic : 20 * topic + 20]} for topic in range(10)
    ]
    assert [len(home) for home in homes] == [1] * 10
    assert len(set.union(*homes)) > 1


async def test_a_conversation_comes_home_after_a_rest(house: StartHouse, clock: Clock) -> None:
    started = await house(FIVE, Script(Answer("Well.")))
    for count in (1, 2):
        await started.send("POST", stream_of(), {"contents": turns("A", count)})
    home = started.came()[-1].project
    rest = quota(requests_by_minute(MODEL), delay=20)
    started.cloud.refuse(home, rest, model=MODEL, times=1)

    for count in range(3, 6):
        await started.send("POST", stream_of(), {"contents": turns("A", count)})
    away = {one.project for one in started.came()[-3:]}
    clock.at += 30
    for count in range(6, 9):
        await started.send("POST", stream_of(), {"contents": turns("A", count)})

    assert home not in away
    assert len(away) == 1
    assert {one.project for one in started.came()[-3:]} in ({home}, away)


async def test_a_restart_changes_no_home(tmp_path: Path) -> None:
    projects = [Project("P1", (K1,)), Project("P2", (K2,)), Project("P3", (K3,))]
    installed = program(tmp_path, projects)
    homes: list[list[str]] = []
    async with ChaosServer(Script(Answer("Well.")), projects=projects) as fake:
        for count in (3, 4):
            async with installed.serving(fake) as process:
                before = len(fake.cloud.log)
                first = range(1, count + 1) if count == 3 else (count,)
                for topic in range(12):
                    for turn in first:
                        body = body_of({"contents": turns(f"Topic {topic}", turn)})
                        await process.ask(stream_of(), body, access())
                came = [one.project for one in fake.cloud.log[before:] if one.model]
                homes.append(came[len(first) - 1 :: len(first)])
                await process.terminate()
                await process.exit_status()

    assert homes[0] == homes[1]
    assert len(set(homes[0])) > 1


async def test_the_share_that_stays_at_home_is_recorded(
    house: StartHouse, clock: Clock, record_property: Any
) -> None:
    """Forty conversations of ten turns at once, with a project that rests again and again."""
    started = await house(FIVE, Script(Answer("Well.")))

    async def talk(topic: int, count: int) -> None:
        document = {"contents": turns(f"Topic {topic}", count)}
        assert (await started.send("POST", stream_of(), document)).status == 200

    kept = moved = 0
    last: dict[int, str] = {}
    for count in range(1, 11):
        if count % 3 == 0:
            rest = quota(requests_by_minute(MODEL), delay=20)
            started.cloud.refuse(f"P{count % 5}", rest, model=MODEL, times=1)
        await asyncio.gather(*(talk(topic, count) for topic in range(40)))
        here = {}
        for request, served in ((a.request, a.project) for a in started.fake.attempts[-40:]):
            topic = request.document["contents"][0]["parts"][0]["text"]
            here[topic] = served
        kept += sum(last.get(topic) == project for topic, project in here.items() if topic in last)
        moved += sum(last[topic] != here[topic] for topic in here if topic in last)
        last = here
        clock.at += 25
    share = kept / (kept + moved)
    record_property("home", f"{share:.1%} of {kept + moved} further turns")
    assert share > 0.85
