"""Errors in OpenAI's words."""

import json
from collections.abc import Mapping

import pytest

from gemproxy.core.errors import (
    BadEnding,
    BadField,
    GemproxyError,
    LimitReached,
    TooLarge,
    Unauthenticated,
    UpstreamRejection,
    status_payload,
)
from gemproxy.openai import words


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, "invalid_request_error", None),
        (401, "invalid_request_error", "invalid_api_key"),
        (403, "permission_error", "permission_denied"),
        (404, "invalid_request_error", "model_not_found"),
        (413, "invalid_request_error", "request_too_large"),
        (429, "rate_limit_error", "rate_limit_exceeded"),
        (418, "invalid_request_error", None),
        (500, "server_error", "internal_error"),
        (503, "server_error", "service_unavailable"),
        (504, "server_error", "timeout"),
        (529, "server_error", "internal_error"),
    ],
)
def test_each_status_has_its_words(status: int, kind: str, code: str | None) -> None:
    told = words.told(status_payload(status, "No.", request_id="r-1"))
    assert told == {
        "error": {
            "message": "No.",
            "type": kind,
            "param": None,
            "code": code,
            "request_id": "r-1",
        }
    }


def test_a_field_is_the_param_and_its_reason_the_code() -> None:
    error = BadField("messages[2].content", "must be a string", reason="unsupported_value")
    told = words.told(error.payload("r-2"))["error"]
    assert told["param"] == "messages[2].content"
    assert told["code"] == "unsupported_value"
    assert told["message"] == "'messages[2].content' must be a string."
    assert told["request_id"] == "r-2"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Unauthenticated("No key."), "invalid_request_error"),
        (TooLarge("Too much."), "invalid_request_error"),
        (LimitReached("Enough.", 3), "rate_limit_error"),
        (BadEnding("MALFORMED_FUNCTION_CALL"), "server_error"),
    ],
)
def test_our_own_errors_have_words(error: GemproxyError, kind: str) -> None:
    assert words.told(error.payload())["error"]["type"] == kind


def test_a_bad_ending_names_geminis_word() -> None:
    assert words.told(BadEnding("MALFORMED_RESPONSE").payload())["error"]["code"] == (
        "malformed_response"
    )


def google(status: int, message: str, *details: Mapping[str, object]) -> dict[str, object]:
    error = {"code": status, "message": message, "status": "X", "details": list(details)}
    return dict(UpstreamRejection(status, json.dumps({"error": error}).encode()).payload())


def test_googles_reason_is_the_code_and_its_message_stays() -> None:
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
    }
    told = words.told(google(400, "API key not valid.", info))["error"]
    assert (told["code"], told["message"]) == ("invalid_api_key", "API key not valid.")
    disabled = words.told(google(403, "Off.", {**info, "reason": "SERVICE_DISABLED"}))["error"]
    assert disabled["code"] == "service_disabled"


def test_a_key_in_googles_message_is_masked() -> None:
    key = "AIza" + "Sy" * 17
    told = words.told(google(403, f"Consumer 'api_key:{key}' has been suspended."))
    assert key not in json.dumps(told)
    assert "has been suspended." in told["error"]["message"]


def test_a_quota_of_the_day_or_of_nothing_is_no_quota() -> None:
    failure = {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}],
    }
    minute = {**failure, "violations": [{"quotaId": "GenerateRequestsPerMinutePerProject"}]}
    assert words.told(google(429, "Q", failure))["error"]["code"] == "insufficient_quota"
    assert words.told(google(429, "limit: 0, model: x"))["error"]["code"] == "insufficient_quota"
    assert words.told(google(429, "Q", minute))["error"]["code"] == "rate_limit_exceeded"
    none = {**failure, "violations": [{"quotaId": "InputTokens", "quotaValue": "0"}]}
    assert words.told(google(429, "Q", none))["error"]["code"] == "insufficient_quota"


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "invalid_api_key"), (413, "request_too_large"), (429, "rate_limit_exceeded")],
)
def test_an_error_of_a_gateway_that_names_no_status_has_that_of_its_answer(
    status: int, code: str
) -> None:
    error = UpstreamRejection(status, b'{"error": {"message": "No."}}')
    assert words.told(error.payload("r-1"))["error"]["code"] == code


@pytest.mark.parametrize(
    "payload",
    [{}, {"error": None}, {"error": "no"}, {"error": {"message": 3, "details": "x"}}],
)
def test_any_body_is_worded(payload: dict[str, object]) -> None:
    told = words.told(payload)["error"]
    assert isinstance(told["message"], str)
    assert told["type"] == "server_error"


def test_the_body_and_the_event_hold_the_same() -> None:
    payload = status_payload(500, "Oh.")
    assert words.as_event(payload) == b"data: " + words.body(payload) + b"\n\n"
    assert json.loads(words.body(payload)) == words.told(payload)
