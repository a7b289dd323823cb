"""The strings of a JSON text, however it is cut."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.wire.strings import LONGEST, Strings, Text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
).filter(lambda value: isinstance(value, dict | list))


def read(*pieces: bytes) -> list[Text]:
    strings = Strings()
    return [text for piece in pieces for text in strings.feed(piece)]


def expected(value: Any, names: tuple[str, ...] = ()) -> list[Text]:
    if isinstance(value, str):
        return [Text(tuple(filter(None, names)), value)]
    if isinstance(value, dict):
        return [text for name in value for text in expected(value[name], (*names, name))]
    return [text for one in value for text in expected(one, names)] if value_is(value) else []


def value_is(value: Any) -> bool:
    return isinstance(value, list)


@given(JSON, st.booleans(), st.data())
def test_every_string_is_found_wherever_the_text_is_cut(
    value: Any, ascii_only: bool, data: st.DataObject
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]

    assert read(*pieces) == expected(value)


def test_names_and_values_are_decoded_and_doubles_are_both_there() -> None:
    found = read(rb'{"\u0061": "f\u0069les\/x", "a": ["y", {"b": "z"}], "a": "w"}')

    assert found == [
        Text(("a",), "files/x"),
        Text(("a",), "y"),
        Text(("a", "b"), "z"),
        Text(("a",), "w"),
    ]


@pytest.mark.parametrize("size", [1, 7, 1 << 16, 1 << 20])
def test_a_long_string_is_skipped_and_what_follows_is_read(size: int) -> None:
    image = 'a\\\\\\"b' * LONGEST
    text = f'{{"data": "{image}", "uri": "x"}}'.encode()
    pieces = [text[at : at + size] for at in range(0, len(text), size)] if size > 7 else [text]

    assert [text for text in read(*pieces) if text.value] == [Text(("uri",), "x")]


def test_a_blank_line_between_events_begins_anew() -> None:
    found = read(b'data: {"a": {"b": "cut\n\ndata: {"c": "x"}\n\n'.replace(b'"cut', b"1"))

    assert found == [Text(("c",), "x")]
