"""The stream machine, by playbooks: what it answers to what the world does."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gemproxy.core.answer.chunk import SILENT
from gemproxy.core.errors import Blocked, NoFirstByte, Unreachable, Unrepaired, UpstreamRejection
from gemproxy.core.repair.attempt import Plan
from gemproxy.core.repair.continuation import Form, find_anchor
from gemproxy.core.repair.engine import IllegalInput, Patience, State
from gemproxy.core.repair.events import (
    Action,
    Cause,
    Ended,
    Fail,
    Finish,
    GaveUp,
    How,
    Opened,
    Received,
    Rejected,
    Resume,
    Turn,
)
from gemproxy.core.repair.machine import StreamMachine
from gemproxy.core.repair.policy import Policy
from gemproxy.core.repair.request import StreamRequest
from gemproxy.core.repair.verdict import DEFAULT_VERDICTS, POLICY_REASONS, FinishTable, Verdict
from gemproxy.core.wire.frame import Frame
from tests.gemini import BODY, REQUEST, Json, chunk, documents, received, sse, text_of
from tests.playbook import Playbook, Said, Seen, said, seen

STORY = "Once upon a time there was a fox who lived at the edge of a deep green forest"
REST = " and nobody had ever seen it."
EOF = Ended(How.EOF)
RESET = Ended(How.RESET)


def machine(request: Json | None = None, **policy: Any) -> StreamMachine:
    body = BODY if request is None else json.dumps(request).encode()
    return StreamMachine(StreamRequest(body), Policy(**policy))


def emits(*responses: Json) -> Said:
    return Said(sse(*responses))


def says(text: str, **fields: Any) -> Any:
    """Expect rewritten frames with this visible text and these fields in the last one."""

    def check(action: Seen) -> bool:
        if not isinstance(action, Said) or text_of(action.raw) != text:
            return False
        last = documents(action.raw)[-1]
        return all(last.get(name) == value for name, value in fields.items())

    check.__name__ = f"emit {text!r} {fields}"
    return check


def part_frame(*parts: Json, **fields: Any) -> Json:
    return chunk(parts=list(parts), **fields)


THOUGHT = {"text": "Let me think.", "thought": True}
CALL = {"functionCall": {"name": "look", "args": {"at": "fox"}}, "thoughtSignature": "c2ln"}
IMAGE = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}


# -- nothing goes wrong --------------------------------------------------------------------


def test_an_undisturbed_stream_goes_out_as_it_came() -> None:
    first, last = chunk(STORY), chunk(REST, finish="STOP", usage=(3, 9))

    assert (
        Playbook(machine())
        >> Opened()
        >> received(first)
        << emits(first)
        >> received(last)
        >> EOF
        << emits(last)
        << Finish()
    )


def test_frames_without_content_queue_behind_a_finish_reason() -> None:
    last, usage = chunk(STORY, finish="STOP"), {"usageMetadata": {"promptTokenCount": 1}}

    assert (
        Playbook(machine())
        >> Opened()
        >> received(last)
        >> received(usage)
        >> EOF
        << Said(sse(last) + sse(usage))
        << Finish()
    )


def test_an_intermediate_finish_reason_is_released_by_new_content() -> None:
    middle, end = chunk("I look it up.", finish="STOP"), chunk(" Found.", finish="STOP")

    assert (
        Playbook(machine())
        >> Opened()
        >> received(middle)
        >> received(end)
        << emits(middle)
        >> EOF
        << emits(end)
        << Finish()
    )


def test_a_stream_that_drops_after_an_intermediate_finish_reason_is_a_drop() -> None:
    middle, more = chunk("I look it up.", finish="STOP"), chunk(" I have found")

    assert (
        Playbook(machine())
        >> Opened()
        >> received(middle)
        >> received(more)
        << Said(sse(middle) + sse(more))
        >> EOF
        << Resume(Cause.DROP)
    )


@pytest.mark.parametrize("how", list(How)[:3])
def test_any_end_after_an_accepted_reason_is_an_end(how: How) -> None:
    last = chunk(STORY, finish="STOP")

    assert (
        Playbook(machine()) >> Opened() >> received(last) >> Ended(how) << emits(last) << Finish()
    )


def test_an_error_after_an_accepted_reason_is_an_end() -> None:
    last = chunk(STORY, finish="STOP")
    error = {"error": {"code": 503, "message": "overloaded"}}

    assert (
        Playbook(machine())
        >> Opened()
        >> received(last)
        >> received(error)
        << emits(last)
        << Finish()
    )


@pytest.mark.parametrize("reason", ["MAX_TOKENS", "NEVER_HEARD_OF", *sorted(POLICY_REASONS)])
@pytest.mark.parametrize("text", [STORY, ""])
def test_these_reasons_pass_as_they_are_in_one_attempt(reason: str, text: str) -> None:
    last = chunk(text, finish=reason)

    assert Playbook(machine()) >> Opened() >> received(last) >> EOF << emits(last) << Finish()


@pytest.mark.parametrize("reason", sorted(POLICY_REASONS))
def test_no_setting_makes_a_policy_ending_resume(reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        FinishTable({**DEFAULT_VERDICTS, reason: Verdict.RESUME})


def test_a_blocked_prompt_passes_in_one_attempt() -> None:
    blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}

    assert Playbook(machine()) >> Opened() >> received(blocked) >> EOF << emits(blocked) << Finish()


# -- nothing visible yet: replay -----------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "cause"),
    [
        (Ended(How.UNREACHABLE), Cause.UNREACHABLE),
        (Ended(How.RESET), Cause.UNREACHABLE),
        (Rejected(503, b"{}"), Cause.STATUS),
        (Rejected(500, b"<html>"), Cause.STATUS),
    ],
)
def test_an_attempt_that_never_began_is_made_again_as_it_was(event: Any, cause: Cause) -> None:
    stream = machine()

    assert Playbook(stream) >> event << Resume(cause)
    assert stream.next_request == BODY
    assert stream.plan is Plan.REPLAY


def test_a_replay_of_nothing_delivered_goes_out_raw() -> None:
    last = chunk(STORY, finish="STOP", response_id="second")

    assert (
        Playbook(machine())
        >> Opened()
        >> EOF
        << Resume(Cause.DROP)
        >> Opened()
        >> received(last)
        >> EOF
        << emits(last)
        << Finish()
    )


def test_thoughts_that_the_client_saw_are_not_shown_again() -> None:
    thought = part_frame(THOUGHT)
    both = part_frame(THOUGHT, {"text": STORY}, response_id="second", finish="STOP")

    assert (
        Playbook(machine())
        >> Opened()
        >> received(thought)
        << emits(thought)
        >> EOF
        << Resume(Cause.DROP)
        >> Opened()
        >> received(thought)
        >> received(both)
        >> EOF
        << says(STORY, responseId="first")
        << Finish()
    )


def test_thoughts_are_shown_again_when_the_setting_says_so() -> None:
    thought = part_frame(THOUGHT)

    assert (
        Playbook(machine(swallow_thoughts=False))
        >> Opened()
        >> received(thought)
        << emits(thought)
        >> EOF
        << Resume(Cause.DROP)
        >> Opened()
        >> received(part_frame(THOUGHT, response_id="second"))
        << says("", responseId="first")
    )


@pytest.mark.parametrize("first", [chunk("", finish="STOP"), part_frame(THOUGHT, finish="STOP")])
def test_a_stop_that_says_nothing_is_asked_again(first: Json) -> None:
    last = chunk(STORY, finish="STOP")

    assert (
        Playbook(machine())
        >> Opened()
        >> received(first)
        >> EOF
        << Resume(Cause.EMPTY)
        >> Opened()
        >> received(last)
        >> EOF
        << emits(last)
        << Finish()
    )


def test_an_empty_stop_passes_when_its_budget_is_spent() -> None:
    empty = chunk("", finish="STOP")

    assert (
        Playbook(machine(empty_stop_retries=1))
        >> Opened()
        >> received(empty)
        >> EOF
        << Resume(Cause.EMPTY)
        >> Opened()
        >> received(empty)
        >> EOF
        << emits(empty)
        << Finish()
    )


def test_an_empty_stop_passes_when_the_pacing_gives_up() -> None:
    empty = chunk("", finish="STOP", usage=(4, 0))

    stream = machine()
    assert (
        Playbook(stream)
        >> Opened()
        >> received(empty)
        >> EOF
        << Resume(Cause.EMPTY)
        >> GaveUp("budget")
        << emits(empty)
        << Finish()
    )
    assert stream.tally.billed.prompt == 4


def test_an_empty_stop_after_a_function_response_is_an_answer() -> None:
    answered = {
        "contents": [
            {"role": "model", "parts": [CALL]},
            {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {}}}]},
        ]
    }
    empty = chunk("", finish="STOP")

    assert (
        Playbook(machine(answered))
        >> Opened()
        >> received(empty)
        >> EOF
        << emits(empty)
        << Finish()
    )


def test_a_malformed_call_is_replayed_twice_and_then_passed() -> None:
    bad = chunk("", finish="MALFORMED_FUNCTION_CALL")

    assert (
        Playbook(machine())
        >> Opened()
        >> received(bad)
        >> EOF
        << Resume(Cause.BAD_FINISH)
        >> Opened()
        >> received(bad)
        >> EOF
        << Resume(Cause.BAD_FINISH)
        >> Opened()
        >> received(bad)
        >> EOF
        << emits(bad)
        << Finish()
    )


def test_a_malformed_call_after_text_passes() -> None:
    text, bad = chunk(STORY), chunk("", finish="MALFORMED_FUNCTION_CALL")

    assert (
        Playbook(machine())
        >> Opened()
        >> received(text)
        << emits(text)
        >> received(bad)
        >> EOF
        << emits(bad)
        << Finish()
    )


def test_a_recitation_is_rolled_again_once_where_a_setting_asks_for_it() -> None:
    table = FinishTable({"RECITATION": Verdict.REROLL})
    bad = chunk("", finish="RECITATION")

    assert (
        Playbook(machine(finish=table))
        >> Opened()
        >> received(bad)
        >> EOF
        << Resume(Cause.BAD_FINISH)
        >> Opened()
        >> received(bad)
        >> EOF
        << emits(bad)
        << Finish()
    )


# -- text: resume --------------------------------------------------------------------------


def broken_after(stream: StreamMachine, text: str = STORY, **fields: Any) -> Playbook:
    """Play a stream that is cut behind ``text``."""
    first = chunk(text, **fields)
    return (
        Playbook(stream)
        >> Opened()
        >> received(first)
        << emits(first)
        >> RESET
        << Resume(Cause.DROP)
    )


def anchor_of(stream: StreamMachine) -> str:
    contents = json.loads(stream.next_request)["contents"]
    return find_anchor(contents[-1]["parts"][0]["text"]) or ""


def test_a_resumed_answer_that_echoes_is_joined_behind_the_anchor() -> None:
    stream = machine()
    assert broken_after(stream, usage=(4, 20))
    assert stream.plan is Plan.TEXT
    anchor = anchor_of(stream)
    assert STORY.endswith(anchor)

    assert (
        Playbook(stream)
        >> Opened()
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

    assert Playbook(stream) >> Opened() >> received(chunk(REST)) << says(REST)


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
        Playbook(stream)
        >> Opened()
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
        Playbook(stream)
        >> Opened()
        >> received(part_frame(THOUGHT))
        >> received(part_frame(THOUGHT, {"text": REST}, THOUGHT))
        << says(REST)
    )


def test_a_cut_while_the_seam_is_open_discards_what_is_held() -> None:
    stream = machine()
    assert broken_after(stream)
    anchor = anchor_of(stream)

    assert Playbook(stream) >> Opened() >> received(chunk(anchor[:20])) >> EOF << Resume(Cause.DROP)
    assert stream.transcript.text == STORY


CLOSED = STORY + ", and there it stayed."
"""A text that ends where an answer may end; ``STORY`` stops inside a sentence."""

NOTHING_NEW: dict[str, Callable[[str], list[Json]]] = {
    "nothing": lambda _: [chunk("", finish="STOP")],
    "thoughts": lambda _: [part_frame(THOUGHT), chunk("", finish="STOP")],
    "the anchor": lambda anchor: [chunk(anchor, finish="STOP")],
    "half the anchor": lambda anchor: [chunk(anchor[:20], finish="STOP")],
    "a full stop": lambda anchor: [chunk(anchor), chunk("."), chunk("", finish="STOP")],
    "our marks": lambda anchor: [chunk(f"<<<{anchor}>>>"), chunk("", finish="STOP")],
}


def stops(stream: StreamMachine, kind: str) -> Playbook:
    """Play an attempt that says STOP and brings nothing new."""
    play = Playbook(stream) >> Opened()
    for frame in NOTHING_NEW[kind](anchor_of(stream)):
        play = play >> received(frame)
    return play >> EOF


@pytest.mark.parametrize("kind", NOTHING_NEW)
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


@pytest.mark.parametrize("kind", NOTHING_NEW)
@pytest.mark.parametrize("text", [STORY, STORY + " in 3.", STORY + " (see.", STORY + "\n"])
def test_no_stop_without_new_text_ends_a_text_that_is_open(kind: str, text: str) -> None:
    stream = machine()
    assert broken_after(stream, text)

    for _ in range(2):
        assert stops(stream, kind) << Resume(Cause.EMPTY)
    assert stops(stream, kind) << Fail(Unrepaired(""))
    assert stream.transcript.text == text


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
        Playbook(stream)
        >> Opened()
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
        Playbook(stream)
        >> Opened()
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
    assert (
        Playbook(machine())
        >> Opened()
        >> received(first)
        << emits(first)
        >> received(error)
        << Resume(Cause.ERROR_FRAME)
    )


def test_one_end_of_a_restart_that_differs_drops_the_attempt() -> None:
    stream = machine()
    assert broken_after(stream, STORY + REST)
    other = STORY[:50] + " nothing like the other one, and so it goes" * 9

    assert Playbook(stream) >> Opened() >> received(chunk(other)) << Resume(Cause.DIVERGED)


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


OTHER_STORY = STORY[:50] + " nothing like the other one, and so it goes" * 9


def test_after_a_divergence_the_other_form_is_asked() -> None:
    stream = machine()
    assert broken_after(stream, STORY + REST)
    turns = []
    for _ in range(3):
        turns.append(len(json.loads(stream.next_request)["contents"]))
        assert (
            Playbook(stream) >> Opened() >> received(chunk(OTHER_STORY)) << Resume(Cause.DIVERGED)
        )

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
        Playbook(stream)
        >> Opened()
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
        Playbook(stream)
        >> Opened()
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
        Playbook(machine())
        >> Opened()
        >> received(text)
        << emits(text)
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
        Playbook(machine())
        >> Opened()
        >> received(text)
        << emits(text)
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

    assert (
        Playbook(machine(hold_calls=False))
        >> Opened()
        >> received(call)
        << emits(call)
        >> RESET
        << Fail(Unrepaired(""))
    )


@pytest.mark.parametrize(
    "part", [IMAGE, {"executableCode": {"code": "1"}}, {"toolCall": {}}, {"unheardOf": 1}]
)
def test_what_text_cannot_continue_fails_loudly_once_it_is_out(part: Json) -> None:
    frame = part_frame(part)

    assert (
        Playbook(machine())
        >> Opened()
        >> received(frame)
        << emits(frame)
        >> RESET
        << Fail(Unrepaired(""))
    )


def test_several_candidates_fail_loudly_once_they_are_out() -> None:
    frame = {"candidates": [*chunk("a")["candidates"], {"index": 1}]}

    assert (
        Playbook(machine())
        >> Opened()
        >> received(frame)
        << emits(frame)
        >> RESET
        << Fail(Unrepaired(""))
    )


JSON_REQUEST = {**REQUEST, "generationConfig": {"responseMimeType": "application/json"}}
HALF, WHOLE = '{"name": "fox", "home": "the for', '{"name": "fox", "home": "the forest"}'


def test_a_resumed_document_is_held_to_its_end_and_checked() -> None:
    stream = machine(JSON_REQUEST)
    assert broken_after(stream, HALF)

    assert (
        Playbook(stream)
        >> Opened()
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
        Playbook(stream)
        >> Opened()
        >> received(first)
        << emits(first)
        >> received(second)
        << emits(second)
        >> RESET
        << Resume(Cause.DROP)
    )
    assert json.loads(stream.next_request) == {**REQUEST, "continuationToken": "t1"}

    assert (
        Playbook(stream)
        >> Opened()
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
        Playbook(stream)
        >> Opened()
        >> received(first)
        << emits(first)
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
        Playbook(stream)
        >> Opened()
        >> received(chunk(REST, token="t2"))
        << (lambda a: isinstance(a, Said) and b"continuationToken" not in a.raw)
        >> RESET
        << Resume(Cause.DROP)
    )
    assert stream.plan is Plan.TEXT


def test_a_continuation_reason_is_followed_natively() -> None:
    stream = machine()

    assert (
        Playbook(stream)
        >> Opened()
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
        Playbook(stream)
        >> Opened()
        >> received(thought)
        << emits(thought)
        >> received(chunk("", finish="CONTINUATION", token="t1"))
        >> EOF
        << Said
        << Resume(Cause.CONTINUATION, at_once=True)
    )
    assert json.loads(stream.next_request)["continuationToken"] == "t1"
    assert stream.progress == 1

    assert (
        Playbook(stream)
        >> Opened()
        >> received(chunk(STORY, finish="STOP"))
        >> EOF
        << says(STORY)
        << Finish()
    )


@pytest.mark.parametrize("part", [IMAGE, {"executableCode": {"code": "1"}}])
def test_what_text_cannot_continue_is_continued_from_a_token_behind_it(part: Json) -> None:
    stream = machine()
    frame, last = part_frame(part), chunk("", finish="CONTINUATION", token="t1")

    assert (
        Playbook(stream)
        >> Opened()
        >> received(frame)
        << emits(frame)
        >> received(last)
        >> EOF
        << (lambda a: isinstance(a, Said) and b"CONTINUATION" not in a.raw)
        << Resume(Cause.CONTINUATION, at_once=True)
    )
    assert stream.plan is Plan.NATIVE


def test_a_drop_behind_a_checkpoint_is_resumed_from_it_whatever_went_out_before() -> None:
    stream = machine()
    image, mark = part_frame(IMAGE), chunk(" So", token="t1")

    assert (
        Playbook(stream)
        >> Opened()
        >> received(image)
        << emits(image)
        >> received(mark)
        << emits(mark)
        >> RESET
        << Resume(Cause.DROP)
    )
    assert stream.plan is Plan.NATIVE


def test_an_image_behind_the_checkpoint_makes_a_drop_loud() -> None:
    mark, image = chunk("", token="t1"), part_frame(IMAGE)

    assert (
        Playbook(machine())
        >> Opened()
        >> received(mark)
        << emits(mark)
        >> received(image)
        << emits(image)
        >> RESET
        << Fail(Unrepaired(""))
    )


def test_a_continuation_that_cannot_be_followed_passes_with_its_frames() -> None:
    mark, image = chunk("", token="t1"), part_frame(IMAGE)
    last = chunk("", finish="CONTINUATION", usage=(3, 4))

    assert (
        Playbook(machine())
        >> Opened()
        >> received(mark)
        << emits(mark)
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

    assert (
        Playbook(stream)
        >> Opened()
        >> received(frame)
        << emits(frame)
        >> received(last)
        >> EOF
        << emits(last)
        << Finish()
    )
    assert stream.finish_reason == reason


def test_a_frame_with_audio_and_its_ending_passes_as_it_came() -> None:
    last = part_frame(AUDIO, finish="OTHER")

    assert Playbook(machine()) >> Opened() >> received(last) >> EOF << emits(last) << Finish()


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
        Playbook(stream)
        >> Opened()
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
        Playbook(stream)
        >> Opened()
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
        Playbook(stream)
        >> Opened()
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

    assert (
        Playbook(stream)
        >> Opened()
        >> received(chunk(text, finish=reason))
        >> EOF
        << says("")
        << Finish()
    )
    assert stream.finish_reason == reason
    assert stream.transcript.text == STORY


@pytest.mark.parametrize("reason", ["SAFETY", "MAX_TOKENS"])
def test_text_that_may_be_a_repetition_is_dropped_before_an_ending_that_passes(reason: str) -> None:
    stream = machine()
    assert broken_after(stream)

    assert (
        Playbook(stream)
        >> Opened()
        >> received(chunk("green", finish=reason))
        >> EOF
        << says("")
        << Finish()
    )


@pytest.mark.parametrize("reason", ["OTHER", "CONTINUATION"])
def test_half_an_echo_with_an_ending_that_is_none_is_asked_again(reason: str) -> None:
    stream = machine()
    assert broken_after(stream)

    assert (
        Playbook(stream)
        >> Opened()
        >> received(chunk(anchor_of(stream)[:20], finish=reason))
        >> EOF
        << Resume(Cause.BAD_FINISH)
    )


@pytest.mark.parametrize("reason", ["SAFETY", "IMAGE_OTHER", "PROHIBITED_CONTENT"])
def test_a_policy_ending_of_another_story_passes(reason: str) -> None:
    stream = machine()
    assert broken_after(stream, STORY + REST)

    assert (
        Playbook(stream)
        >> Opened()
        >> received(chunk(OTHER_STORY, finish=reason))
        >> EOF
        << says("")
        << Finish()
    )
    assert stream.finish_reason == reason


def test_a_policy_ending_of_a_native_continuation_passes() -> None:
    stream = machine()
    first, second = chunk(STORY, token="t1"), chunk(REST)
    play = Playbook(stream) >> Opened()
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
        Playbook(machine())
        >> Opened()
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
        Playbook(machine())
        >> Opened()
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
        Playbook(stream)
        >> Opened()
        >> received(part_frame(*parts, finish="STOP"))
        >> error
        << (lambda a: isinstance(a, Said) and b"overloaded" not in a.raw)
        << Finish()
    )


def test_an_error_behind_a_reason_is_judged_while_the_attempt_is_joined() -> None:
    stream = machine()
    assert broken_after(stream)

    assert (
        Playbook(stream)
        >> Opened()
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

    assert (
        Playbook(machine())
        >> Opened()
        >> received(first)
        << emits(first)
        >> received(BLOCK)
        >> EOF
        << emits(BLOCK)
        << Fail(Blocked(""))
    )


@pytest.mark.parametrize("request_", [REQUEST, JSON_REQUEST])
def test_a_block_with_a_stop_completes_no_text(request_: Json) -> None:
    stream = machine(request_)
    assert broken_after(stream, HALF)

    assert (
        Playbook(stream)
        >> Opened()
        >> received({**chunk("", finish="STOP"), **BLOCK})
        >> EOF
        << Fail(Blocked(""))
    )


def test_a_stop_behind_a_policy_reason_completes_no_half_a_document() -> None:
    stream = machine(JSON_REQUEST)
    assert broken_after(stream, HALF)

    assert (
        Playbook(stream)
        >> Opened()
        >> received(chunk("e", finish="SAFETY"))
        >> received(chunk("st"))
        >> received(chunk("", finish="STOP"))
        >> EOF
        << Fail(Blocked(""))
    )


def test_giving_up_behind_a_reason_judges_it_first() -> None:
    last = chunk(STORY, finish="STOP")

    assert (
        Playbook(machine())
        >> Opened()
        >> received(last)
        >> GaveUp("it is larger than 1 byte")
        << emits(last)
        << Finish()
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


# -- errors and quotas ---------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 404, 501])
def test_errors_that_will_not_change_are_passed_on_as_they_came(status: int) -> None:
    stream = machine()

    assert Playbook(stream) >> Rejected(status, b"{}") << Fail(UpstreamRejection(status, b"{}"))


QUOTA = {
    "error": {
        "code": 429,
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "20.5s"}],
    }
}


def test_a_quota_is_waited_for_once() -> None:
    rejected = Rejected(429, json.dumps(QUOTA).encode())

    assert (
        Playbook(machine())
        >> rejected
        << Resume(Cause.STATUS, 20.5, elsewhere=True)
        >> rejected
        << Fail(UpstreamRejection(429, b""))
    )


KEYS_FAULTS = [
    (429, {"status": "RESOURCE_EXHAUSTED", "message": "Resource has been exhausted."}),
    (403, {"status": "PERMISSION_DENIED", "message": "Your API key was reported as leaked."}),
    (400, {"status": "INVALID_ARGUMENT", "message": "API key not valid."}),
    (401, {"status": "UNAUTHENTICATED"}),
]


@pytest.mark.parametrize(("status", "error"), KEYS_FAULTS)
def test_a_fault_of_the_key_goes_elsewhere_at_once_where_there_is_another(
    status: int, error: Json
) -> None:
    body = json.dumps({"error": error}).encode()
    elsewhere = Resume(Cause.STATUS, elsewhere=True)
    rejected = Rejected(status, body, 3600, another=True)

    assert Playbook(machine()) >> rejected << elsewhere >> rejected << elsewhere
    assert Playbook(machine()) >> Rejected(status, body) << Fail(UpstreamRejection(status, body))


@pytest.mark.parametrize("status", [400, 404, 413, 501])
def test_a_fault_of_the_request_meets_every_key(status: int) -> None:
    rejected = Rejected(status, b'{"error": {"message": "x"}}', another=True)

    assert Playbook(machine()) >> rejected << Fail(UpstreamRejection(status, b""))


def test_a_fault_of_the_service_stays_with_its_key() -> None:
    assert Playbook(machine()) >> Rejected(503, b"{}", another=True) << Resume(Cause.STATUS)


@pytest.mark.parametrize("rejected", [Rejected(429, b"{}"), Rejected(429, b"{}", 31.0)])
def test_a_quota_without_a_fitting_delay_is_passed_on(rejected: Rejected) -> None:
    assert Playbook(machine()) >> rejected << Fail(UpstreamRejection(429, b""))


def test_a_quota_in_the_middle_of_an_answer_that_names_no_time_ends_it_with_its_reason() -> None:
    stream = machine()

    assert broken_after(stream) >> Rejected(429, b"{}") << Fail(UpstreamRejection(429, b"{}"))


def test_a_server_that_says_when_to_come_again_is_waited_for_within_the_limit() -> None:
    play = Playbook(machine(retry_after_limit=30.0))
    play = play >> Rejected(503, b"{}", 20) << Resume(Cause.STATUS, 20)

    assert play >> Rejected(503, b"{}", 20) << Fail(UpstreamRejection(503, b"{}"))


def test_silence_of_an_attempt_that_never_began_is_not_asked_again() -> None:
    assert Playbook(machine()) >> Ended(How.NO_FIRST_BYTE) << Fail(NoFirstByte(""))


def test_an_empty_answer_is_better_than_the_silence_behind_it() -> None:
    empty = chunk("", finish="STOP")
    play = Playbook(machine()) >> Opened() >> received(empty) >> EOF << Resume(Cause.EMPTY)

    assert play >> Ended(How.NO_FIRST_BYTE) << emits(empty) << Finish()


def test_the_error_at_the_end_says_what_was_wrong() -> None:
    play = Playbook(machine()) >> Ended(How.UNREACHABLE) << Resume
    assert play >> GaveUp("budget") << Fail(Unreachable(""))


def test_the_cap_on_extra_tokens_ends_a_stream_loudly() -> None:
    stream = machine(max_extra_tokens=10)
    first = chunk(STORY, usage=(40, 20))

    assert (
        Playbook(stream)
        >> Opened()
        >> received(first)
        << emits(first)
        >> EOF
        << Fail(Unrepaired(""))
    )


# -- repair off ----------------------------------------------------------------------------


def test_without_repair_nothing_is_held_and_a_drop_is_loud() -> None:
    call = part_frame(CALL)

    assert (
        Playbook(machine(repair=False))
        >> Opened()
        >> received(call)
        << emits(call)
        >> EOF
        << Fail(Unrepaired(""))
    )


def test_without_repair_a_bad_finish_passes() -> None:
    last = chunk(STORY, finish="OTHER")

    assert (
        Playbook(machine(repair=False))
        >> Opened()
        >> received(last)
        << emits(last)
        >> EOF
        << Finish()
    )


@pytest.mark.parametrize("mark", [">", "]", "\u27e7", ">]"])
def test_a_text_that_goes_on_with_a_row_of_marks_is_judged_at_once(mark: str) -> None:
    stream = machine()
    assert broken_after(stream)
    row = mark * 500 + " a row, not a mark."

    assert (
        Playbook(stream)
        >> Opened()
        >> received(chunk(anchor_of(stream) + row[:400]))
        >> received(chunk(row[400:], finish="STOP"))
        >> EOF
        << says(row)
        << Finish()
    )


# -- patience and the table ----------------------------------------------------------------


def test_patience_follows_what_the_stream_is_doing() -> None:
    stream = machine()
    seen = [stream.patience]
    for event in (
        Opened(),
        received(part_frame(THOUGHT)),
        received(chunk(STORY)),
        received(chunk("", finish="STOP")),
    ):
        stream.receive(event)
        seen.append(stream.patience)

    assert seen == [
        Patience.FIRST_BYTE,
        Patience.THINKING,
        Patience.THINKING,
        Patience.CHUNK,
        Patience.FINISH,
    ]


def test_a_stop_before_any_content_has_a_patience_of_its_own() -> None:
    stream = machine()
    stream.receive(Opened())
    for frame in (chunk("", finish="STOP"), part_frame(THOUGHT, finish="STOP")):
        stream.receive(received(frame))
    assert stream.patience is Patience.CHUNK  # a thought revoked the first one

    other = machine()
    other.receive(Opened())
    other.receive(received(chunk("", finish="STOP")))
    assert other.patience is Patience.EMPTY_FINISH


def test_a_blocked_prompt_is_waited_behind_no_longer_than_a_reason() -> None:
    stream = machine()
    stream.receive(Opened())
    stream.receive(received({"promptFeedback": {"blockReason": "SAFETY"}}))

    assert stream.patience is Patience.FINISH


def test_a_stop_on_every_frame_earns_no_short_grace() -> None:
    stream = machine()
    stream.receive(Opened())
    seen = []
    for text in ("One.", " Two."):
        stream.receive(received(chunk(text, finish="STOP")))
        seen.append(stream.patience)

    assert seen == [Patience.FINISH, Patience.CHUNK]


def test_a_grace_that_ran_out_is_noted() -> None:
    stream = machine()
    stream.receive(Opened())
    stream.receive(received(chunk(STORY, finish="STOP")))
    assert not stream.grace_ran_out

    stream.receive(Ended(How.STALLED))
    assert stream.grace_ran_out


@pytest.mark.parametrize("more", [{"cachedContent": "cachedContents/1"}, {"tools": [{"new": {}}]}])
def test_tools_that_cannot_be_seen_have_the_longer_grace(more: Json) -> None:
    stream = machine({**REQUEST, **more})
    stream.receive(Opened())
    stream.receive(received(chunk(STORY, finish="STOP")))

    assert stream.patience is Patience.TOOL_FINISH


def test_thoughts_behind_text_are_told_from_those_before_it() -> None:
    stream = machine()
    for event in (Opened(), received(chunk(STORY)), received(part_frame(THOUGHT))):
        stream.receive(event)

    assert stream.patience is Patience.THINKING_ON


def test_a_stop_that_stays_open_has_longer_with_server_tools() -> None:
    stream = machine({**REQUEST, "tools": [{"google_search": {}}]})
    stream.receive(Opened())
    stream.receive(received(chunk(STORY, finish="STOP")))

    assert stream.patience is Patience.TOOL_FINISH


@pytest.mark.parametrize("state", list(State))
def test_an_input_that_the_table_does_not_have_is_a_bug(state: State) -> None:
    for event in (Opened(), received(chunk("a")), Rejected(500, b""), EOF, GaveUp("")):
        stream = machine()
        stream.state = state
        if (state, type(event)) not in StreamMachine.TRANSITIONS:
            with pytest.raises(IllegalInput):
                stream.receive(event)


def test_a_page_of_a_gateway_never_reaches_the_client() -> None:
    page = Received(Frame(b"<html>\r\n\r\n", None), SILENT)

    assert Playbook(machine()) >> Opened() >> page >> EOF << Resume(Cause.DROP)


def test_a_comment_before_the_first_frame_is_only_late() -> None:
    comment = Received(Frame(b": hello\r\n\r\n", None), SILENT)
    first = chunk(STORY)

    assert (
        Playbook(machine())
        >> Opened()
        >> comment
        >> received(first)
        << Said(comment.frame.raw + sse(first))
    )


def test_a_request_with_a_token_of_its_own_is_continued_from_there() -> None:
    stream = machine({**REQUEST, "continuationToken": "mine"})
    assert broken_after(stream)

    assert stream.plan is Plan.NATIVE
    assert json.loads(stream.next_request)["continuationToken"] == "mine"


def test_sources_of_all_attempts_are_kept_and_point_at_their_words() -> None:
    def grounded(text: str, words: str, uri: str) -> Json:
        start = len(text[: text.index(words)].encode())
        frame = chunk(text)
        frame["candidates"][0]["groundingMetadata"] = {
            "groundingChunks": [{"web": {"uri": uri}}],
            "groundingSupports": [
                {
                    "segment": {"startIndex": start, "endIndex": start + len(words.encode())},
                    "groundingChunkIndices": [0],
                }
            ],
        }
        return frame

    stream = machine()
    stream.receive(Opened())
    stream.receive(received(grounded(STORY, "fox", "one")))
    sent: list[Json] = []
    for text, words, uri in [
        (" – größer than", "größer", "two"),
        (" the café door", "café", "three"),
    ]:
        stream.receive(RESET)
        stream.receive(Opened())
        sent += documents(said(stream.receive(received(grounded(text, words, uri)))))

    last = sent[-1]["candidates"][0]["groundingMetadata"]
    heard = stream.transcript.text.encode()
    spans = [s["segment"] for s in last["groundingSupports"]]

    assert [c["web"]["uri"] for c in last["groundingChunks"]] == ["one", "two", "three"]
    assert [heard[s["startIndex"] : s["endIndex"]].decode() for s in spans] == [
        "fox",
        "größer",
        "café",
    ]
    assert [s["groundingChunkIndices"] for s in last["groundingSupports"]] == [[0], [1], [2]]
