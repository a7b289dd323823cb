"""The stream machine, by playbooks: what it answers to what the world does."""

import json
from typing import Any

import pytest

from gemproxy.core.answer.chunk import SILENT
from gemproxy.core.errors import Exhausted, NoFirstByte, Unreachable, Unrepaired, UpstreamRejection
from gemproxy.core.repair.attempt import Plan
from gemproxy.core.repair.engine import IllegalInput, Patience, State
from gemproxy.core.repair.events import (
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
)
from gemproxy.core.repair.machine import StreamMachine
from gemproxy.core.repair.verdict import DEFAULT_VERDICTS, POLICY_REASONS, FinishTable, Verdict
from gemproxy.core.wire.frame import Frame
from tests.gemini import BODY, REQUEST, Json, chunk, documents, received, sse
from tests.playbook import Playbook, Said, said
from tests.streams import (
    CALL,
    EOF,
    RESET,
    REST,
    STORY,
    THOUGHT,
    anchor_of,
    broken_after,
    emits,
    fed,
    machine,
    opened,
    part_frame,
    says,
    showing,
)

# -- nothing goes wrong --------------------------------------------------------------------


def test_an_undisturbed_stream_goes_out_as_it_came() -> None:
    first, last = chunk(STORY), chunk(REST, finish="STOP", usage=(3, 9))

    assert showing(first) >> received(last) >> EOF << emits(last) << Finish()


def test_frames_without_content_queue_behind_a_finish_reason() -> None:
    last, usage = chunk(STORY, finish="STOP"), {"usageMetadata": {"promptTokenCount": 1}}

    assert (
        opened()
        >> received(last)
        >> received(usage)
        >> EOF
        << Said(sse(last) + sse(usage))
        << Finish()
    )


def test_an_intermediate_finish_reason_is_released_by_new_content() -> None:
    middle, end = chunk("I look it up.", finish="STOP"), chunk(" Found.", finish="STOP")

    assert (
        opened()
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
        opened()
        >> received(middle)
        >> received(more)
        << Said(sse(middle) + sse(more))
        >> EOF
        << Resume(Cause.DROP)
    )


@pytest.mark.parametrize("how", list(How)[:3])
def test_any_end_after_an_accepted_reason_is_an_end(how: How) -> None:
    last = chunk(STORY, finish="STOP")

    assert opened() >> received(last) >> Ended(how) << emits(last) << Finish()


def test_an_error_after_an_accepted_reason_is_an_end() -> None:
    last = chunk(STORY, finish="STOP")
    error = {"error": {"code": 503, "message": "overloaded"}}

    assert opened() >> received(last) >> received(error) << emits(last) << Finish()


@pytest.mark.parametrize("reason", ["MAX_TOKENS", "NEVER_HEARD_OF", *sorted(POLICY_REASONS)])
@pytest.mark.parametrize("text", [STORY, ""])
def test_these_reasons_pass_as_they_are_in_one_attempt(reason: str, text: str) -> None:
    last = chunk(text, finish=reason)

    assert opened() >> received(last) >> EOF << emits(last) << Finish()


@pytest.mark.parametrize("reason", sorted(POLICY_REASONS))
def test_no_setting_makes_a_policy_ending_resume(reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        FinishTable({**DEFAULT_VERDICTS, reason: Verdict.RESUME})


def test_a_blocked_prompt_passes_in_one_attempt() -> None:
    blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}

    assert opened() >> received(blocked) >> EOF << emits(blocked) << Finish()


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
        opened()
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
        showing(thought)
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
        showing(thought, machine(swallow_thoughts=False))
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
        opened()
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
        opened(machine(empty_stop_retries=1))
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
        opened(stream)
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

    assert opened(machine(answered)) >> received(empty) >> EOF << emits(empty) << Finish()


