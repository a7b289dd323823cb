"""The trials with a function, against models that call it and models that do not."""

import json
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from gemproxy.chaos.behaviours import Behaviour
from gemproxy.chaos.faults import Fault, Kind, event
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.probe import tools
from gemproxy.probe.bench import Bench
from gemproxy.probe.gemini import CannotTell, Rejection
from tests.probe.fake import ANSWERS, CALL, fake_gemini

BenchAt = Callable[[ChaosServer], Bench]
TALK = Fault(Kind.STALL, event(25))
WEATHER = "get_weather"
DEMAND = "Function call is missing a thought_signature in functionCall parts."


def refusing(message: str) -> Fault:
    body = json.dumps({"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}})
    return Fault(Kind.STATUS, code=400, body=body.encode())


def weather(*faults: Fault | None) -> dict[str, Script]:
    return {WEATHER: Script(ANSWERS[WEATHER], faults)}


def parts(turn: dict[str, Any]) -> list[dict[str, Any]]:
    return [part for part in turn["parts"] if "text" not in part]


async def test_the_call_behind_the_cut_comes_and_is_kept_for_the_next_turn(
    bench_at: BenchAt,
) -> None:
    async with fake_gemini() as server:
        bench = bench_at(server)
        outcome = await tools.call(bench)

    assert outcome.problem is None
    assert (outcome.figures["calls"], outcome.figures["signed"]) == (1, True)
    assert bench.turn[0] == {"text": ANSWERS[WEATHER].text}
    assert bench.turn[1]["functionCall"]["args"] == CALL.args


async def test_prose_instead_of_a_call_is_a_failure(bench_at: BenchAt) -> None:
    async with fake_gemini(Behaviour.NOTHING) as server:
        bench = bench_at(server)
        outcome = await tools.call(bench)

    assert outcome.problem == "the resumed answer does not call the function"
    assert not bench.turn


@pytest.mark.parametrize("trial", [tools.signatures, tools.function_response])
async def test_what_needs_a_call_cannot_be_told_without_one(
    bench_at: BenchAt, trial: Callable[[Bench], Any]
) -> None:
    async with fake_gemini() as server:
        with pytest.raises(CannotTell, match="no function call to answer"):
            await trial(bench_at(server))


async def test_a_call_is_answered_without_its_signature_and_with_its_id(
    bench_at: BenchAt,
) -> None:
    async with fake_gemini(scripts=weather(TALK)) as server:
        bench = bench_at(server)
        await tools.call(bench)
        outcome = await tools.signatures(bench)
        *_, model, user = server.requests[-1].document["contents"]

    assert outcome.problem is None
    assert outcome.figures == {"demanded": False, "signed": True}
    assert parts(model) == [
        {"functionCall": {"id": "call-1", "name": CALL.name, "args": dict(CALL.args)}}
    ]
    assert user["parts"][0]["functionResponse"]["id"] == "call-1"


@pytest.mark.parametrize(("signature", "holds"), [("c2lnbmVk", True), (None, False)])
async def test_a_demanded_signature_has_to_be_on_the_resumed_call(
    bench_at: BenchAt, *, signature: str | None, holds: bool
) -> None:
    call = attrs.evolve(CALL, signature=signature)
    answer = attrs.evolve(ANSWERS[WEATHER], calls=(call,))
    script = Script(answer, (TALK, None, refusing(DEMAND)))

    async with fake_gemini(scripts={WEATHER: script}) as server:
        bench = bench_at(server)
        await tools.call(bench)
        outcome = await tools.signatures(bench)

    assert (outcome.problem is None) is holds
    assert outcome.figures == {"demanded": True, "signed": holds}
    assert holds or DEMAND in str(outcome.problem)


async def test_another_refusal_says_nothing_about_signatures(bench_at: BenchAt) -> None:
    async with fake_gemini(scripts=weather(TALK, None, refusing("Tools are off."))) as server:
        bench = bench_at(server)
        await tools.call(bench)
        with pytest.raises(CannotTell, match=r"refused: 400 INVALID_ARGUMENT: Tools are off\."):
            await tools.signatures(bench)


async def test_text_and_notice_stand_behind_the_function_response(bench_at: BenchAt) -> None:
    async with fake_gemini(scripts=weather(TALK, None, TALK)) as server:
        bench = bench_at(server)
        await tools.call(bench)
        outcome = await tools.function_response(bench)
        roles = [turn["role"] for turn in server.requests[-1].document["contents"]]
        turn = server.requests[-1].document["contents"][1]

    assert outcome.problem is None
    assert roles == ["user", "model", "user", "model", "user"]
    assert parts(turn)[0]["thoughtSignature"] == CALL.signature


async def test_a_refusal_behind_the_function_response_is_one(bench_at: BenchAt) -> None:
    order = "Please ensure that function response turns come right after function call turns."
    async with fake_gemini(scripts=weather(TALK, None, TALK, refusing(order))) as server:
        bench = bench_at(server)
        await tools.call(bench)
        with pytest.raises(Rejection, match="function response turns"):
            await tools.function_response(bench)
