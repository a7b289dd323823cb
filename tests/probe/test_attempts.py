"""Cutting and resuming: what is sent, what is abandoned, what is an accident."""

import json
from collections.abc import Callable

import pytest

from gemproxy.chaos.answers import Answer, executable_code
from gemproxy.chaos.behaviours import Behaviour
from gemproxy.chaos.faults import Fault, Kind, event
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer, Outcome
from gemproxy.core.repair.continuation import Form, find_anchor, find_quote
from gemproxy.core.repair.events import How
from gemproxy.core.seam.seam import Joint
from gemproxy.probe.attempts import break_off, hear, resume, resume_plainly
from gemproxy.probe.cutting import Broken, Cut, Place
from gemproxy.probe.gemini import CannotTell, Gemini
from gemproxy.probe.prompts import asking
from tests.probe.fake import MODEL, STORY, fake_gemini

Connect = Callable[[ChaosServer], Gemini]

BODY = json.dumps(asking("Tell me a story.")).encode()
CUT = Cut(Place.MID_WORD, 150)
SILENCE = Fault(Kind.STALL, event(45))


def story(*faults: Fault | None, behaviour: Behaviour = Behaviour.ECHO) -> dict[str, Script]:
    return {"": Script(Answer(STORY, chunk=(10, 10)), faults, behaviour)}


async def broken_by(gemini: Gemini, cut: Cut = CUT) -> Broken:
    return await break_off(gemini, MODEL, BODY, cut)


async def test_an_answer_is_abandoned_where_it_is_cut(connect: Connect) -> None:
    async with fake_gemini(scripts=story(SILENCE)) as server:
        broken = await broken_by(connect(server))
        await server.until(lambda: server.attempts[0].outcome is Outcome.ABANDONED)

    assert STORY.startswith(broken.text + broken.ahead)
    assert len(broken.text) >= 150
    assert len(broken.ahead) >= 24
    assert len(broken.text + broken.ahead) < 300


async def test_what_is_sent_for_an_echo_is_the_continuation_of_the_core(connect: Connect) -> None:
    async with fake_gemini(scripts=story(SILENCE)) as server:
        gemini = connect(server)
        broken = await broken_by(gemini)
        resumed = await resume(gemini, broken, Form.ECHO)
        *first, model, user = server.requests[-1].document["contents"]

    assert server.violations == []
    assert first == json.loads(BODY)["contents"]
    assert model["parts"] == [{"text": broken.text}]
    assert find_anchor(user["parts"][0]["text"]) == resumed.anchor
    assert broken.text + resumed.after == STORY
    assert (resumed.joint, resumed.dropped) == (Joint.ECHO, len(resumed.anchor or ""))


async def test_the_plain_form_has_no_anchor_and_nothing_is_dropped(connect: Connect) -> None:
    async with fake_gemini(scripts=story(SILENCE)) as server:
        gemini = connect(server)
        broken = await broken_by(gemini)
        resumed = await resume_plainly(gemini, broken)
        notice = server.requests[-1].document["contents"][-1]["parts"][0]["text"]

    assert find_anchor(notice) is None
    assert broken.text + resumed.after == STORY
    assert resumed.dropped == 0


async def test_the_prefill_form_ends_with_the_model_turn(connect: Connect) -> None:
    async with fake_gemini(scripts=story(SILENCE)) as server:
        gemini = connect(server)
        resumed = await resume(gemini, await broken_by(gemini), Form.PREFILL)
        contents = server.requests[-1].document["contents"]

    assert contents[-1]["role"] == "model"
    assert resumed.anchor is None


async def test_the_quoted_form_has_no_model_turn(connect: Connect) -> None:
    async with fake_gemini(scripts=story(SILENCE)) as server:
        gemini = connect(server)
        broken = await broken_by(gemini)
        await resume(gemini, broken, Form.QUOTED)
        contents = server.requests[-1].document["contents"]

    assert [turn["role"] for turn in contents] == ["user", "user"]
    assert find_quote(contents[-1]["parts"][0]["text"]) == broken.text


