"""The stream machine, by playbooks: what becomes of an attempt that is over."""

from typing import Any

import pytest

from gemproxy.core.errors import BadEnding, Blocked, Unrepaired
from gemproxy.core.repair.engine import Patience
from gemproxy.core.repair.events import (
    Action,
    Cause,
    Ended,
    Fail,
    Finish,
    GaveUp,
    How,
    Opened,
    Rejected,
    Resume,
)
from gemproxy.core.repair.machine import StreamMachine
from tests.gemini import REQUEST, Json, chunk, documents, received, sse
from tests.playbook import Said, Seen, said, seen
from tests.streams import (
    CALL,
    EOF,
    HALF,
    IMAGE,
    JSON_REQUEST,
    OTHER_STORY,
    RESET,
    REST,
    STORY,
    THOUGHT,
    anchor_of,
    broken_after,
    emits,
    machine,
    opened,
    part_frame,
    says,
    showing,
)

# -- endings that are not accepted ---------------------------------------------------------

AUDIO = {"inlineData": {"mimeType": "audio/pcm", "data": "AAAA"}}


@pytest.mark.parametrize("part", [AUDIO, IMAGE, {"executableCode": {"code": "1"}}])
@pytest.mark.parametrize("reason", ["OTHER", "MALFORMED_RESPONSE"])
def test_an_ending_behind_what_cannot_be_continued_passes_as_it_came(
    part: Json, reason: str
) -> None:
    frame, last = part_frame(part), chunk(finish=reason, usage=(5, 900))
    last["candidates"][0]["finishMessage"] = "Too long."
    stream = machine()

    assert showing(frame, stream) >> received(last) >> EOF << emits(last) << Finish()
    assert stream.finish_reason == reason


def test_a_frame_with_audio_and_its_ending_passes_as_it_came() -> None:
    last = part_frame(AUDIO, finish="OTHER")

    assert opened() >> received(last) >> EOF << emits(last) << Finish()


def test_an_ending_passes_when_no_attempt_betters_it() -> None:
    stream = machine()
    last = chunk(STORY, finish="OTHER", usage=(5, 20))

    def ends(action: Seen) -> bool:
        if not isinstance(action, Said):
            return False
        (told,) = documents(action.raw)
        (candidate,) = told["candidates"]
        return (
            candidate["finishReason"] == "OTHER"
            and not candidate.get("content", {}).get("parts")
            and told["usageMetadata"]["candidatesTokenCount"] == 20
        )

    assert (
        opened(stream)
        >> received(last)
        >> EOF
        << says(STORY)
        << Resume(Cause.BAD_FINISH)
        >> GaveUp("budget")
        << ends
        << Finish()
    )


def test_an_ending_with_text_behind_it_is_not_passed() -> None:
    stream = machine()
    assert (
        opened(stream)
        >> received(chunk(STORY, finish="OTHER"))
        >> EOF
        << says(STORY)
        << Resume(Cause.BAD_FINISH)
        >> Opened()
        >> received(chunk(REST))
        << says(REST)
        >> RESET
        << Resume(Cause.DROP)
        >> GaveUp("budget")
        << Fail(Unrepaired(""))
    )


@pytest.mark.parametrize("event", [Rejected(503, b"{}"), Rejected(400, b"{}"), Ended(How.RESET)])
def test_an_empty_stop_passes_when_only_errors_follow_it(event: Any) -> None:
    stream = machine()
    empty = chunk("", finish="STOP")
    stream.receive(Opened())
    stream.receive(received(empty))
    stream.receive(EOF)
    actions = stream.receive(event)
    if isinstance(actions[-1], Resume):
        actions = stream.receive(GaveUp("budget"))

    assert seen(actions) == [emits(empty), Finish()]


def test_an_ending_that_is_passed_has_the_name_that_the_client_knows() -> None:
    stream = machine()
    thought = part_frame(THOUGHT, response_id="second")

    assert (
        opened(stream)
        >> received(chunk("", finish="STOP", response_id="first"))
        >> EOF
        << Resume(Cause.EMPTY)
        >> Opened()
        >> received(thought)
        << emits(thought)
        >> RESET
        << Resume(Cause.DROP)
        >> GaveUp("budget")
        << says("", responseId="second")
        << Finish()
    )


