"""The three forms of a body, byte by byte."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.chaos.framing import Framing, Style

documents = st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20)), max_size=5)


def body(framing: Framing, found: list[dict[str, str]]) -> bytes:
    pieces = [framing.frame(document, first=i == 0) for i, document in enumerate(found)]
    return b"".join(pieces) + framing.closing(empty=not pieces)


@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
def test_an_event_is_one_data_line_and_a_blank_one(line_end: str) -> None:
    framed = Framing(Style.SSE, line_end).frame({"a": "ü", "b": 1}, first=True)
    assert framed == f'data: {{"a": "ü","b": 1}}{line_end}{line_end}'.encode()


def test_an_array_is_streamed_as_google_streams_it() -> None:
    assert body(Framing(Style.ARRAY), [{"a": "1"}, {"b": "2"}]) == (
        b'[{\n  "a": "1"\n}\n,\r\n{\n  "b": "2"\n}\n]'
    )


@given(documents)
def test_an_array_is_one_json_document(found: list[dict[str, str]]) -> None:
    assert json.loads(body(Framing(Style.ARRAY), found)) == found


@given(documents)
def test_events_are_the_documents_in_order(found: list[dict[str, str]]) -> None:
    lines = body(Framing(Style.SSE), found).split(b"\r\n\r\n")[:-1]
    assert [json.loads(line.removeprefix(b"data: ")) for line in lines] == found


def test_a_unary_answer_is_the_document() -> None:
    assert json.loads(body(Framing(Style.UNARY), [{"a": "1"}])) == {"a": "1"}


def test_enums_become_numbers_where_they_have_one() -> None:
    framing = Framing(Style.ARRAY, int_enums=True)
    document = {
        "candidates": [{"finishReason": "MAX_TOKENS"}, {"finishReason": "BRAND_NEW"}, {}],
        "promptFeedback": {"blockReason": "SAFETY"},
    }
    found = json.loads(framing.frame(document, first=True) + b"]")[0]
    assert found["candidates"] == [{"finishReason": 2}, {"finishReason": "BRAND_NEW"}, {}]
    assert found["promptFeedback"] == {"blockReason": 1}


@pytest.mark.parametrize("style", [Style.SSE, Style.ARRAY])
def test_garbage_is_no_json(style: Style) -> None:
    data = Framing(style).garbage().strip().removeprefix(b"data: ").removeprefix(b",")
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(data)


@pytest.mark.parametrize(
    ("style", "media_type"),
    [
        (Style.SSE, "text/event-stream"),
        (Style.ARRAY, "application/json; charset=UTF-8"),
        (Style.UNARY, "application/json; charset=UTF-8"),
    ],
)
def test_each_form_has_the_media_type_that_google_gives_it(style: Style, media_type: str) -> None:
    assert Framing(style).content_type == media_type


def test_an_http_error_is_bare_but_in_a_list_where_an_array_was_due() -> None:
    error = {"error": {"code": 503}}
    assert json.loads(Framing(Style.SSE).rejection(error)) == error
    assert json.loads(Framing(Style.ARRAY).rejection(error)) == [error]


@pytest.mark.parametrize("style", list(Style))
def test_an_endless_line_has_no_end(style: Style) -> None:
    assert b"\n" not in Framing(style).line_without_end()