async def test_a_token_is_refused_so_that_the_text_form_is_tried(connect: Connect) -> None:
    async with fake_gemini() as server:
        gemini = connect(server)
        body = json.dumps(asking("The last tram.")).encode()
        broken = await break_off(gemini, MODEL, body, Cut(Place.MID_WORD, 300))
        resumed = await resume(gemini, broken, Form.ECHO)

    assert b"continuationToken" in broken.prefix
    assert b"continuationToken" not in resumed.body
    assert resumed.joint is Joint.ECHO


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(Kind.STATUS, code=400), "the first request was refused: 400"),
        (Fault(Kind.RST, event(5)), "the first answer broke by itself (reset)"),
        (Fault(Kind.ERROR_FRAME, event(5), code=503), "an error came inside the first answer (503"),
        (Fault(Kind.GARBAGE, event(5)), "a frame of the first answer is no JSON"),
        (Fault(Kind.CLEAN_EOF, event(5)), "the first answer has no place mid-word after 150"),
        (Fault(Kind.BAD_FINISH, event(0), reason="SAFETY"), "the first answer has no text (SAFETY"),
    ],
    ids=lambda value: value.kind.value if isinstance(value, Fault) else "",
)
async def test_an_answer_that_cannot_be_cut_gives_the_reason(
    connect: Connect, fault: Fault, reason: str
) -> None:
    async with fake_gemini(scripts=story(fault)) as server:
        with pytest.raises(CannotTell) as told:
            await broken_by(connect(server))

    assert str(told.value).startswith(reason)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(STORY, opening=(executable_code("print(1)"),), chunk=(10, 10)),
        Answer(STORY, opening=({"functionCall": {"name": "f", "args": {}}},), chunk=(10, 10)),
    ],
    ids=["code", "a call"],
)
async def test_an_answer_that_the_core_does_not_continue_is_not_resumed(
    connect: Connect, answer: Answer
) -> None:
    async with fake_gemini(scripts={"": Script(answer, (SILENCE,))}) as server:
        gemini = connect(server)
        broken = await broken_by(gemini)
        with pytest.raises(CannotTell, match="the core does not resume such an answer"):
            await resume(gemini, broken, Form.ECHO)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Kind.RST, event(20)),
        Fault(Kind.CLEAN_EOF, event(20)),
        Fault(Kind.ERROR_FRAME, event(20), code=500),
        Fault(Kind.ERROR_FRAME, event(2), code=400),
    ],
    ids=str,
)
async def test_an_accident_of_the_resumed_answer_is_not_held_against_the_model(
    connect: Connect, fault: Fault
) -> None:
    async with fake_gemini(scripts=story(SILENCE, fault)) as server:
        gemini = connect(server)
        broken = await broken_by(gemini)
        with pytest.raises(CannotTell, match="the resumed answer"):
            await resume(gemini, broken, Form.ECHO)


@pytest.mark.parametrize("kind", [Kind.RST, Kind.ERROR_FRAME])
async def test_the_same_goes_for_the_plain_form(connect: Connect, kind: Kind) -> None:
    async with fake_gemini(scripts=story(SILENCE, Fault(kind, event(20)))) as server:
        gemini = connect(server)
        broken = await broken_by(gemini)
        with pytest.raises(CannotTell, match="resumed answer"):
            await resume_plainly(gemini, broken)


async def test_what_both_attempts_cost_is_added_up(connect: Connect) -> None:
    async with fake_gemini(scripts=story(SILENCE)) as server:
        gemini = connect(server)
        broken = await broken_by(gemini)
        resumed = await resume(gemini, broken, Form.ECHO)

    assert gemini.meter.requests == 2
    assert gemini.meter.tokens == broken.said.billed + resumed.said.billed
    assert gemini.meter.tokens.output > 0


@pytest.mark.parametrize(
    ("fault", "how"),
    [
        (None, How.EOF),
        (Fault(Kind.CLEAN_EOF, event(3)), How.EOF),
        (Fault(Kind.RST, event(3)), How.RESET),
    ],
    ids=["whole", "clean end", "reset"],
)
async def test_an_answer_that_is_heard_says_how_it_ended(
    connect: Connect, fault: Fault | None, how: How
) -> None:
    async with fake_gemini(scripts=story(fault)) as server:
        heard = await hear(connect(server), MODEL, BODY)

    assert heard.how is how
    assert (heard.said.text == STORY) is (fault is None)