@pytest.mark.parametrize("reason", ["SAFETY", "MAX_TOKENS", "MALFORMED_FUNCTION_CALL", "NEW"])
@pytest.mark.parametrize("length", [1, 12, 30])
def test_half_an_echo_is_dropped_and_its_ending_passes(reason: str, length: int) -> None:
    stream = machine()
    assert broken_after(stream)
    text = anchor_of(stream)[:length]

    assert opened(stream) >> received(chunk(text, finish=reason)) >> EOF << says("") << Finish()
    assert stream.finish_reason == reason
    assert stream.transcript.text == STORY


@pytest.mark.parametrize("reason", ["SAFETY", "MAX_TOKENS"])
def test_text_that_may_be_a_repetition_is_dropped_before_an_ending_that_passes(reason: str) -> None:
    stream = machine()
    assert broken_after(stream)

    assert opened(stream) >> received(chunk("green", finish=reason)) >> EOF << says("") << Finish()


@pytest.mark.parametrize("reason", ["OTHER", "CONTINUATION"])
def test_half_an_echo_with_an_ending_that_is_none_is_asked_again(reason: str) -> None:
    stream = machine()
    assert broken_after(stream)

    assert (
        opened(stream)
        >> received(chunk(anchor_of(stream)[:20], finish=reason))
        >> EOF
        << Resume(Cause.BAD_FINISH)
    )


@pytest.mark.parametrize("reason", ["SAFETY", "IMAGE_OTHER", "PROHIBITED_CONTENT"])
def test_a_policy_ending_of_another_story_passes(reason: str) -> None:
    stream = machine()
    assert broken_after(stream, STORY + REST)

    assert (
        opened(stream) >> received(chunk(OTHER_STORY, finish=reason)) >> EOF << says("") << Finish()
    )
    assert stream.finish_reason == reason


def test_a_policy_ending_of_a_native_continuation_passes() -> None:
    stream = machine()
    first, second = chunk(STORY, token="t1"), chunk(REST)
    play = opened(stream)
    for frame in (first, second):
        play = play >> received(frame) << emits(frame)

    assert (
        play
        >> RESET
        << Resume(Cause.DROP)
        >> Opened()
        >> received(chunk(REST[:5], finish="SAFETY"))
        >> EOF
        << says("")
        << Finish()
    )


def test_no_attempt_follows_a_policy_reason_that_was_revoked() -> None:
    safety, more = chunk(STORY, finish="SAFETY"), chunk(REST)

    assert (
        opened()
        >> received(safety)
        >> received(more)
        << Said(sse(safety) + sse(more))
        >> RESET
        << Fail(Unrepaired(""))
    )


def test_no_earlier_ending_takes_the_place_of_a_policy_reason_that_was_revoked() -> None:
    empty, safety = chunk("", finish="STOP"), part_frame(THOUGHT, finish="SAFETY")
    more = part_frame(THOUGHT)

    assert (
        opened()
        >> received(empty)
        >> EOF
        << Resume(Cause.EMPTY)
        >> Opened()
        >> received(safety)
        >> received(more)
        << Said(sse(safety) + sse(more))
        >> RESET
        << Fail(Unrepaired(""))
    )


@pytest.mark.parametrize("calls", [False, True])
def test_an_error_behind_a_reason_is_judged_and_never_shown(calls: bool) -> None:
    stream = machine()
    assert broken_after(stream)
    error = received({"error": {"code": 503, "message": "overloaded"}})
    parts = [{"text": anchor_of(stream)}, *([CALL] if calls else [{"text": REST}])]

    assert (
        opened(stream)
        >> received(part_frame(*parts, finish="STOP"))
        >> error
        << (lambda a: isinstance(a, Said) and b"overloaded" not in a.raw)
        << Finish()
    )


