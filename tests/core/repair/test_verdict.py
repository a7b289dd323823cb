"""The tables: what ends an answer, what goes on, and what no setting can change."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.errors import RPC_CODES
from gemproxy.core.repair.verdict import (
    DEFAULT_VERDICTS,
    FIXED_REASONS,
    POLICY_REASONS,
    FinishTable,
    Verdict,
    error_status,
    is_policy,
    is_transient,
    rejection_of,
    retry_delay,
    retry_delay_of_body,
)

RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    "reason",
    [
        "SAFETY",
        "PROHIBITED_CONTENT",
        "BLOCKLIST",
        "SPII",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "IMAGE_OTHER",
        "IMAGE_REASON_OF_TOMORROW",
        "MODEL_ARMOR",
        "ESCALATION",
    ],
)
@pytest.mark.parametrize("verdict", [Verdict.RESUME, Verdict.REPLAY, Verdict.REROLL])
def test_a_policy_ending_passes_and_no_setting_changes_it(reason: str, verdict: Verdict) -> None:
    assert FinishTable().of(reason) is Verdict.POLICY
    with pytest.raises(ValueError, match=reason):
        FinishTable({reason: verdict})


@pytest.mark.parametrize("reason", sorted(FIXED_REASONS))
def test_an_ending_of_fixed_meaning_cannot_be_set(reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        FinishTable({reason: Verdict.RESUME})


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [
        ("STOP", Verdict.ACCEPT),
        ("MAX_TOKENS", Verdict.ACCEPT),
        ("CONTINUATION", Verdict.CONTINUE),
        ("OTHER", Verdict.RESUME),
        ("MALFORMED_RESPONSE", Verdict.RESUME),
        ("MALFORMED_FUNCTION_CALL", Verdict.REPLAY),
        ("UNEXPECTED_TOOL_CALL", Verdict.REPLAY),
        ("RECITATION", Verdict.ACCEPT),
        ("LANGUAGE", Verdict.ACCEPT),
        ("NO_IMAGE", Verdict.ACCEPT),
        ("TOO_MANY_TOOL_CALLS", Verdict.ACCEPT),
        ("A_REASON_OF_TOMORROW", Verdict.ACCEPT),
    ],
)
def test_the_default_verdicts_are_those_of_the_design(reason: str, verdict: Verdict) -> None:
    assert FinishTable().of(reason) is verdict


def test_a_setting_names_reroll_for_a_recitation() -> None:
    table = FinishTable({**DEFAULT_VERDICTS, "RECITATION": Verdict.REROLL})

    assert table.of("RECITATION") is Verdict.REROLL
    assert FinishTable().of("RECITATION") is Verdict.ACCEPT


def test_a_reason_that_is_not_set_is_accepted() -> None:
    assert FinishTable({}).of("OTHER") is Verdict.ACCEPT


@given(st.dictionaries(st.text(min_size=1), st.sampled_from(Verdict)), st.text())
def test_no_table_takes_a_policy_reason_away(settings: dict[str, Verdict], reason: str) -> None:
    taken = {name for name in settings if is_policy(name) or name in FIXED_REASONS}
    table = FinishTable({name: settings[name] for name in settings.keys() - taken})

    assert {table.of(policy) for policy in POLICY_REASONS} == {Verdict.POLICY}
    assert table.of(f"IMAGE_{reason}") is Verdict.POLICY


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529, 599])
def test_a_passing_fault_is_worth_another_attempt(status: int) -> None:
    assert is_transient(status)


@pytest.mark.parametrize("status", [200, 304, 400, 401, 403, 404, 409, 413, 499, 501, 600])
def test_a_lasting_fault_is_not(status: int) -> None:
    assert not is_transient(status)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"code": 503}, 503),
        ({"code": 429, "status": "UNAVAILABLE"}, 429),
        ({"status": "RESOURCE_EXHAUSTED"}, 429),
        ({"status": "PERMISSION_DENIED"}, 403),
        ({"status": "INVALID_ARGUMENT"}, 400),
        ({"status": "UNAVAILABLE"}, 503),
        ({"code": 14, "status": "UNAVAILABLE"}, 503),
        ({"code": "503"}, 500),
        ({"code": True}, 500),
        ({"code": 200}, 500),
        ({"code": 700}, 500),
        ({"status": ["UNAVAILABLE"]}, 500),
        ({"message": "no code"}, 500),
        ({}, 500),
    ],
)
def test_an_error_object_has_the_status_that_it_names_else_500(
    error: dict[str, Any], status: int
) -> None:
    assert error_status(error) == status


@given(st.dictionaries(st.sampled_from(["code", "status", "details", "x"]), json_values))
def test_any_error_object_has_an_http_error_status(error: dict[str, Any]) -> None:
    assert 400 <= error_status(error) < 600
    retry_delay(error)


@given(st.sampled_from(sorted(set(RPC_CODES.values()))))
def test_every_code_of_the_table_is_understood_by_its_name(code: str) -> None:
    assert RPC_CODES[error_status({"status": code})] == code


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        ("20s", 20.0),
        ("20.04s", 20.04),
        ("0s", 0.0),
        ("0.000000001s", 1e-9),
        ("999999999s", 999999999.0),
        ("-3s", None),
        ("20", None),
        ("20ms", None),
        ("1e3s", None),
        ("s", None),
        ("20s\n", None),
        ("", None),
        (20, None),
        (None, None),
        ({"seconds": 20}, None),
    ],
)
def test_a_retry_delay_is_read_as_protobuf_writes_a_duration(
    duration: object, seconds: float | None
) -> None:
    assert retry_delay({"details": [{"@type": RETRY_INFO, "retryDelay": duration}]}) == seconds


def test_the_delay_is_found_behind_other_details() -> None:
    details = [
        None,
        "text",
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "retryDelay": "1s"},
        {"retryDelay": "2s"},
        {"@type": RETRY_INFO, "retryDelay": "3s"},
    ]

    assert retry_delay({"details": details}) == 3.0


@pytest.mark.parametrize("details", [None, {}, "RetryInfo", 3, []])
def test_without_details_there_is_no_delay(details: object) -> None:
    assert retry_delay({"details": details}) is None
    assert retry_delay(None) is None


def test_the_delay_of_a_body_is_that_of_its_error() -> None:
    error = {"error": {"code": 429, "details": [{"@type": RETRY_INFO, "retryDelay": "7.5s"}]}}

    assert retry_delay_of_body(json.dumps(error).encode()) == 7.5
    assert retry_delay_of_body(json.dumps([error]).encode()) == 7.5
    assert retry_delay_of_body(b"<html>") is None


def test_an_error_inside_a_stream_is_an_error_answer() -> None:
    error = {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}
    rejection = rejection_of(error)

    assert rejection.rejected_with == 503
    assert rejection.payload() == {"error": error}
    assert rejection_of({}).rejected_with == 500
