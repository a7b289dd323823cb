"""Arguments of calls in a history, whole and spoiled."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.openai.arguments import DEPTH_MAX, arguments, shallow

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12
)
objects = st.dictionaries(st.text(), values, max_size=4)


@given(objects, st.booleans())
def test_an_object_stays_equal(value: dict[str, Any], ascii_only: bool) -> None:
    assert arguments(json.dumps(value, ensure_ascii=ascii_only)) == value
    assert arguments(value) == value


def test_numbers_take_no_way_over_floats() -> None:
    text = '{"city":"Zürich","note":"海藻 🪸 \\u2028","depth":1.0,"big":9007199254740993}'

    found = arguments(text)

    assert found == json.loads(text)
    assert found["big"] == 9007199254740993
    assert isinstance(found["big"], int)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (None, {}),
        ("", {}),
        ("  \n", {}),
        ("text", {}),
        ("null", {}),
        ("{", {}),
        ("}", {}),
        ('{"a":1}{"b":2}', {"a": 1}),
        ('{"a":1} and more', {"a": 1}),
        ('{"a":1,"b":"cut he', {"a": 1}),
        ('{"a":{"b":[1,2', {"a": {"b": [1]}}),
        ('"text"', {"value": "text"}),
        ("[1]", {"value": [1]}),
        ("7", {"value": 7}),
        ([1], {"value": [1]}),
        ('{"n":NaN,"m":-Infinity}', {"n": "NaN", "m": "-Infinity"}),
        ('{"n":1e999}', {"n": "1e999"}),
        ('{"n":' + "1" * 400 + "}", {"n": "1" * 400}),
        ('{"n":' + "1" * 5000 + "}", {"n": "1" * 5000}),
        (json.dumps('{"a":1}'), {"a": 1}),
        (json.dumps(json.dumps({"a": 1})), {"a": 1}),
    ],
)
def test_what_can_be_read_is_kept(text: object, read: dict[str, Any]) -> None:
    assert arguments(text) == read


@given(st.text())
def test_any_text_gives_an_object_that_is_json(text: str) -> None:
    found = arguments(text)

    assert isinstance(found, dict)
    json.dumps(found, allow_nan=False)


@given(objects, st.data())
def test_the_beginning_of_a_cut_object_is_kept(value: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(value)
    cut = data.draw(st.integers(0, len(text) - 1))

    assert set(arguments(text[:cut])) <= set(value)


@pytest.mark.parametrize("levels", [DEPTH_MAX + 5, 400, 600, 100_000])
def test_deep_values_are_kept_as_text_or_left_out(levels: int) -> None:
    found = arguments('{"a":' + "[" * levels + "]" * levels + "}")

    assert shallow(found)