def test_an_error_behind_a_reason_is_judged_while_the_attempt_is_joined() -> None:
    stream = machine()
    assert broken_after(stream)

    assert (
        opened(stream)
        >> received(chunk(anchor_of(stream)[:20], finish="MAX_TOKENS"))
        >> received({"error": {"code": 503}})
        << says("")
        << Finish()
    )


BLOCK = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}


def test_a_block_of_a_resumed_attempt_is_loud_and_not_asked_again() -> None:
    stream = machine()

    assert broken_after(stream) >> Opened() >> received(BLOCK) >> EOF << Fail(Blocked(""))


def test_a_block_behind_text_is_loud() -> None:
    first = chunk(STORY)

    assert showing(first) >> received(BLOCK) >> EOF << emits(BLOCK) << Fail(Blocked(""))


@pytest.mark.parametrize("request_", [REQUEST, JSON_REQUEST])
def test_a_block_with_a_stop_completes_no_text(request_: Json) -> None:
    stream = machine(request_)
    assert broken_after(stream, HALF)

    assert (
        opened(stream)
        >> received({**chunk("", finish="STOP"), **BLOCK})
        >> EOF
        << Fail(Blocked(""))
    )


def test_a_stop_behind_a_policy_reason_completes_no_half_a_document() -> None:
    stream = machine(JSON_REQUEST)
    assert broken_after(stream, HALF)

    assert (
        opened(stream)
        >> received(chunk("e", finish="SAFETY"))
        >> received(chunk("st"))
        >> received(chunk("", finish="STOP"))
        >> EOF
        << Fail(Blocked(""))
    )


def test_giving_up_behind_a_reason_judges_it_first() -> None:
    last = chunk(STORY, finish="STOP")

    assert (
        opened() >> received(last) >> GaveUp("it is larger than 1 byte") << emits(last) << Finish()
    )


# -- several candidates --------------------------------------------------------------------


def candidates(*said: tuple[int, str | None, str | None]) -> Json:
    """Return a frame of candidates: index, text, finishReason."""
    return {
        "candidates": [
            {
                "index": index,
                **({"content": {"parts": [{"text": text}], "role": "model"}} if text else {}),
                **({"finishReason": reason} if reason else {}),
            }
            for index, text, reason in said
        ]
    }


TWO = {**REQUEST, "generationConfig": {"candidateCount": 2}}

BEGUN = [candidates((0, "a", None)), candidates((1, "b", None))]


def plays(stream: StreamMachine, *frames: Json) -> list[Action]:
    """Return what a stream of these frames comes to, up to its clean end."""
    actions = [*stream.receive(Opened())]
    for frame in frames:
        actions += stream.receive(received(frame))
    return [*actions, *stream.receive(EOF)]


@pytest.mark.parametrize(
    "frames",
    [
        [*BEGUN, candidates((0, None, "STOP"))],
        [*BEGUN, candidates((0, "a", "STOP"))],
        [*BEGUN, candidates((1, None, "STOP"))],
        [candidates((0, "a", None), (1, "b", None)), candidates((0, None, "STOP"))],
        [candidates((0, "a", "STOP"), (1, "b", None))],
        [candidates((0, "a", None), (1, "b", "MAX_TOKENS"))],
        [chunk("a"), candidates((1, "b", "STOP"))],
        [*BEGUN, candidates((0, None, "STOP"), (1, None, "STOP")), BEGUN[1]],
    ],
)
@pytest.mark.parametrize("request_", [TWO, None])
def test_a_candidate_without_a_reason_makes_the_end_loud(
    frames: list[Json], request_: Json | None
) -> None:
    stream = machine(request_)

    assert isinstance(plays(stream, *frames)[-1], Fail)


@pytest.mark.parametrize(
    "frames",
    [
        [*BEGUN, candidates((0, None, "STOP")), candidates((1, "c", "STOP"))],
        [candidates((0, "a", "STOP"), (1, "b", "STOP"))],
        [candidates((0, "a", "STOP")), candidates((1, "b", "OTHER"))],
        [candidates((0, "a", "OTHER")), candidates((1, "b", "OTHER"))],
        [chunk("a"), chunk("", finish="STOP"), candidates((1, "b", "MAX_TOKENS"))],
        [candidates((0, "a", "STOP"))],
    ],
)
def test_candidates_with_a_reason_each_are_whole(frames: list[Json]) -> None:
    actions = plays(machine(TWO), *frames)

    assert isinstance(actions[-1], Finish)
    raw = said(actions)
    assert raw == sse(*frames)