def test_a_malformed_call_is_replayed_twice_and_then_passed() -> None:
    bad = chunk("", finish="MALFORMED_FUNCTION_CALL")

    assert (
        opened()
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

    assert showing(text) >> received(bad) >> EOF << emits(bad) << Finish()


def test_a_recitation_is_rolled_again_once_where_a_setting_asks_for_it() -> None:
    table = FinishTable({"RECITATION": Verdict.REROLL})
    bad = chunk("", finish="RECITATION")

    assert (
        opened(machine(finish=table))
        >> received(bad)
        >> EOF
        << Resume(Cause.BAD_FINISH)
        >> Opened()
        >> received(bad)
        >> EOF
        << emits(bad)
        << Finish()
    )


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
    elsewhere = Resume(Cause.STATUS, at_once=True, elsewhere=True)
    rejected = Rejected(status, body, 3600, another=True)

    assert Playbook(machine()) >> rejected << elsewhere >> rejected << elsewhere
    assert Playbook(machine()) >> Rejected(status, body) << Fail(UpstreamRejection(status, body))


@pytest.mark.parametrize(("status", "error"), KEYS_FAULTS)
@pytest.mark.parametrize("token", [None, "t1"])
def test_a_key_that_fails_behind_text_is_no_refusal_of_how_it_goes_on(
    status: int, error: Json, token: str | None
) -> None:
    stream = machine()
    rejected = Rejected(status, json.dumps({"error": error}).encode(), another=True)

    play = broken_after(stream, token=token)
    plan, asked = stream.plan, stream.next_request
    assert plan is (Plan.TEXT if token is None else Plan.NATIVE)
    assert play >> rejected << Resume(Cause.STATUS, at_once=True, elsewhere=True)
    assert (stream.plan, stream.next_request) == (plan, asked)


def test_a_token_whose_project_rests_is_followed_by_words_for_any_project() -> None:
    stream, rests = machine(), Exhausted("All keys rest.", 9.0)

    play = broken_after(stream, token="t1")
    plans = [stream.plan]
    assert play >> GaveUp("", rests) << Resume(Cause.REFUSED, at_once=True)
    plans.append(stream.plan)
    assert plans == [Plan.NATIVE, Plan.TEXT]
    assert play >> GaveUp("", rests) << Fail(rests)


def test_why_no_key_serves_says_more_than_the_last_error() -> None:
    rests = Exhausted("All keys rest.", 9.0)
    play = Playbook(machine()) >> Rejected(503, b"{}") << Resume(Cause.STATUS)

    assert play >> GaveUp("", rests) << Fail(rests)


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
    play = opened() >> received(empty) >> EOF << Resume(Cause.EMPTY)

    assert play >> Ended(How.NO_FIRST_BYTE) << emits(empty) << Finish()


def test_the_error_at_the_end_says_what_was_wrong() -> None:
    play = Playbook(machine()) >> Ended(How.UNREACHABLE) << Resume
    assert play >> GaveUp("budget") << Fail(Unreachable(""))


def test_the_cap_on_extra_tokens_ends_a_stream_loudly() -> None:
    stream = machine(max_extra_tokens=10)
    first = chunk(STORY, usage=(40, 20))

    assert showing(first, stream) >> EOF << Fail(Unrepaired(""))


# -- repair off ----------------------------------------------------------------------------


def test_without_repair_nothing_is_held_and_a_drop_is_loud() -> None:
    call = part_frame(CALL)

    assert showing(call, machine(repair=False)) >> EOF << Fail(Unrepaired(""))


def test_without_repair_a_bad_finish_passes() -> None:
    last = chunk(STORY, finish="OTHER")

    assert showing(last, machine(repair=False)) >> EOF << Finish()


@pytest.mark.parametrize("mark", [">", "]", "\u27e7", ">]"])
def test_a_text_that_goes_on_with_a_row_of_marks_is_judged_at_once(mark: str) -> None:
    stream = machine()
    assert broken_after(stream)
    row = mark * 500 + " a row, not a mark."

    assert (
        opened(stream)
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
    stream = fed(machine(), received({"promptFeedback": {"blockReason": "SAFETY"}}))

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
    stream = fed(machine(), received(chunk(STORY, finish="STOP")))
    assert not stream.grace_ran_out

    stream.receive(Ended(How.STALLED))
    assert stream.grace_ran_out


@pytest.mark.parametrize("more", [{"cachedContent": "cachedContents/1"}, {"tools": [{"new": {}}]}])
def test_tools_that_cannot_be_seen_have_the_longer_grace(more: Json) -> None:
    stream = fed(machine({**REQUEST, **more}), received(chunk(STORY, finish="STOP")))

    assert stream.patience is Patience.TOOL_FINISH


def test_thoughts_behind_text_are_told_from_those_before_it() -> None:
    stream = machine()
    for event in (Opened(), received(chunk(STORY)), received(part_frame(THOUGHT))):
        stream.receive(event)

    assert stream.patience is Patience.THINKING_ON


def test_a_stop_that_stays_open_has_longer_with_server_tools() -> None:
    stream = fed(
        machine({**REQUEST, "tools": [{"google_search": {}}]}),
        received(chunk(STORY, finish="STOP")),
    )

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

    assert opened() >> page >> EOF << Resume(Cause.DROP)


def test_a_comment_before_the_first_frame_is_only_late() -> None:
    comment = Received(Frame(b": hello\r\n\r\n", None), SILENT)
    first = chunk(STORY)

    assert opened() >> comment >> received(first) << Said(comment.frame.raw + sse(first))


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

    stream = fed(machine(), received(grounded(STORY, "fox", "one")))
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
