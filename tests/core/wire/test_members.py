"""Where strings stand in a JSON text, told without building it."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.wire import members
from gemproxy.core.wire.members import string_members

WANTED = {b"uri", b"other"}

names = st.sampled_from(["uri", "other", "a", "long" * 30, 'quoted "uri"', "\\", "é"])
values = st.recursive(
    st.none() | st.integers() | st.text(max_size=80) | st.sampled_from(['"uri":"x"', "\\", '\\"']),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)


def by_parsing(value: object, around: tuple[str, ...] = ()) -> Iterator[tuple[list[str], str]]:
    """Yield the path and the value of each wanted string, from the built document."""
    if isinstance(value, list):
        for item in value:
            yield from by_parsing(item, around)
    if not isinstance(value, dict):
        return
    for name, item in value.items():
        if isinstance(item, str) and name.encode() in WANTED:
            yield [*around, name], item
        yield from by_parsing(item, (*around, name))


@given(values, st.sampled_from([None, 1]), st.booleans())
def test_every_string_is_found_with_the_names_around_it(
    document: object, indent: int | None, ascii_only: bool
) -> None:
    body = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()

    found = [
        (member.names[-1].decode(), json.loads(body[member.start : member.end]))
        for member in string_members(body, WANTED)
    ]

    assert found == [(path[-1], text) for path, text in by_parsing(document)]


def test_the_names_are_those_of_the_containers() -> None:
    body = b'{"a": [{"b": {"uri": "x"}}, [{"uri" : "y"}]], "uri": "z", "c": {}}'

    assert [member.names for member in string_members(body, {b"uri"})] == [
        (b"a", b"b", b"uri"),
        (b"a", b"uri"),
        (b"uri",),
    ]


@pytest.mark.parametrize(
    "body",
    [
        b'{"uri": 1}',
        b'{"uri": ["x"]}',
        b'{"uri": {"x": "y"}}',
        b'["uri", "x"]',
        b'{"a": "\\"uri\\": \\"x\\""}',
        b'{"uri": null, "a": "x"}',
    ],
)
def test_what_is_no_string_under_that_name_is_no_member(body: bytes) -> None:
    assert list(string_members(body, {b"uri"})) == []


@given(st.lists(st.sampled_from([*b'{}[]":,\\u "', 0x61])).map(bytes) | st.binary())
def test_members_of_any_bytes_are_wanted_and_stand_in_their_order(noise: bytes) -> None:
    for body in (noise, b'{"uri":"' + noise):
        found = list(string_members(body, WANTED))
        bounds = [bound for member in found for bound in (member.start, member.end)]

        assert all(member.names[-1] in WANTED for member in found)
        assert bounds == sorted(bounds)
        assert all(0 <= bound <= len(body) for bound in bounds)


def test_long_strings_are_jumped_over_and_a_flood_of_small_ones_is_left_alone() -> None:
    last = b'{"uri": "x"}]'

    assert len(list(string_members(b'["' + b"A" * (8 << 20) + b'",' + last, WANTED))) == 1
    assert len(list(string_members(b"[" + b'"\\"",' * 1000 + last, WANTED))) == 1
    assert list(string_members(b"[" + b'"",' * members._MOST + last, WANTED)) == []


def test_the_inside_of_an_object_is_behind_its_brace() -> None:
    body = b'{"x": [{"a": {}}], "a" : {"b": {"c": 1}}, "d": "{"}'

    assert members.inside_of(body, ()) == 1
    assert members.inside_of(body, ("a",)) == body.index(b'{"b"') + 1
    assert members.inside_of(body, ("a", "b")) == body.index(b'{"c"') + 1


@pytest.mark.parametrize("path", [("c",), ("d",), ("x",), ("b",), ("a", "a")])
def test_what_is_no_object_at_a_path_has_no_inside(path: tuple[str, ...]) -> None:
    body = b'{"x": [{"a": {}}], "a" : {"b": {"c": 1}}, "d": "{", "long": "' + b"c" * 99 + b'"}'

    assert members.inside_of(body, path) is None


@given(st.dictionaries(names, values, max_size=4), st.dictionaries(names, values, max_size=4))
def test_what_is_inserted_inside_an_object_is_its_first_member(
    around: dict[str, object], inside: dict[str, object]
) -> None:
    body = json.dumps({**around, "config": inside}).encode()
    at = members.inside_of(body, ("config",))

    assert at is not None
    more = b'"new": 1' + (b", " if inside else b"")
    assert json.loads(body[:at] + more + body[at:]) == {**around, "config": {"new": 1, **inside}}