@pytest.mark.parametrize("first", [(), ((0, "a", "OTHER"),)], ids=["alone", "with the first"])
def test_the_reason_of_another_candidate_is_told_behind_an_interruption(
    first: tuple[tuple[int, str, str], ...],
) -> None:
    stream = machine(TWO)
    thought = part_frame(THOUGHT)
    stream.receive(Opened())
    stream.receive(received(thought))
    stream.receive(RESET)

    actions = plays(stream, candidates(*first, (1, "b", "OTHER")))

    assert actions[-1] == Finish()
    raw = said(actions)
    heard = [candidate for told in documents(raw) for candidate in told["candidates"]]
    assert [c["index"] for c in heard if c.get("finishReason") == "OTHER"] == [
        *(index for index, _, _ in first),
        1,
    ]


def test_a_candidate_that_never_came_counts_where_the_body_has_no_end() -> None:
    stream = machine(TWO)
    stream.receive(Opened())
    for text, reason in (("a", None), ("b", "STOP")):
        stream.receive(received(candidates((0, text, reason))))
    assert stream.patience is Patience.CHUNK

    assert isinstance(stream.receive(RESET)[-1], Fail)


def test_a_candidate_that_never_came_is_counted() -> None:
    stream = machine(TWO)
    plays(stream, candidates((0, "a", "STOP")))

    assert stream.missing_candidates == 1


# -- endings that the client's dialect has no word for ---------------------------------------

NO_WORDS = frozenset({"MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE"})


def fails_for(reason: str) -> Any:
    def check(action: Seen) -> bool:
        return (
            isinstance(action, Fail)
            and isinstance(action.error, BadEnding)
            and action.error.reason == reason
        )

    return check


def test_a_call_that_stays_malformed_fails_behind_the_last_replay() -> None:
    stream = machine(failures=NO_WORDS)
    last = chunk(finish="MALFORMED_FUNCTION_CALL")
    for _ in range(2):
        assert opened(stream) >> received(last) >> EOF << Resume(Cause.BAD_FINISH)

    assert opened(stream) >> received(last) >> EOF << fails_for("MALFORMED_FUNCTION_CALL")
    assert stream.finish_reason == "MALFORMED_FUNCTION_CALL"


def test_nothing_that_is_held_goes_out_before_an_ending_without_a_word() -> None:
    stream = machine(failures=NO_WORDS)
    last = part_frame(CALL, finish="MALFORMED_FUNCTION_CALL")

    assert (
        showing(chunk("a"), stream) >> received(last) >> EOF << fails_for("MALFORMED_FUNCTION_CALL")
    )


@pytest.mark.parametrize("policy", [{}, {"repair": False}])
def test_an_ending_that_cannot_be_told_fails_with_and_without_repair(policy: Json) -> None:
    frame, last = part_frame(AUDIO), chunk(finish="MALFORMED_RESPONSE")
    stream = machine(failures=NO_WORDS, **policy)
    play = showing(frame, stream) >> received(last)
    if policy:
        play = play << emits(last)

    assert play >> EOF << fails_for("MALFORMED_RESPONSE")


def test_an_ending_that_was_kept_fails_when_no_attempt_betters_it() -> None:
    stream = machine(failures=NO_WORDS)

    assert (
        opened(stream)
        >> received(chunk(STORY, finish="MALFORMED_RESPONSE"))
        >> EOF
        << says(STORY)
        << Resume(Cause.BAD_FINISH)
        >> GaveUp("budget")
        << fails_for("MALFORMED_RESPONSE")
    )


def test_other_endings_pass_as_before() -> None:
    last = chunk("a", finish="MAX_TOKENS")
    stream = machine(failures=NO_WORDS)

    assert opened(stream) >> received(last) >> EOF << emits(last) << Finish()
