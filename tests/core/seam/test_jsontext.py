"""JSON in slices says what the standard library says, and where a cut text stands."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.repair.request import Unreadable, loads_strictly
from gemproxy.core.seam.jsontext import (
    DEPTH_MAX,
    NotJSON,
    TextReader,
    agree,
    finished,
    parse,
    release,
)

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars.filter(lambda value: value not in (float("inf"), float("-inf"))),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)
jsonish = st.lists(
    st.sampled_from(
        [*'[]{}:,"\\ \n\t', "1", "0", "-", ".", "e", "true", "nul", "l", "\\u12", '"a"', "\x01"]
    ),
    max_size=12,
).map("".join)


def read(text: str) -> Any:
    return finished(parse(text))


def spelled(value: object, style: int) -> str:
    return json.dumps(value, ensure_ascii=style % 2 == 0, indent=[None, 1, "\t"][style % 3])


def begins_json(text: str) -> bool:
    """Tell whether the reader finds that ``text`` may be the beginning of a JSON text."""
    try:
        finished(TextReader().read(text))
    except NotJSON:
        return False
    return True


@given(values, st.integers(0, 5))
def test_a_value_is_read_as_it_was_written(value: object, style: int) -> None:
    assert read(spelled(value, style)) == value


@given(jsonish | st.text())
def test_what_the_strict_decoder_refuses_is_refused(text: str) -> None:
    try:
        expected = loads_strictly(text)
    except Unreadable:
        with pytest.raises(NotJSON):
            read(text)
    else:
        assert read(text) == expected


@given(values, st.integers(0, 5), st.data())
def test_it_does_not_matter_how_the_text_is_cut(
    value: object, style: int, data: st.DataObject
) -> None:
    text = spelled(value, style)
    places = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=6)))
    reader = TextReader()

    for start, end in itertools.pairwise([0, *places, len(text)]):
        finished(reader.read(text[start:end]))

    assert reader.finish()
    assert reader.value == value


@given(values, st.data())
def test_a_fork_reads_on_and_changes_nothing(value: object, data: st.DataObject) -> None:
    text = json.dumps(value)
    at = data.draw(st.integers(0, len(text)))
    reader = TextReader()
    finished(reader.read(text[:at]))

    fork = reader.fork()
    finished(fork.read(text[at:]))
    assert fork.finish()

    finished(reader.read(text[at:]))
    assert reader.finish()
    assert reader.value == value


@pytest.mark.parametrize(
    "text",
    [
        *("01", "1.e", "--", "+1", ".5", "1 2", "tru,", "nulll", "truex", "[1,]", "[,", '{"a" 1'),
        *('{"a":1,}', "{1", "]", "[}", '{"a":1]', '"\x01', '"\\x', '"\\u12g', "1e5x", "\ufeff1"),
        *('{"a":1,"a"', "[1]]", "[1] 2", "{} {", "'a'", "NaN", "-Infinity", "[1e999,", "[."),
        *('""""', "[" * (DEPTH_MAX + 1), f"[{'1' * 5000},", "\xa01", "[\u0661,"),
    ],
)
def test_a_text_that_cannot_become_json_is_refused_at_once(text: str) -> None:
    assert not begins_json(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", " \n", "-", "0", "-0.", "12", "1e", "1.5E+", "t", "nul", '"', '"a', '"\\', '"\\u'),
        *('"\\u12', '"\\ud83d', '"\\ud83d\\ude00', "[", "[1", "[1,", '{"', '{"a', '{"a"', '{"a":'),
        *('{"a": -', "[[[", '[{"a": [tr', '"\\\\', "[1 ", '{"a":1 , ', "1 "),
    ],
)
def test_a_text_that_was_cut_anywhere_is_a_beginning(text: str) -> None:
    assert begins_json(text)
    with pytest.raises(NotJSON):
        read(text if not text.strip().isdigit() else "[")


def test_a_token_may_be_longer_than_any_slice() -> None:
    string = "a\\n\u00e9\\\\" * 50_000
    text = f'{" " * 70_000}["{string}", {" " * 70_000}1]'
    work = parse(text)

    steps = list(work)

    assert len(steps) > 10
    assert read(text) == json.loads(text)
    assert not begins_json(f'["{string}\x01')
    assert begins_json(f'["{string}\\u12')


@given(st.text(min_size=1, max_size=9), st.booleans())
def test_a_long_string_is_read_in_pieces_as_it_was_written(text: str, ascii_only: bool) -> None:
    string = f"{text} \U0001f600" * 2000
    written = json.dumps([string, {string: 1}], ensure_ascii=ascii_only)

    assert read(written) == [string, {string: 1}]


def test_work_comes_in_bits() -> None:
    steps = list(parse(json.dumps([{"id": number, "name": "row"} for number in range(5000)])))

    assert sum(steps) > 40_000
    assert max(steps) < 300


def test_a_large_value_is_let_go_of_in_bits() -> None:
    value = [{"id": number, "tags": [["a"]]} for number in range(1000)]
    first = value[0]

    steps = list(release(value))

    assert value == []
    assert first == {}
    assert len(steps) == 4001 - 1000
    assert list(release(3)) == [1]


# -- the same, told again ----------------------------------------------------------------------


@given(values, st.integers(0, 5), st.integers(0, 5), st.data())
def test_a_text_told_again_in_other_white_space_is_found_to_the_character(
    value: object, style: int, other_style: int, data: st.DataObject
) -> None:
    ascii_only = style % 2 == other_style % 2
    one, other = spelled(value, style), spelled(value, other_style if ascii_only else style)
    at = data.draw(st.integers(0, len(one)))

    where = finished(agree(one[:at], other))

    assert where is not None
    assert where >= 0
    assert read(one[:at] + other[where:]) == value


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ('{"a": 1, "b', '{"a":1,"bc":2}', 9),
        ('{"a": 1', '{"a":12}', 6),
        ('{"a": 1,', '{"a":12}', None),
        ('{"a": 1, ', '{"a":1,"b":2}', 7),
        ('{"a": "x ', '{"a":"x y"}', 8),
        ('{"a": "x ', '{"a":"xy"}', None),
        ('{"a": "x', '{"a":', -1),
        ('{"a": "x', '{"a": "', -1),
        ('{"a": 12,', '{"a": 1', -1),
        ('{"a": 1', '{"b": 1', None),
        ("[1", "Sure: [1", None),
        ('{"a": 1', "1", None),
        ("[true, 2", '["a", 2', None),
        ("[1, 2", "[1", -1),
    ],
)
def test_what_was_told_again_ends_where_the_first_one_was_cut(
    one: str, other: str, expected: int | None
) -> None:
    assert finished(agree(one, other)) == expected
