"""The stream machine, by playbooks: how a broken answer goes on, and where it joins."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gemproxy.core.errors import Unrepaired
from gemproxy.core.repair.attempt import Plan
from gemproxy.core.repair.continuation import Form
from gemproxy.core.repair.engine import State
from gemproxy.core.repair.events import (
    Cause,
    Ended,
    Fail,
    Finish,
    GaveUp,
    How,
    Opened,
    Rejected,
    Resume,
    Turn,
)
from gemproxy.core.repair.machine import StreamMachine
from gemproxy.core.repair.request import StreamRequest
from tests.gemini import BODY, REQUEST, Json, chunk, received, sse, text_of
from tests.playbook import Playbook, Said, Seen, said
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
    WHOLE,
    anchor_of,
    broken_after,
    emits,
    machine,
    opened,
    part_frame,
    says,
    showing,
)

# -- text: resume --------------------------------------------------------------------------


def test_a_resumed_answer_that_echoes_is_joined_behind_the_anchor() -> None:
    stream = machine()
    assert broken_after(stream, usage=(4, 20))
    assert stream.plan is Plan.TEXT
    anchor = anchor_of(stream)
    assert STORY.endswith(anchor)

    assert (
        opened(stream)
        >> received(chunk(anchor[:10], response_id="second"))
        >> received(chunk(anchor[10:] + REST, response_id="second"))
        << says(REST, responseId="first")
        >> received(chunk(" The end.", finish="STOP", usage=(60, 20), response_id="second"))
        >> EOF
        << says(" The end.", responseId="first")
        << Finish()
    )
    assert stream.transcript.text == STORY + REST + " The end."


def test_a_resumed_answer_that_just_goes_on_is_joined_at_once() -> None:
    stream = machine()
    assert broken_after(stream)

    assert opened(stream) >> received(chunk(REST)) << says(REST)


def test_the_continuation_adds_two_turns_and_touches_nothing_else() -> None:
    request = {
        **REQUEST,
        "systemInstruction": "Be brief.",
        "tools": [{"googleSearch": {}}],
        "cachedContent": "cachedContents/1",
        "generationConfig": {"temperature": 0.7, "maxOutputTokens": 1000},
    }
    stream = machine(request)
    assert broken_after(stream, usage=(4, 20))

    body = json.loads(stream.next_request)

    assert body["contents"][:-2] == REQUEST["contents"]
    assert body["contents"][-2] == {"role": "model", "parts": [{"text": STORY}]}
    assert body["contents"][-1]["role"] == "user"
    assert 980 <= body["generationConfig"].pop("maxOutputTokens") < 1000
    assert body["generationConfig"] == {"temperature": 0.7}
    for name in ("systemInstruction", "tools", "cachedContent"):
        assert body[name] == request[name]


def test_usage_is_merged_over_the_attempts() -> None:
    stream = machine()
    assert broken_after(stream, usage=(4, 20))
    anchor = anchor_of(stream)
    text = anchor + " " + anchor

    assert (
        opened(stream)
        >> received(chunk(text, finish="STOP", usage=(60, 20)))
        >> EOF
        << (lambda action: isinstance(action, Said))
        << Finish()
    )
    billed = stream.tally.billed
    assert (billed.prompt, billed.output, billed.total) == (64, 40, 104)


def test_thoughts_of_a_resumed_attempt_are_swallowed_part_by_part() -> None:
    stream = machine()
    assert broken_after(stream)

    assert (
        opened(stream)
        >> received(part_frame(THOUGHT))
        >> received(part_frame(THOUGHT, {"text": REST}, THOUGHT))
        << says(REST)
    )


def test_a_cut_while_the_seam_is_open_discards_what_is_held() -> None:
    stream = machine()
    assert broken_after(stream)
    anchor = anchor_of(stream)

    assert opened(stream) >> received(chunk(anchor[:20])) >> EOF << Resume(Cause.DROP)
    assert stream.transcript.text == STORY


CLOSED = STORY + ", and there it stayed."
"""A text that ends where an answer may end; ``STORY`` stops inside a sentence."""

NOTHING_NEW: dict[str, Callable[[str], list[Json]]] = {
    "nothing": lambda _: [chunk("", finish="STOP")],
    "thoughts": lambda _: [part_frame(THOUGHT), chunk("", finish="STOP")],
    "the anchor": lambda anchor: [chunk(anchor, finish="STOP")],
    "a full stop": lambda anchor: [chunk(anchor), chunk("."), chunk("", finish="STOP")],
    "our marks": lambda anchor: [chunk(f"<<<{anchor}>>>"), chunk("", finish="STOP")],
}

HALF_THE_ANCHOR = "half the anchor"
"""Text that may be half a repetition or the rest of the answer."""

STOPS: dict[str, Callable[[str], list[Json]]] = {
    **NOTHING_NEW,
    HALF_THE_ANCHOR: lambda anchor: [chunk(anchor[:20], finish="STOP")],
}


def stops(stream: StreamMachine, kind: str) -> Playbook:
    """Play an attempt that says STOP and brings nothing new."""
    play = opened(stream)
    for frame in STOPS[kind](anchor_of(stream)):
        play = play >> received(frame)
    return play >> EOF


@pytest.mark.parametrize("kind", STOPS)
def test_a_stop_without_new_text_is_asked_again_in_another_form(kind: str) -> None:
    stream = machine()
    assert broken_after(stream, CLOSED)
    first = json.loads(stream.next_request)

    assert stops(stream, kind) << Resume(Cause.EMPTY)

    second = json.loads(stream.next_request)
    assert [len(body["contents"]) for body in (first, second)] == [3, 2]
    assert stream.transcript.text == CLOSED


@pytest.mark.parametrize("kind", NOTHING_NEW)
def test_two_forms_that_stop_without_new_text_end_a_text_that_is_closed(kind: str) -> None:
    stream = machine()
    assert broken_after(stream, CLOSED)

    assert stops(stream, kind) << Resume(Cause.EMPTY)
    assert stops(stream, kind) << says("") << Finish()
    assert stream.finish_reason == "STOP"
    assert stream.transcript.text == CLOSED


def test_a_line_end_behind_a_text_that_is_closed_is_the_answers_own() -> None:
    stream = machine()
    assert broken_after(stream, CLOSED)

    for _ in range(2):
        stream.receive(Opened())
        stream.receive(received(chunk(anchor_of(stream) + "\n", finish="STOP")))
        actions = stream.receive(EOF)

    assert isinstance(actions[-1], Finish)
    assert stream.transcript.text == CLOSED + "\n"


@pytest.mark.parametrize("kind", STOPS)
@pytest.mark.parametrize("text", [STORY, STORY + " in 3.", STORY + " (see.", STORY + "\n"])
def test_no_stop_without_new_text_ends_a_text_that_is_open(kind: str, text: str) -> None:
    stream = machine()
    assert broken_after(stream, text)

    for _ in range(2):
        assert stops(stream, kind) << Resume(Cause.EMPTY)
    assert stops(stream, kind) << Fail(Unrepaired(""))
    assert stream.transcript.text == text


@pytest.mark.parametrize("kinds", [(HALF_THE_ANCHOR,) * 3, (HALF_THE_ANCHOR, "nothing", "nothing")])
def test_no_clean_end_follows_text_that_was_dropped(kinds: tuple[str, ...]) -> None:
    stream = machine()
    assert broken_after(stream, CLOSED)

    for kind in kinds[:-1]:
        assert stops(stream, kind) << Resume(Cause.EMPTY)
    assert stops(stream, kinds[-1]) << Fail(Unrepaired(""))


LISTED = (
    "Once upon 0 a time 1 there was 2 a lamp 3 and 4 a fox 5 at 6 the 7 edge 8 of 9 a deep "
    "10 forest 11 harbour 12 quickly 13 counts 14 north 15 never 16 three 17 Ada 18 fox 19 \n\n-  2"
)
REFRAIN = "So it goes. Nobody had seen the fox."


@pytest.mark.parametrize(
    ("text", "rest"),
    [(LISTED, "1"), (REFRAIN, " So it goes."), ("**Once upon a time there was a fox.", "**")],
)
def test_a_short_rest_that_begins_like_the_anchor_is_joined_when_two_forms_agree(
    text: str, rest: str
) -> None:
    stream = machine()
    assert broken_after(stream, text)
    assert anchor_of(stream).startswith(rest.strip())

    for _ in range(2):
        stream.receive(Opened())
        stream.receive(received(chunk(rest, finish="STOP")))
        actions = stream.receive(EOF)

    assert isinstance(actions[-1], Finish)
    assert (text_of(said(actions)), stream.transcript.text) == (rest, text + rest)


def test_two_forms_that_bring_other_halves_of_the_anchor_agree_on_nothing() -> None:
    stream = machine()
    assert broken_after(stream, CLOSED)

    for length in (4, 6):
        text = anchor_of(stream)[:length]
        assert opened(stream) >> received(chunk(text, finish="STOP")) >> EOF << Resume(Cause.EMPTY)


@pytest.mark.parametrize(("text", "ending"), [(CLOSED, Finish), (STORY, Fail)])
def test_without_retries_a_stop_without_new_text_is_judged_at_once(text: str, ending: Any) -> None:
    stream = machine(empty_stop_retries=0)
    assert broken_after(stream, text)

    stream.receive(Opened())
    stream.receive(received(chunk("", finish="STOP")))

    assert isinstance(stream.receive(EOF)[-1], ending)


def test_a_resumed_attempt_with_new_text_behind_a_full_stop_is_new() -> None:
    stream = machine()
    assert broken_after(stream)

    assert (
        opened(stream)
        >> received(chunk(anchor_of(stream)))
        >> received(chunk("."))
        >> received(chunk(" So it", finish="STOP"))
        >> EOF
        << says(". So it")
        << Finish()
    )


def test_a_bad_finish_reason_lets_its_text_out_without_the_reason() -> None:
    stream = machine()

    assert (
        opened(stream)
        >> received(chunk(STORY, finish="OTHER"))
        >> EOF
        << (lambda a: isinstance(a, Said) and b"OTHER" not in a.raw and text_of(a.raw) == STORY)
        << Resume(Cause.BAD_FINISH)
        >> Opened()
        >> received(chunk(REST, finish="STOP"))
        >> EOF
        << says(REST)
        << Finish()
    )


def test_an_error_in_the_stream_resumes_it() -> None:
    error = {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}

    first = chunk(STORY)
    assert showing(first) >> received(error) << Resume(Cause.ERROR_FRAME)


def test_one_end_of_a_restart_that_differs_drops_the_attempt() -> None:
    stream = machine()
    assert broken_after(stream, STORY + REST)
    other = STORY[:50] + " nothing like the other one, and so it goes" * 9

    assert opened(stream) >> received(chunk(other)) << Resume(Cause.DIVERGED)


TURN = "Requests ending with a model turn are not supported."


def refused(message: str = TURN, status: int = 400) -> Rejected:
    return Rejected(status, json.dumps({"error": {"code": status, "message": message}}).encode())


def test_the_ladder_of_forms_ends_loudly_with_the_reason() -> None:
    stream = machine()
    play = broken_after(stream)
    for _ in range(2):
        play = play >> refused() << Resume(Cause.REFUSED, at_once=True)

    assert play >> refused() << fails_with(TURN)


def fails_with(reason: str) -> Any:
    """Expect an error that shows the client ``reason``."""

    def check(action: Seen) -> bool:
        return isinstance(action, Fail) and reason in action.error.payload()["error"]["message"]

    return check


def test_a_refusal_that_is_not_about_the_form_ends_with_its_reason() -> None:
    stream = machine()
    reason = "The input token count exceeds the maximum."

    assert broken_after(stream) >> refused(reason) << fails_with(reason)
    assert stream.lesson is None


def test_a_form_that_was_accepted_after_a_refusal_is_a_lesson() -> None:
    stream = machine()
    assert (
        broken_after(stream)
        >> refused()
        << Resume(Cause.REFUSED, at_once=True)
        >> Opened()
        >> received(chunk(REST, finish="STOP"))
        >> EOF
        << says(REST)
        << Finish()
    )

    assert stream.lesson is Form.QUOTED


def test_after_a_divergence_the_other_form_is_asked() -> None:
    stream = machine()
    assert broken_after(stream, STORY + REST)
    turns = []
    for _ in range(3):
        turns.append(len(json.loads(stream.next_request)["contents"]))
        assert opened(stream) >> received(chunk(OTHER_STORY)) << Resume(Cause.DIVERGED)

    assert turns == [3, 2, 3]
    assert stream.lesson is None


@pytest.mark.parametrize("message", [TURN, "Something else."])
def test_a_refusal_of_a_form_reached_by_divergence_leads_back(message: str) -> None:
    stream = machine()
    assert (
        broken_after(stream, STORY + REST)
        >> Opened()
        >> received(chunk(OTHER_STORY))
        << Resume(Cause.DIVERGED)
        >> refused(message)
        << Resume(Cause.REFUSED, at_once=True)
    )

    assert len(json.loads(stream.next_request)["contents"]) == 3
    assert (
        opened(stream)
        >> received(chunk(" And so on.", finish="STOP"))
        >> EOF
        << says(" And so on.")
        << Finish()
    )
    assert stream.lesson is None


def test_a_model_is_asked_in_the_form_that_it_is_known_to_take() -> None:
    stream = machine(first_form=Form.QUOTED)
    assert broken_after(stream)

    assert [turn["role"] for turn in json.loads(stream.next_request)["contents"]] == [
        "user",
        "user",
    ]


def test_giving_up_after_text_is_loud() -> None:
    stream = machine()

    assert broken_after(stream) >> GaveUp("budget") << Fail(Unrepaired(""))
    assert stream.state is State.FAILED


def test_a_text_too_short_for_an_anchor_is_asked_for_again() -> None:
    stream = machine()
    assert broken_after(stream, "The")
    assert (stream.plan, stream.next_request) == (Plan.REPLAY, BODY)

    assert (
        opened(stream)
        >> received(chunk("T"))
        >> received(chunk("he capital"))
        << says(" capital")
        >> received(chunk(" is Paris.", finish="STOP"))
        >> EOF
        << says(" is Paris.")
        << Finish()
    )


def test_a_replay_that_ends_with_what_the_client_has_completes_it() -> None:
    stream = machine()

    assert (
        broken_after(stream, "Yes")
        >> Opened()
        >> received(chunk("Yes", finish="STOP"))
        >> EOF
        << says("")
        << Finish()
    )


@pytest.mark.parametrize("frame", [chunk("An"), chunk("Th", finish="STOP")])
def test_a_replay_that_differs_is_followed_by_a_continuation(frame: Json) -> None:
    stream = machine()
    play = broken_after(stream, "The") >> Opened() >> received(frame)
    stream_ended = frame["candidates"][0].get("finishReason")
    play = play >> EOF if stream_ended else play

    assert play << Resume(Cause.DIVERGED)
    assert stream.plan is Plan.TEXT


def test_a_request_with_server_tools_is_not_replayed_behind_text() -> None:
    stream = machine({**REQUEST, "tools": [{"googleSearch": {}}]})
    assert broken_after(stream, "The")

    assert stream.plan is Plan.TEXT


# -- calls, images, documents --------------------------------------------------------------


def test_a_call_is_held_until_the_turn_ends() -> None:
    text, call, last = chunk(STORY), part_frame(CALL), chunk("", finish="STOP")

    assert (
        showing(text)
        >> received(call)
        >> received(last)
        >> EOF
        << Said(sse(call) + sse(last))
        << Finish()
    )


def test_a_cut_turn_with_a_held_call_is_repaired_as_if_none_was_made() -> None:
    text = chunk(STORY)
    call = part_frame(CALL, response_id="second", finish="STOP")

    assert (
        showing(text)
        >> received(part_frame(CALL))
        >> RESET
        << Resume(Cause.DROP)
        >> Opened()
        >> received(call)
        >> EOF
        << (lambda a: isinstance(a, Said) and a.raw.count(b"functionCall") == 1)
        << Finish()
    )


def test_a_call_sent_at_once_makes_a_later_cut_loud() -> None:
    call = part_frame(CALL)

    assert showing(call, machine(hold_calls=False)) >> RESET << Fail(Unrepaired(""))


@pytest.mark.parametrize(
    "part", [IMAGE, {"executableCode": {"code": "1"}}, {"toolCall": {}}, {"unheardOf": 1}]
)
def test_what_text_cannot_continue_fails_loudly_once_it_is_out(part: Json) -> None:
    frame = part_frame(part)

    assert showing(frame) >> RESET << Fail(Unrepaired(""))


def test_several_candidates_fail_loudly_once_they_are_out() -> None:
    frame = {"candidates": [*chunk("a")["candidates"], {"index": 1}]}

    assert showing(frame) >> RESET << Fail(Unrepaired(""))


def test_a_resumed_document_is_held_to_its_end_and_checked() -> None:
    stream = machine(JSON_REQUEST)
    assert broken_after(stream, HALF)

    assert (
        opened(stream)
        >> received(chunk("est"))
        >> received(chunk('"}', finish="STOP"))
        >> EOF
        << says('est"}')
        << Finish()
    )
    assert stream.transcript.text == WHOLE


def test_a_resumed_document_that_does_not_parse_is_dropped() -> None:
    stream = machine(JSON_REQUEST)

    assert (
        broken_after(stream, HALF)
        >> Opened()
        >> received(chunk("est", finish="STOP"))
        >> EOF
        << Resume(Cause.INVALID)
    )


@pytest.mark.parametrize(
    "behind",
    [received({"error": {"code": 503}}), EOF, Ended(How.GARBLED)],
    ids=["error", "end", "garbled"],
)
def test_a_large_document_is_told_to_its_end_whatever_comes_behind_an_error(behind: Any) -> None:
    whole = json.dumps([f"value {number} of a long list" for number in range(100)])
    stream = machine(JSON_REQUEST)
    assert broken_after(stream, whole[:400])
    stream.receive(Opened())
    for at in range(400, len(whole), 20):
        stream.receive(received(chunk(whole[at : at + 20])))
    stream.receive(received(chunk("", finish="STOP")))
    stream.receive(received({"error": {"code": 503}}))

    actions = list(stream.receive(behind))
    while stream.judging:
        actions += stream.receive(Turn())

    assert actions[-1] == Finish()
    assert stream.transcript.text == whole


def test_a_body_that_is_no_json_can_be_replayed_but_not_resumed() -> None:
    def stream() -> StreamMachine:
        return StreamMachine(StreamRequest(b"{broken"))

    first = chunk(STORY)
    assert Playbook(stream()) >> Opened() >> EOF << Resume(Cause.DROP)
    assert (
        Playbook(stream())
        >> Opened()
        >> received(first)
        << emits(first)
        >> EOF
        << Fail(Unrepaired(""))
    )


# -- Gemini's own continuation -------------------------------------------------------------


def test_a_checkpoint_is_resumed_natively_and_what_the_client_has_is_swallowed() -> None:
    stream = machine()
    first, second = chunk(STORY, token="t1"), chunk(" and nobody")
    assert (
        showing(first, stream) >> received(second) << emits(second) >> RESET << Resume(Cause.DROP)
    )
    assert json.loads(stream.next_request) == {**REQUEST, "continuationToken": "t1"}

    assert (
        opened(stream)
        >> received(chunk(" and no"))
        >> received(chunk("body had ever seen it.", finish="STOP"))
        >> EOF
        << says(" had ever seen it.", responseId="first")
        << Finish()
    )


def test_a_native_continuation_that_differs_falls_back_to_text() -> None:
    stream = machine()
    first, second = chunk(STORY, token="t1"), chunk(" and nobody")
    assert (
        showing(first, stream)
        >> received(second)
        << emits(second)
        >> RESET
        << Resume(Cause.DROP)
        >> Opened()
        >> received(chunk(" but everybody"))
        << Resume(Cause.DIVERGED)
    )
    assert stream.plan is Plan.TEXT
    assert "continuationToken" not in json.loads(stream.next_request)


def test_tokens_after_a_text_resume_are_stripped() -> None:
    stream = machine()
    assert broken_after(stream)

    assert (
        opened(stream)
        >> received(chunk(REST, token="t2"))
        << (lambda a: isinstance(a, Said) and b"continuationToken" not in a.raw)
        >> RESET
        << Resume(Cause.DROP)
    )
    assert stream.plan is Plan.TEXT


def test_a_continuation_reason_is_followed_natively() -> None:
    stream = machine()

    assert (
        opened(stream)
        >> received(chunk(STORY, finish="CONTINUATION", token="t1"))
        >> EOF
        << (lambda a: isinstance(a, Said) and b"CONTINUATION" not in a.raw)
        << Resume(Cause.CONTINUATION, at_once=True)
        >> Opened()
        >> received(chunk(REST, finish="STOP"))
        >> EOF
        << says(REST)
        << Finish()
    )
    assert stream.transcript.text == STORY + REST


def test_thoughts_that_end_in_a_token_are_gone_on_from_it() -> None:
    stream = machine()
    thought = part_frame(THOUGHT)

    assert (
        showing(thought, stream)
        >> received(chunk("", finish="CONTINUATION", token="t1"))
        >> EOF
        << Said
        << Resume(Cause.CONTINUATION, at_once=True)
    )
    assert json.loads(stream.next_request)["continuationToken"] == "t1"
    assert stream.progress == 1

    assert opened(stream) >> received(chunk(STORY, finish="STOP")) >> EOF << says(STORY) << Finish()


@pytest.mark.parametrize("part", [IMAGE, {"executableCode": {"code": "1"}}])
def test_what_text_cannot_continue_is_continued_from_a_token_behind_it(part: Json) -> None:
    stream = machine()
    frame, last = part_frame(part), chunk("", finish="CONTINUATION", token="t1")

    assert (
        showing(frame, stream)
        >> received(last)
        >> EOF
        << (lambda a: isinstance(a, Said) and b"CONTINUATION" not in a.raw)
        << Resume(Cause.CONTINUATION, at_once=True)
    )
    assert stream.plan is Plan.NATIVE


def test_a_drop_behind_a_checkpoint_is_resumed_from_it_whatever_went_out_before() -> None:
    stream = machine()
    image, mark = part_frame(IMAGE), chunk(" So", token="t1")

    assert showing(image, stream) >> received(mark) << emits(mark) >> RESET << Resume(Cause.DROP)
    assert stream.plan is Plan.NATIVE


def test_an_image_behind_the_checkpoint_makes_a_drop_loud() -> None:
    mark, image = chunk("", token="t1"), part_frame(IMAGE)

    assert showing(mark) >> received(image) << emits(image) >> RESET << Fail(Unrepaired(""))


def test_a_continuation_that_cannot_be_followed_passes_with_its_frames() -> None:
    mark, image = chunk("", token="t1"), part_frame(IMAGE)
    last = chunk("", finish="CONTINUATION", usage=(3, 4))

    assert (
        showing(mark)
        >> received(image)
        << emits(image)
        >> received(last)
        >> EOF
        << emits(last)
        << Finish()
    )


def test_tokens_that_bring_no_text_are_followed_twenty_times() -> None:
    stream = machine()
    last = chunk("", finish="CONTINUATION", token="t")
    hops = 0
    while True:
        stream.receive(Opened())
        stream.receive(received(last))
        actions = stream.receive(EOF)
        if isinstance(actions[-1], Finish):
            break
        hops += 1

    assert hops == 20
    assert b"CONTINUATION" in said(actions)


def test_text_is_continued_by_a_model_that_may_write() -> None:
    calling = {"mode": "ANY", "allowedFunctionNames": ["look"]}
    stream = machine({**REQUEST, "toolConfig": {"functionCallingConfig": calling}})
    assert broken_after(stream)

    asked = json.loads(stream.next_request)
    assert asked["toolConfig"] == {"functionCallingConfig": {"mode": "AUTO"}}
