"""What keyed requests may say, and what is refused."""

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from gemproxy.core.errors import BadRequest
from gemproxy.resume.cursor import Cursor, Wish, wish_of

SID = "0123456789abcdef" * 2


def headers(*pairs: tuple[str, str]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(pairs))


@pytest.mark.parametrize(
    ("value", "cursor"),
    [
        ("0", Cursor(0)),
        ("17", Cursor(17)),
        (" 17\t", Cursor(17)),
        ("007", Cursor(7)),
        (f"{SID}:3", Cursor(3, SID)),
    ],
)
def test_a_cursor_is_a_number_perhaps_with_its_stream(value: str, cursor: Cursor) -> None:
    assert Cursor.of([value], "after") == cursor


@pytest.mark.parametrize(
    "value", ["-1", "+1", "1.5", "abc", "", " ", "1e3", "0x1", "١", "1 2", f"{10**30}", ":3", "x:3"]
)
def test_p16_another_form_is_refused(value: str) -> None:
    with pytest.raises(BadRequest, match="Last-Event-ID"):
        Cursor.of([value], "Last-Event-ID")


def test_p16_two_cursors_are_refused() -> None:
    with pytest.raises(BadRequest, match="once"):
        wish_of(headers(("Idempotency-Key", "a"), ("Last-Event-ID", "1"), ("last-event-id", "1")))


def test_without_a_cursor_nothing_is_resumed() -> None:
    assert Cursor.of([], "after") is None
    assert wish_of(headers(("Idempotency-Key", "a"))) == Wish("a", None)
    assert Wish("a", None).after == 0


@pytest.mark.parametrize("key", ["", "a b", "ü", "a\tb", "x" * 256])
def test_a_key_of_another_form_is_refused(key: str) -> None:
    with pytest.raises(BadRequest, match="Idempotency-Key"):
        wish_of(headers(("Idempotency-Key", key)))


def test_two_keys_are_refused() -> None:
    with pytest.raises(BadRequest, match="once"):
        wish_of(headers(("Idempotency-Key", "a"), ("Idempotency-Key", "a")))


def test_a_request_says_what_becomes_of_the_answer_without_followers() -> None:
    key = ("Idempotency-Key", "!~" * 127)

    assert wish_of(headers(key, ("X-Gemproxy-On-Disconnect", " Cancel "))).on_disconnect == "cancel"
    with pytest.raises(BadRequest, match="continue or cancel"):
        wish_of(headers(key, ("X-Gemproxy-On-Disconnect", "maybe")))


def test_ids_of_events_are_asked_for() -> None:
    key = ("Idempotency-Key", "a")

    assert wish_of(headers(key, ("X-Gemproxy-Event-Ids", "1"))).ids
    assert not wish_of(headers(key, ("X-Gemproxy-Event-Ids", "0"))).ids
