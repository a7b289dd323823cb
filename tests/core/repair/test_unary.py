"""The judge of unary answers: what is asked again, how often, and what passes."""

import json
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.answer.usage import Billed
from gemproxy.core.repair.events import Cause, How, Resume
from gemproxy.core.repair.policy import Policy
from gemproxy.core.repair.request import StreamRequest
from gemproxy.core.repair.unary import Judge, Look, gains_by_streaming
from gemproxy.core.repair.verdict import POLICY_REASONS, FinishTable, Verdict
from tests.gemini import BODY, REQUEST, Json, chunk

QUOTA = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "20s"}
THOUGHT = {"text": "Hm.", "thought": True}


def judge(look: Look = Look.GENERATION, body: bytes = BODY, **policy: Any) -> Judge:
    return Judge(StreamRequest(body), Policy(**policy), look)


def said(response: Json) -> bytes:
    return json.dumps(response).encode()


def error(status: int, *details: Json) -> bytes:
    return said({"error": {"code": status, "message": "", "details": list(details)}})


@pytest.mark.parametrize("look", list(Look))
@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_transient_error_is_asked_again(look: Look, status: int) -> None:
    judged = judge(look)

    assert judged.answered(status, None) == Resume(Cause.STATUS)
    assert judged.causes == [Cause.STATUS]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 499, 501])
def test_an_error_that_would_come_again_passes(status: int) -> None:
    assert judge().answered(status, error(status)) is None


def test_a_quota_is_waited_for_once_and_as_long_as_it_says() -> None:
    judged = judge()

    assert judged.answered(429, error(429, QUOTA)) == Resume(Cause.STATUS, 20, elsewhere=True)
    assert judged.answered(429, error(429, QUOTA)) is None


@pytest.mark.parametrize("body", [None, b"", b"<html>", error(429)])
def test_a_quota_that_names_no_time_passes(body: bytes | None) -> None:
    assert judge().answered(429, body) is None


def test_a_quota_that_asks_for_too_long_passes() -> None:
    assert judge(retry_after_limit=19).answered(429, error(429, QUOTA)) is None


def test_a_header_may_say_how_long_and_the_body_says_it_better() -> None:
    assert judge().answered(429, None, 7.0) == Resume(Cause.STATUS, 7)
    assert judge().answered(429, error(429, QUOTA), 7.0) == Resume(Cause.STATUS, 20, elsewhere=True)


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        (How.UNREACHABLE, Cause.UNREACHABLE),
        (How.STALLED, Cause.STALL),
        (How.GARBLED, Cause.GARBLED),
        (How.RESET, Cause.DROP),
    ],
)
def test_what_broke_is_asked_again(how: How, cause: Cause) -> None:
    assert judge(Look.STATUS).broke(how) == Resume(cause)


def test_silence_is_not_asked_again() -> None:
    judged = judge()

    assert judged.broke(How.NO_FIRST_BYTE) is None
    assert judged.causes == [Cause.STALL]


@pytest.mark.parametrize("look", [Look.DOCUMENT, Look.GENERATION])
@pytest.mark.parametrize("body", [b"", b'{"candidates": [', b"<html>", b"\xff"])
def test_half_a_document_is_asked_again(look: Look, body: bytes) -> None:
    assert judge(look).answered(200, body) == Resume(Cause.GARBLED)


def test_a_document_that_is_only_fetched_is_not_read() -> None:
    assert judge(Look.STATUS).answered(200, b"half") is None


def test_what_is_no_json_is_not_read() -> None:
    assert judge().answered(200, None) is None


def test_an_error_with_status_200_is_an_error() -> None:
    assert judge().answered(200, error(503)) == Resume(Cause.ERROR_FRAME)
    assert judge().answered(200, error(400)) is None


def test_an_answer_passes() -> None:
    judged = judge()

    assert judged.answered(200, said(chunk("Hello", finish="STOP", usage=(3, 2)))) is None
    assert (judged.causes, judged.finish_reason, judged.extra_tokens) == ([], "STOP", 0)
    assert judged.billed == Billed(prompt=3, output=2, thoughts=0, total=5)


@pytest.mark.parametrize(
    "response",
    [
        chunk(finish="STOP"),
        chunk("", finish="STOP"),
        chunk(parts=[], finish="STOP"),
        chunk(parts=[THOUGHT], finish="STOP"),
        chunk(parts=[{"text": "", "thoughtSignature": "c2ln"}], finish="STOP"),
        {"usageMetadata": {"promptTokenCount": 3}},
        {"candidates": []},
        {},
    ],
)
def test_an_answer_that_says_nothing_is_asked_again_twice(response: Json) -> None:
    judged = judge()

    verdicts = [judged.answered(200, said(response)) for _ in range(3)]

    assert verdicts == [Resume(Cause.EMPTY), Resume(Cause.EMPTY), None]


def test_an_empty_answer_to_a_function_response_passes() -> None:
    turn = {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]}
    body = json.dumps({"contents": [*REQUEST["contents"], turn]}).encode()

    assert judge(body=body).answered(200, said(chunk(finish="STOP"))) is None


@pytest.mark.parametrize(
    "part",
    [
        {"text": " "},
        {"functionCall": {"name": "f"}},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        {"unknown": 1},
    ],
)
def test_an_answer_that_says_anything_passes(part: Json) -> None:
    assert judge().answered(200, said(chunk(parts=[THOUGHT, part], finish="STOP"))) is None


