"""The error tree: every class answers in google.rpc terms and tells no secrets."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.errors import (
    RPC_CODES,
    BadEnding,
    BadField,
    BadRequest,
    Busy,
    DeadlinePassed,
    GemproxyError,
    NoFirstByte,
    NotContinuable,
    TooLarge,
    Unreachable,
    Unrepaired,
    UpstreamFailure,
    UpstreamRejection,
    details_of,
    status_payload,
    upstream_error,
)

QUOTA = {
    "code": 429,
    "message": "You exceeded your current quota.",
    "status": "RESOURCE_EXHAUSTED",
    "details": [
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "20s"},
    ],
}


CLASSES = [
    GemproxyError,
    BadRequest,
    TooLarge,
    Busy,
    DeadlinePassed,
    NotContinuable,
    UpstreamFailure,
    Unreachable,
    NoFirstByte,
    Unrepaired,
]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (GemproxyError, 500, "INTERNAL"),
        (BadRequest, 400, "INVALID_ARGUMENT"),
        (TooLarge, 413, "INVALID_ARGUMENT"),
        (Busy, 503, "UNAVAILABLE"),
        (DeadlinePassed, 504, "DEADLINE_EXCEEDED"),
        (UpstreamFailure, 502, "UNAVAILABLE"),
        (Unreachable, 503, "UNAVAILABLE"),
        (NoFirstByte, 504, "DEADLINE_EXCEEDED"),
        (Unrepaired, 503, "UNAVAILABLE"),
    ],
)
def test_each_class_knows_its_status_and_its_code(
    error: type[GemproxyError], status: int, code: str
) -> None:
    assert error("What went wrong.").payload() == {
        "error": {"code": status, "message": "What went wrong.", "status": code}
    }


@pytest.mark.parametrize("error", CLASSES)
def test_status_and_code_of_a_class_agree_with_the_table(error: type[GemproxyError]) -> None:
    assert RPC_CODES[error.status] == error.code


@pytest.mark.parametrize("error", [Unreachable, NoFirstByte, Unrepaired, UpstreamRejection])
def test_what_the_upstream_caused_is_an_upstream_failure(error: type[GemproxyError]) -> None:
    assert issubclass(error, UpstreamFailure)


def test_a_request_that_cannot_be_continued_is_no_fault_of_the_upstream() -> None:
    assert not issubclass(NotContinuable, UpstreamFailure)


def test_the_request_id_is_among_the_details() -> None:
    (detail,) = Busy("Come again.").payload("req-1")["error"]["details"]

    assert detail == {"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "req-1"}


@pytest.mark.parametrize(("status", "code"), [(429, "RESOURCE_EXHAUSTED"), (502, "UNAVAILABLE")])
def test_a_status_without_a_code_gets_the_one_of_the_table(status: int, code: str) -> None:
    assert status_payload(status, "")["error"]["status"] == code


def test_a_status_that_the_table_does_not_have_is_unknown() -> None:
    assert status_payload(418, "")["error"]["status"] == "UNKNOWN"


@pytest.mark.parametrize("document", [{"error": QUOTA}, [{"error": QUOTA}]])
def test_an_upstream_error_is_passed_on_as_it_came(document: object) -> None:
    rejection = UpstreamRejection(429, json.dumps(document).encode())

    assert rejection.payload() == {"error": QUOTA}


def test_an_upstream_error_gains_the_request_id_among_its_details() -> None:
    rejection = UpstreamRejection(429, json.dumps({"error": QUOTA}).encode())

    error = rejection.payload("req-1")["error"]

    assert {**error, "details": error["details"][:-1]} == QUOTA
    assert error["details"][-1]["requestId"] == "req-1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>502</html>",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"[null]",
        b'"error"',
        b'{"error": "text"}',
        b'{"error": ["list"]}',
        b'{"message": "other"}',
        b"[" * 200_000,
    ],
)
def test_an_upstream_answer_that_is_no_google_error_is_told_in_our_words(body: bytes) -> None:
    error = UpstreamRejection(502, body).payload("req-1")["error"]

    assert (error["code"], error["status"]) == (502, "UNAVAILABLE")
    assert error["details"][0]["requestId"] == "req-1"
    assert "html" not in error["message"]


@given(st.binary())
def test_any_body_makes_an_error_payload(body: bytes) -> None:
    payload = UpstreamRejection(500, body).payload()

    assert isinstance(payload["error"], dict)


@given(st.binary())
def test_of_any_body_an_error_is_an_object_or_nothing(body: bytes) -> None:
    error = upstream_error(body)

    assert error is None or isinstance(error, dict)


def test_neither_message_nor_repr_of_a_rejection_shows_the_body() -> None:
    rejection = UpstreamRejection(400, b'{"error": {"message": "API key test-key is bad"}}')

    assert "test-key" not in f"{rejection} {rejection!r} {rejection.args}"
    assert "400" in str(rejection)


def test_errors_are_compared_by_identity() -> None:
    one, other = UpstreamRejection(500, b""), UpstreamRejection(500, b"")

    assert one != other
    assert len({one, other}) == 2


def test_a_rejection_can_be_raised_and_caught_as_what_it_is() -> None:
    with pytest.raises(UpstreamFailure) as caught:
        raise UpstreamRejection(503, b"")

    assert isinstance(caught.value, UpstreamRejection)
    assert caught.value.rejected_with == 503


@pytest.mark.parametrize("error", [UpstreamFailure, Unreachable, NoFirstByte, Unrepaired])
def test_who_asked_several_times_says_not_to_ask_again_at_once(
    error: type[GemproxyError],
) -> None:
    assert error("m").headers(6) == {"Retry-After": "30", "x-should-retry": "false"}
    assert error("m").headers(1) == {}


def test_of_its_own_answer_the_upstream_says_when_to_ask_again() -> None:
    assert UpstreamRejection(503, b"").headers(6) == {}


@pytest.mark.parametrize("attempts", [1, 6])
def test_who_is_busy_says_for_how_long(attempts: int) -> None:
    assert Busy("m").headers(attempts) == {"Retry-After": "1"}
    assert BadRequest("m").headers(attempts) == {}


@pytest.mark.parametrize("details", [None, "x", {}, [], [7, None, {"@type": 7}]])
def test_details_of_odd_types_are_none(details: object) -> None:
    assert list(details_of({"details": details}, "RetryInfo")) == []


def test_details_are_found_by_the_end_of_their_type() -> None:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"}
    other = {"@type": "type.googleapis.com/google.rpc.Help"}

    assert list(details_of({"details": [other, info, info]}, "RetryInfo")) == [info, info]
    assert list(details_of(None, "RetryInfo")) == []


def test_a_field_is_named_in_words_and_for_programs() -> None:
    error = BadField("tool_choice", "names no tool", reason="unknown_tool")

    details = error.payload("r-1")["error"]["details"]

    assert error.message == "'tool_choice' names no tool."
    assert [detail["@type"].rpartition(".")[2] for detail in details] == [
        "RequestInfo",
        "BadRequest",
        "ErrorInfo",
    ]
    assert details[1]["fieldViolations"][0]["field"] == "tool_choice"
    assert details[2]["reason"] == "unknown_tool"


def test_a_bad_ending_names_geminis_word_for_programs() -> None:
    error = BadEnding("MALFORMED_RESPONSE").payload("r")["error"]

    (info,) = details_of(error, "ErrorInfo")
    assert info["reason"] == "malformed_response"
    assert error["code"] == 503
