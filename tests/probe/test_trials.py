"""Each trial against models that behave, and against models that do not."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import pytest

from gemproxy.chaos.answers import Answer, Ending
from gemproxy.chaos.behaviours import Behaviour
from gemproxy.chaos.faults import Fault, Kind, event
from gemproxy.chaos.frames import offset_of
from gemproxy.chaos.script import Conversation, Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.probe.bench import Bench, Outcome
from gemproxy.probe.cases import CASES
from gemproxy.probe.gemini import CannotTell, Rejection
from tests.probe.fake import ANSWERS, STORY, fake_gemini, generations, script_for

BenchAt = Callable[[ChaosServer], Bench]
TRIALS = {case.name: case.trial for case in CASES}
SEAMS = [name for name in TRIALS if name.startswith(("echo-", "plain-"))]


async def outcome_of(
    bench_at: BenchAt, name: str, behaviour: Behaviour, script: Script | None = None
) -> Outcome:
    """Run one trial; ``script`` replaces that of every prompt."""
    async with fake_gemini(behaviour, scripts={"": script} if script else None) as server:
        return await TRIALS[name](bench_at(server))


@pytest.mark.parametrize("name", [*SEAMS, "prefill", "quoted", "thoughts", "json"])
async def test_a_model_that_echoes_or_goes_on_where_it_stopped_is_as_assumed(
    bench_at: BenchAt, name: str
) -> None:
    outcome = await outcome_of(bench_at, name, Behaviour.ECHO)

    assert outcome.problem is None
    assert outcome.figures["new_characters"]


@pytest.mark.parametrize(
    ("behaviour", "echo"),
    [
        (Behaviour.ECHO, "exact"),
        (Behaviour.ECHO_MORE, "more"),
        (Behaviour.QUOTED_ECHO, "normalised"),
        (Behaviour.ECHO_PREAMBLE, "normalised"),
        (Behaviour.ECHO_PARAGRAPH_BREAK, "normalised"),
    ],
)
async def test_an_echo_is_told_by_its_kind(
    bench_at: BenchAt, behaviour: Behaviour, echo: str
) -> None:
    outcome = await outcome_of(bench_at, "echo-before-space", behaviour)

    assert outcome.problem is None
    assert outcome.figures["echo"] == echo
    assert outcome.figures["dropped_characters"] >= 40  # type: ignore[operator]


@pytest.mark.parametrize(
    ("name", "behaviour", "problem"),
    [
        ("echo-mid-word", Behaviour.PLAIN, "no echo of the anchor; the text joins all the same"),
        ("echo-before-space", Behaviour.LOSE_SPACE, "no echo of the anchor; the space was lost"),
        ("echo-code", Behaviour.REOPEN_FENCE, "no echo of the anchor; a code fence opened at"),
        ("echo-chinese", Behaviour.DOUBLE_SPACE, "no echo of the anchor; a space was put in"),
        ("echo-mid-word", Behaviour.RESTART, "the answer starts over instead of with the anchor"),
        ("echo-mid-word", Behaviour.RESTART_DIFFERENT, "the core has no use for the attempt"),
        ("echo-after-space", Behaviour.NOTHING, "no echo of the anchor; nothing new came"),
        ("echo-after-space", Behaviour.REPEAT, "only an end of the anchor is repeated"),
        ("plain-before-space", Behaviour.LOSE_SPACE, "the space was lost"),
        ("plain-before-space", Behaviour.PARAGRAPH_BREAK, "a line break came instead of the space"),
        ("plain-after-space", Behaviour.DOUBLE_SPACE, "the space was doubled"),
        ("plain-mid-word", Behaviour.PREAMBLE, "a preamble at the seam"),
        ("plain-mid-word", Behaviour.REPEAT, "the last 40 characters come again"),
        ("plain-mid-word", Behaviour.RESTART, "the answer starts over"),
        ("prefill", Behaviour.DOUBLE_SPACE, "a space was put in"),
        ("thoughts", Behaviour.LOSE_SPACE, "the space was lost"),
        ("json", Behaviour.PREAMBLE, "delivered and resumed text make no valid document"),
    ],
)
async def test_what_a_model_does_otherwise_is_named(
    bench_at: BenchAt, name: str, behaviour: Behaviour, problem: str
) -> None:
    outcome = await outcome_of(bench_at, name, behaviour)

    assert outcome.problem is not None
    assert problem in outcome.problem


@pytest.mark.parametrize(
    ("name", "behaviour"),
    [
        ("prefill", Behaviour.REFUSE_MODEL_TURN),
        ("echo-mid-word", Behaviour.REFUSE_USER_TURN),
        ("plain-mid-word", Behaviour.REFUSE_USER_TURN),
        ("quoted", Behaviour.REFUSE),
        ("thoughts", Behaviour.REFUSE),
        ("json", Behaviour.REFUSE),
    ],
)
async def test_a_form_that_is_refused_is_not_tried_in_another_one(
    bench_at: BenchAt, name: str, behaviour: Behaviour
) -> None:
    async with fake_gemini(behaviour) as server:
        with pytest.raises(Rejection) as refused:
            await TRIALS[name](bench_at(server))

        assert refused.value.status == 400
        assert generations(server) == 2


async def test_the_model_turn_that_google_refuses_is_quoted_in_its_words(
    bench_at: BenchAt,
) -> None:
    with pytest.raises(Rejection, match=r"Requests ending with a model turn are not supported\."):
        await outcome_of(bench_at, "prefill", Behaviour.REFUSE_MODEL_TURN)


async def test_thoughts_that_come_again_are_counted_and_the_limit_is_seen_to_shrink(
    bench_at: BenchAt,
) -> None:
    figures = (await outcome_of(bench_at, "thoughts", Behaviour.ECHO)).figures

    assert figures["thought_characters"] == figures["thought_characters_resumed"] == 75
    assert figures["output_limit"] == 2048
    assert 1800 < figures["output_limit_resumed"] < 2048  # type: ignore[operator]
    assert figures["thoughts_after_text"] is False


async def test_a_lowered_limit_that_thoughts_use_up_is_a_failure(bench_at: BenchAt) -> None:
    starved = Fault(Kind.BAD_FINISH, event(1), reason="MAX_TOKENS")
    script = Script(ANSWERS["chess"], (Fault(Kind.STALL, event(75)), starved))

    async with fake_gemini(scripts={"chess": script}) as server:
        outcome = await TRIALS["thoughts"](bench_at(server))

    assert outcome.problem == "the lowered maxOutputTokens left no room for text"


async def test_a_document_is_not_judged_where_none_was_begun(bench_at: BenchAt) -> None:
    prose = script_for("rivers", Behaviour.ECHO, Answer(STORY, chunk=(10, 10)))

    async with fake_gemini(scripts={"rivers": prose}) as server:
        with pytest.raises(CannotTell, match="not the document"):
            await TRIALS["json"](bench_at(server))


async def test_a_clean_stream_shows_its_form(bench_at: BenchAt) -> None:
    outcome = await outcome_of(bench_at, "wire", Behaviour.ECHO)

    assert outcome.problem is None
    assert outcome.figures["frames"] == outcome.figures["frames_with_usage"]
    assert outcome.figures["line_ends"] == "crlf"
    assert outcome.figures["transfer"] == "chunked"
    assert outcome.figures["finish_reason"] == "STOP"
    assert outcome.figures["model_version"] == "gemini-9.1-flash"


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (Fault(Kind.CLEAN_EOF, event(3)), "there is no finishReason at the end"),
        (Fault(Kind.FIN, event(3)), "the body does not end as HTTP wants it; there is no"),
        (Fault(Kind.GARBAGE, event(3)), "a frame is no JSON"),
    ],
)
async def test_a_stream_that_is_not_as_assumed_is_described(
    bench_at: BenchAt, fault: Fault, problem: str
) -> None:
    async with fake_gemini(scripts={"sky": Script(ANSWERS["sky"], (fault,))}) as server:
        outcome = await TRIALS["wire"](bench_at(server))

    assert outcome.problem is not None
    assert outcome.problem.startswith(problem)


@pytest.mark.parametrize(
    "script",
    [
        Script(Answer(block="PROHIBITED_CONTENT")),
        Script(ANSWERS["sky"], (Fault(Kind.ERROR_FRAME, event(2)),)),
        Script(ANSWERS["sky"], (Fault(Kind.STATUS, code=400),)),
    ],
    ids=["blocked", "error frame", "refused"],
)
async def test_the_wire_is_not_judged_by_an_answer_that_is_none(
    bench_at: BenchAt, script: Script
) -> None:
    async with fake_gemini(scripts={"sky": script}) as server:
        with pytest.raises(CannotTell):
            await TRIALS["wire"](bench_at(server))


async def test_a_reason_in_a_frame_of_its_own_is_noted(bench_at: BenchAt) -> None:
    ending = Ending(alone=True, usage_after=True)

    async with fake_gemini(scripts={"sky": Script(Answer(STORY, ending=ending))}) as server:
        figures = (await TRIALS["wire"](bench_at(server))).figures

    assert figures["finish_has_content"] is False
    assert figures["frames_after_finish"] == 1


async def test_without_a_token_native_continuation_is_not_tried(bench_at: BenchAt) -> None:
    async with fake_gemini() as server:
        bench = bench_at(server)
        await TRIALS["wire"](bench)
        with pytest.raises(CannotTell, match="no candidate carries a continuationToken"):
            await TRIALS["native"](bench)

        assert generations(server) == 1


async def test_text_that_is_generated_again_after_a_token_is_compared(bench_at: BenchAt) -> None:
    async with fake_gemini(scripts={"sky": Script(Answer(STORY, checkpoint=3))}) as server:
        bench = bench_at(server)
        wire = await TRIALS["wire"](bench)
        outcome = await TRIALS["native"](bench)
        last = server.requests[-1].document

    assert wire.figures["continuation_token"] is True
    assert outcome.problem is None
    assert outcome.figures["dropped_characters"] > 0  # type: ignore[operator]
    assert offset_of(last["continuationToken"]) is not None


@attrs.frozen
class Fickle:
    """A stage whose model tells everything in capitals from the second attempt on."""

    scripts: Mapping[str, Script]
    stage: Any

    def has_script(self, model: str) -> bool:
        return True

    def conversation(self, model: str, opening: str) -> Conversation:
        conversation: Conversation = self.stage.conversation(model, opening)
        if conversation.attempts:
            answer = conversation.script.answer
            loud = attrs.evolve(answer, text=answer.text.upper())
            conversation.answer = loud
        return conversation


async def test_other_text_after_a_token_is_a_failure(bench_at: BenchAt) -> None:
    async with fake_gemini() as server:
        server.stage = Fickle(server.scripts, server.stage)  # type: ignore[assignment, arg-type]
        bench = bench_at(server)
        bench.offers_token = True
        outcome = await TRIALS["native"](bench)

    assert outcome.problem == "what is generated again since the checkpoint differs"


async def test_a_token_that_comes_after_the_cut_is_of_no_use(bench_at: BenchAt) -> None:
    script = script_for("last tram", Behaviour.ECHO, Answer(STORY, chunk=(10, 10)))

    async with fake_gemini(scripts={"last tram": script}) as server:
        bench = bench_at(server)
        bench.offers_token = True
        with pytest.raises(CannotTell, match="no continuationToken came before the cut"):
            await TRIALS["native"](bench)