@pytest.mark.parametrize(
    "response",
    [
        chunk("Hello"),
        chunk("Hello", finish="FINISH_REASON_UNSPECIFIED"),
        chunk(parts=[{"functionCall": {"name": "f"}}]),
        {
            "candidates": [
                {"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"},
                {"content": {"parts": [{"text": "b"}]}, "index": 1},
            ]
        },
    ],
)
def test_content_without_a_reason_is_asked_again_like_a_cut_and_never_passed_on(
    response: Json,
) -> None:
    judged = judge()

    verdicts = [judged.answered(200, said(response)) for _ in range(9)]

    assert verdicts == [Resume(Cause.DROP)] * 9
    assert not judged.whole


def test_an_answer_behind_a_cut_one_is_whole_again() -> None:
    judged = judge()
    judged.answered(200, said(chunk("Hel")))

    assert judged.answered(200, said(chunk("Hello", finish="STOP"))) is None
    assert judged.whole


def test_a_cut_answer_that_may_not_be_asked_again_is_not_whole() -> None:
    judged = judge(max_extra_tokens=1)

    assert judged.answered(200, said(chunk("Hel", usage=(5, 2)))) is None
    assert not judged.whole


@pytest.mark.parametrize("reason", sorted(POLICY_REASONS | {"IMAGE_NEW", "MAX_TOKENS", "NEW"}))
@pytest.mark.parametrize("parts", [[], [THOUGHT], [{"text": "a"}]])
def test_policy_endings_and_the_unknown_pass_at_once(reason: str, parts: list[Json]) -> None:
    assert judge().answered(200, said(chunk(parts=parts, finish=reason))) is None


@pytest.mark.parametrize("other", [None, "MALFORMED_FUNCTION_CALL", "STOP"])
@pytest.mark.parametrize("refused", [0, 1])
def test_a_policy_ending_of_one_candidate_is_never_asked_again(
    other: str | None, refused: int
) -> None:
    candidates: list[Json] = [
        {"index": 1 - refused, "content": {"parts": [{"text": "a"}]}, "finishReason": other},
        {"index": refused, "finishReason": "SAFETY"},
    ]
    judged = judge()

    assert judged.answered(200, said({"candidates": candidates})) is None
    assert judged.whole


def test_a_blocked_prompt_passes_at_once() -> None:
    blocked = {"promptFeedback": {"blockReason": "OTHER"}}

    assert judge().answered(200, said(blocked)) is None


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"])
@pytest.mark.parametrize("parts", [[], [{"text": "a"}]])
def test_an_ending_to_replay_is_asked_again_twice(reason: str, parts: list[Json]) -> None:
    judged = judge()

    verdicts = [judged.answered(200, said(chunk(parts=parts, finish=reason))) for _ in range(3)]

    assert verdicts == [Resume(Cause.BAD_FINISH), Resume(Cause.BAD_FINISH), None]


def test_an_ending_to_reroll_is_asked_again_once() -> None:
    judged = judge(finish=FinishTable({"RECITATION": Verdict.REROLL}))
    response = said(chunk("a", finish="RECITATION"))

    assert [judged.answered(200, response) for _ in range(2)] == [Resume(Cause.BAD_FINISH), None]


def test_an_ending_to_resume_is_asked_again_while_there_is_no_text() -> None:
    assert judge().answered(200, said(chunk(finish="OTHER"))) == Resume(Cause.BAD_FINISH)
    assert judge().answered(200, said(chunk("a", finish="OTHER"))) is None


def test_several_candidates_pass() -> None:
    response = {"candidates": [{"index": 0, "finishReason": "STOP"}, {"index": 1}]}

    assert judge().answered(200, said(response)) is None


def test_a_cap_on_extra_tokens_ends_it() -> None:
    empty = said(chunk(finish="STOP", usage=(10, 0)))
    judged = judge(max_extra_tokens=25)

    assert judged.answered(200, empty) == Resume(Cause.EMPTY)
    assert judged.answered(200, empty) is None


def test_extra_tokens_are_those_of_the_answers_that_did_not_pass() -> None:
    judged = judge()
    judged.answered(200, said(chunk(finish="STOP", usage=(10, 0))))
    judged.answered(200, said(chunk("a", finish="STOP", usage=(10, 4))))

    assert judged.extra_tokens == 10
    assert judged.billed.total == 24


@given(
    st.sampled_from(list(Look)),
    st.integers(200, 599),
    st.none() | st.binary(max_size=40) | st.just(said(chunk(finish="STOP"))),
)
def test_without_repair_nothing_is_asked_again(look: Look, status: int, body: bytes | None) -> None:
    judged = judge(look, repair=False)

    assert judged.answered(status, body, 1.0) is None
    assert judged.broke(How.RESET) is None
    assert judged.causes == []


def test_a_method_that_is_no_generation_reports_no_tokens() -> None:
    judged = judge(Look.DOCUMENT)
    judged.answered(503, None)

    assert judged.causes == [Cause.STATUS]


@pytest.mark.parametrize(
    ("config", "gains"),
    [
        ({}, True),
        ({"responseModalities": ["TEXT"]}, True),
        ({"response_modalities": ["text"]}, True),
        ({"responseModalities": ["TEXT", "IMAGE"]}, False),
        ({"responseModalities": ["AUDIO"]}, False),
        ({"candidateCount": 2}, False),
    ],
)
def test_only_text_gains_by_streaming(config: Json, gains: bool) -> None:
    request = StreamRequest(json.dumps({**REQUEST, "generationConfig": config}).encode())

    assert gains_by_streaming(request) is gains


def test_a_request_that_cannot_be_read_does_not_gain() -> None:
    assert not gains_by_streaming(StreamRequest(b"\x1f\x8b"))


def test_the_prompt_is_not_shown() -> None:
    assert "story" not in repr(attrs.evolve(judge()))
