"""What each SDK is sent besides what Gemini says."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from gemproxy.relay.dialects import (
    ARRAY,
    FRAGILE,
    GO,
    INTERACTIONS,
    MUTE,
    OPENAI,
    STANDARD,
    Dialect,
    dialect_of,
    eol_of,
)

ERROR = {"error": {"code": 503, "message": "broken \u2028 stream", "status": "UNAVAILABLE"}}


@pytest.mark.parametrize(
    ("client", "dialect"),
    [
        ("", STANDARD),
        ("google-genai-sdk/1.10.0 gl-python/3.11.7", STANDARD),
        ("google-genai-sdk/3.4.0 gl-python/3.13.0", STANDARD),
        ("google-genai-sdk/0.8.0 gl-node/v20.1.0", FRAGILE),
        ("google-genai-sdk/1.9.0 gl-node/web", FRAGILE),
        ("google-genai-sdk/1.29.9 gl-node/v20.1.0", FRAGILE),
        ("google-genai-sdk/1.30.0 gl-node/v20.1.0", STANDARD),
        ("google-genai-sdk/2.0.0 gl-node/v20.1.0", STANDARD),
        ("google-genai-sdk/1.30.0-rc.1 gl-node/cross", STANDARD),
        ("google-genai-sdk/1.5.0 gl-java/17", STANDARD),
        ("google-genai-sdk/1.5.0 gl-go/go1.24", GO),
        ("genai-js/0.24.1", FRAGILE),
        ("langchainjs genai-js/0.24.1", FRAGILE),
        ("genai-dart/0.4.7", FRAGILE),
        ("ai-sdk/google/4.0.121", STANDARD),
        ("google-genai-sdk/99999999.1 gl-node/v1", STANDARD),
    ],
)
@pytest.mark.parametrize("header", ["X-Goog-Api-Client", "User-Agent"])
def test_the_dialect_follows_from_the_client_headers(
    client: str, dialect: Dialect, header: str
) -> None:
    assert dialect is dialect_of(CIMultiDict({header: client}))


def test_without_sse_the_dialect_is_the_array() -> None:
    assert ARRAY is dialect_of({"x-goog-api-client": "genai-js/0.24.1"}, sse=False)


@pytest.mark.parametrize("eol", [b"\r\n", b"\n", b"\r"])
@pytest.mark.parametrize("dialect", [STANDARD, GO])
def test_a_heartbeat_is_a_blank_line_in_the_style_of_the_stream(
    dialect: Dialect, eol: bytes
) -> None:
    assert eol * 2 == dialect.heartbeat(eol)


def test_before_the_first_frame_a_heartbeat_has_geminis_line_ends() -> None:
    assert STANDARD.heartbeat(None) == b"\r\n\r\n"


def test_go_gets_no_heartbeat_before_its_line_ends_are_known() -> None:
    assert GO.heartbeat(None) is None


def test_clients_that_break_on_blank_lines_get_none() -> None:
    assert FRAGILE.heartbeat(b"\r\n") is None


def test_an_array_may_be_padded_only_once_it_is_open() -> None:
    assert ARRAY.heartbeat(None) is None
    assert ARRAY.heartbeat(b"\r\n") == b"\n"


@pytest.mark.parametrize("dialect", [STANDARD, FRAGILE])
def test_an_error_is_one_framed_event(dialect: Dialect) -> None:
    raw = dialect.error_bytes(ERROR, b"\n")

    assert raw.startswith(b"data: ")
    assert raw.endswith(b"}\n\n")
    assert json.loads(raw.removeprefix(b"data: ")) == ERROR


def test_go_gets_the_bare_error() -> None:
    raw = GO.error_bytes(ERROR, None)

    assert raw.endswith(b"}\r\n\r\n")
    assert json.loads(raw) == ERROR


def test_an_error_in_an_array_is_an_element_and_leaves_the_array_open() -> None:
    assert json.loads(b"[{}" + ARRAY.error_bytes(ERROR, b"\r\n") + b"]") == [{}, ERROR]
    assert json.loads(ARRAY.error_bytes(ERROR, None) + b"]") == [ERROR]


@pytest.mark.parametrize(("eol", "end"), [(b"\r\n", b"\r\n"), (b"\n", b"\n"), (None, b"\n")])
def test_an_error_in_an_interaction_is_one_of_its_events(eol: bytes | None, end: bytes) -> None:
    name, data, *rest = INTERACTIONS.error_bytes(ERROR, eol).split(end)

    assert (name, rest) == (b"event: error", [b"", b""])
    event = json.loads(data.removeprefix(b"data: "))
    assert event == {"error": {**ERROR["error"], "code": "unavailable"}, "event_type": "error"}


def test_a_code_that_is_a_word_stays_one() -> None:
    raw = INTERACTIONS.error_bytes({"error": {"code": "gateway_timeout"}}, None)

    assert b'"code":"gateway_timeout"' in raw


def test_an_interaction_is_kept_warm_by_blank_lines() -> None:
    assert INTERACTIONS.heartbeat(b"\n") == b"\n\n"
    assert INTERACTIONS.heartbeat(None) == b"\r\n\r\n"


@given(st.text(), st.sampled_from([STANDARD, GO, FRAGILE]))
def test_an_error_is_one_line_whatever_its_message(message: str, dialect: Dialect) -> None:
    raw = dialect.error_bytes({"error": {"message": message}}, b"\n")

    assert len(raw.decode("ascii").removesuffix("\n\n").splitlines()) == 1


@pytest.mark.parametrize(
    ("raw", "eol"),
    [
        (b"data: {}\r\n\r\n", b"\r\n"),
        (b"data: {}\n\n", b"\n"),
        (b"data: {}\r\r", b"\r"),
        (b"[{}", b"\r\n"),
    ],
)
def test_the_line_end_is_that_of_the_frame(raw: bytes, eol: bytes) -> None:
    assert eol == eol_of(raw)


def test_an_error_for_openai_has_its_form() -> None:
    raw = OPENAI.error_bytes(ERROR, b"\n")

    assert raw.startswith(b"data: {")
    assert raw.endswith(b"}\n\n")
    assert json.loads(raw.removeprefix(b"data: "))["error"] == {
        "message": ERROR["error"]["message"],
        "type": "server_error",
        "param": None,
        "code": "unavailable",
    }


def test_a_mute_dialect_says_nothing() -> None:
    assert not MUTE.may_speak_after(b"")
    assert MUTE.heartbeat(b"\n") is None
