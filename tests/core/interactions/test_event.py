"""What one frame of an interaction's stream says."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.answer.chunk import Undecodable
from gemproxy.core.interactions.event import DONE, SILENT, Event, fingerprint, read


def said(**event: Any) -> Event:
    return read(json.dumps(event).encode())


def test_a_creation_names_the_interaction() -> None:
    event = said(
        event_type="interaction.created",
        interaction={"id": "v1_a", "status": "in_progress", "model": "m"},
    )

    assert event == Event("interaction.created", interaction_id="v1_a", status="in_progress")
    assert event.is_lifecycle


def test_a_status_update_may_carry_a_token() -> None:
    event = said(
        event_type="interaction.status_update",
        interaction_id="v1_a",
        status="in_progress",
        continuation_token="t",
        event_id="e",
    )

    assert (event.interaction_id, event.token, event.id) == ("v1_a", "t", "e")
    assert event.is_lifecycle


def test_a_piece_of_text_speaks_and_a_thought_does_not() -> None:
    assert said(event_type="step.delta", delta={"type": "text", "text": "a"}).speaks
    assert not said(event_type="step.delta", delta={"type": "thought_summary"}).speaks
    assert not said(event_type="step.delta", delta={"type": "text"}).is_lifecycle


@pytest.mark.parametrize("data", [b"[DONE]", b" [DONE] "])
def test_the_end_mark_is_known(data: bytes) -> None:
    assert read(data) == DONE


@pytest.mark.parametrize("data", [None, b""])
def test_a_frame_without_data_says_nothing(data: bytes | None) -> None:
    assert read(data) == SILENT


@pytest.mark.parametrize("data", [b"[DO", b"{", b'"text"', b"[]", b"7", b"\xff"])
def test_what_is_no_event_is_refused(data: bytes) -> None:
    with pytest.raises(Undecodable):
        read(data)


def test_what_the_fast_decoder_refuses_is_read_slowly() -> None:
    event = read(
        b'{"event_type":"step.delta","event_id":"e","status":7,'
        b'"interaction":{"id":"v1_a"},"delta":{"type":"text","text":"\\ud800"},"error":null}'
    )

    assert (event.type, event.id, event.interaction_id) == ("step.delta", "e", "v1_a")
    assert event.speaks
    assert event.error is None


@pytest.mark.parametrize("word", ["gateway_timeout", "unavailable", "https://x/errors/internal"])
def test_an_error_of_the_way_is_a_fault(word: str) -> None:
    assert said(event_type="error", error={"code": word, "message": "m"}).is_fault


@pytest.mark.parametrize("code", ["invalid_request", "safety", None, 400, 429])
def test_an_error_of_the_interaction_is_none(code: object) -> None:
    assert not said(event_type="error", error={"code": code}).is_fault


def test_an_error_with_an_id_belongs_to_the_interaction() -> None:
    assert not said(event_type="error", event_id="e", error={"code": "unavailable"}).is_fault


def test_an_error_that_stands_unframed_in_a_list_is_read() -> None:
    event = read(b'[{\n"error": {"code": 503, "status": "UNAVAILABLE"}\n}\n]')

    assert event.error == {"code": 503, "status": "UNAVAILABLE"}
    assert event.is_fault
    assert event.type == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), JSON), st.text(max_size=5), st.randoms())
def test_a_fingerprint_knows_neither_order_nor_id_nor_space(
    event: dict[str, Any], event_id: str, random: Any
) -> None:
    event.pop("event_id", None)
    pairs = [*event.items(), ("event_id", event_id)]
    random.shuffle(pairs)

    assert fingerprint(json.dumps(dict(pairs), indent=2).encode()) == fingerprint(
        json.dumps(event, ensure_ascii=False).encode()
    )


def test_fingerprints_tell_events_apart() -> None:
    assert fingerprint(b'{"a":1}') != fingerprint(b'{"a":2}')
    assert fingerprint(b"[1]") != fingerprint(b"[2]")
    assert fingerprint(b'{"a":"\\ud800"}') != fingerprint(b'{"a":"\\ud801"}')


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        event = read(data)
    except Undecodable:
        return
    assert isinstance(event, Event)
    fingerprint(data)
