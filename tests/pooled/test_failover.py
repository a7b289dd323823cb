"""Refusals and faults on the way: the client of the pool sees one whole answer."""

import json

import pytest

from gemproxy.chaos.faults import Fault, Kind, byte, event
from gemproxy.chaos.refusals import INVALID, OVERLOADED, Refusal, quota, requests_by_minute
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from tests.pooled.conftest import StartHouse
from tests.pooled.house import K1, K2, MODEL, access, stream_of
from tests.wire import Answer, Ending, body_of

pytestmark = pytest.mark.production_loop

STORY = BUILT_IN["story"].text


def assert_whole(answer: Answer) -> None:
    assert (answer.status, answer.ending) == (200, Ending.COMPLETE)
    assert answer.text == STORY
    assert answer.finish_reasons == ["STOP"]
    assert len(answer.response_ids) == 1


@pytest.mark.parametrize(
    "refusal",
    [INVALID, OVERLOADED, quota(requests_by_minute(MODEL), delay=40)],
    ids=["invalid", "overloaded", "quota"],
)
@pytest.mark.parametrize("kind", [Kind.FIN, Kind.CLEAN_EOF, Kind.RST])
async def test_a_resume_goes_on_where_its_key_is_refused(
    house: StartHouse, refusal: Refusal, kind: Kind
) -> None:
    started = await house(script=Script(BUILT_IN["story"], [Fault(kind, event(4))]))
    async with started.proxy.connect() as connection:
        await connection.send(stream_of(), body_of("Hello"), access())
        await started.fake.until(lambda: bool(started.fake.attempts))
        started.cloud.refuse(started.came()[0].project, refusal)
        answer = await connection.answer()

    assert_whole(answer)
    assert started.came()[-1].project != started.came()[0].project


async def test_a_quota_error_in_a_stream_moves_it_to_another_project(house: StartHouse) -> None:
    fault = Fault(Kind.ERROR_FRAME, event(4), code=429, retry=40)
    started = await house(script=Script(BUILT_IN["story"], [fault]))
    answer = await started.ask()

    assert_whole(answer)
    first, second = (one.project for one in started.came())
    assert first != second
    assert {(await started.ask()).status for _ in range(3)} == {200}
    assert {one.project for one in started.came()[2:]} == {second}


async def test_a_short_rest_of_all_is_waited_for_once(house: StartHouse) -> None:
    started = await house(repair={"retry_after_limit_seconds": 5})
    rest = quota(requests_by_minute(MODEL), delay=0.4)
    for project in ("P1", "P2"):
        started.cloud.refuse(project, rest, model=MODEL, times=1)

    assert_whole(await started.ask())
    assert [one.status for one in started.came()] == [429, 429, 0]


async def test_a_unary_call_goes_on_like_a_stream(house: StartHouse) -> None:
    started = await house()
    started.cloud.refuse(K1, INVALID)
    target = f"/v1beta/models/{MODEL}:generateContent"
    for number in range(6):
        answer = await started.proxy.ask(target, body_of(f"Hello {number}"), access())
        assert answer.status == 200
    assert started.keys().count(K1) == 1


async def test_a_service_that_fails_makes_no_key_rest(house: StartHouse) -> None:
    script = Script(BUILT_IN["story"], [Fault(Kind.STATUS, code=503), Fault(Kind.RST, event(2))])
    started = await house(script=script)
    for number in range(5):
        assert_whole(await started.ask(f"Prompt {number}"))

    assert {one.project for one in started.came()} == {"P1", "P2"}


async def test_an_interaction_is_read_on_where_it_is(house: StartHouse) -> None:
    """A replay goes to the project that has the interaction, whatever the strategy."""
    faults = [Fault(Kind.FIN, byte(900)), Fault(Kind.RST, byte(700)), None]
    started = await house(
        script=Script(BUILT_IN["story"], faults), pool={"strategy": "round_robin"}
    )
    for number in range(4):
        asked = {"model": MODEL, "input": f"Hello {number}", "stream": True}
        before = len(started.cloud.log)
        answer = await started.send("POST", "/v1beta/interactions", asked)
        events = [
            json.loads(line.removeprefix(b"data: "))
            for line in answer.body.splitlines()
            if line.startswith(b"data: {")
        ]
        texts = [event["delta"].get("text", "") for event in events if "delta" in event]
        came = started.cloud.log[before:]

        assert (answer.status, answer.ending) == (200, Ending.COMPLETE)
        assert "".join(texts) == STORY
        assert [one.method for one in came] == ["POST", "GET", "GET"]
        assert len({one.project for one in came}) == 1


async def test_an_interaction_begins_with_a_key_that_is_well(house: StartHouse) -> None:
    started = await house()
    for key in (K1, K2):
        started.cloud.refuse(key, INVALID)
    for number in range(3):
        asked = {"model": MODEL, "input": f"Hello {number}"}
        made = await started.send("POST", "/v1beta/interactions", asked)
        name = json.loads(made.body)["id"]
        further = {**asked, "previous_interaction_id": name}
        assert (await started.send("POST", "/v1beta/interactions", further)).status == 200
        assert (await started.send("GET", f"/v1beta/interactions/{name}")).status == 200
