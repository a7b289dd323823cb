"""Arguments that come back in another type than the client's schema has."""

from typing import Any

import pytest

from gemproxy.openai.retyping import needs_it, retyped

LEVEL = {"type": "integer", "enum": [0, 1, 2]}
ON = {"type": "boolean", "enum": [True]}


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def told(value: object, inner: Any, **more: Any) -> object:
    return retyped({"x": value}, {**schema(x=inner), **more})["x"]


def same(one: object, other: object) -> bool:
    return one == other and type(one) is type(other)


@pytest.mark.parametrize("args", [{"level": "2", "on": "true"}, {"level": 2, "on": True}])
def test_numbers_and_booleans_come_back_in_both_ways(args: dict[str, Any]) -> None:
    read = retyped(args, schema(level=LEVEL, on=ON))
    assert read == {"level": 2, "on": True}
    assert [type(one) for one in read.values()] == [int, bool]


@pytest.mark.parametrize(
    ("value", "inner", "proper"),
    [
        ("0", LEVEL, 0),
        (2.0, LEVEL, 2),
        ("2.0", LEVEL, 2),
        ("0.5", {"enum": [0.5, 1]}, 0.5),
        ("1", {"const": 1}, 1),
        ("True", ON, True),
        ("false", {"enum": [False, True]}, False),
        ("1", {"anyOf": [LEVEL, {"type": "null"}]}, 1),
        ("1", {"oneOf": [{"const": 1}, {"const": 2}]}, 1),
        ("1", {"allOf": [LEVEL], "description": "d"}, 1),
        ("1", {"type": ["integer", "null"], "enum": [1, None]}, 1),
    ],
)
def test_a_text_becomes_the_value_that_it_spells(value: object, inner: Any, proper: object) -> None:
    assert same(told(value, inner), proper)


@pytest.mark.parametrize(
    ("value", "inner"),
    [
        ("3", LEVEL),
        ("two", LEVEL),
        ("", LEVEL),
        ("1", {"type": "string"}),
        ("1", {"enum": [1, "1"]}),
        ("1", {"anyOf": [LEVEL, {"type": "string"}]}),
        ("1", {"type": ["integer", "string"]}),
        ("1", {"anyOf": [LEVEL, {}]}),
        ("1", {"anyOf": [LEVEL, {"description": "anything"}]}),
        ("true", {"enum": [1]}),
        ("1", {"enum": [True]}),
        (True, {"enum": [1]}),
        (None, LEVEL),
        ("1", True),
        ("1", {"$ref": "#/$defs/Nope"}),
        ("1", {"enum": 7, "anyOf": 7, "properties": 7, "items": 7}),
        ("NaN", LEVEL),
    ],
)
def test_other_values_stay(value: object, inner: Any) -> None:
    assert same(told(value, inner), value)


def test_values_are_found_wherever_they_are() -> None:
    inner = {
        **schema(levels={"type": "array", "items": LEVEL}),
        "additionalProperties": {"$ref": "#/$defs/Level"},
    }
    tuples = {"prefixItems": [{"type": "string"}, LEVEL], "items": ON}
    old = {"items": [{"type": "string"}, LEVEL]}
    full = {
        **schema(a={"$ref": "#/$defs/Inner"}, t=tuples, o=old),
        "$defs": {"Inner": inner, "Level": LEVEL},
    }
    args = {
        "a": {"levels": ["0", 1, "2"], "other": "1"},
        "t": ["1", "1", "true"],
        "o": ["1", "1", "1"],
    }
    assert retyped(args, full) == {
        "a": {"levels": [0, 1, 2], "other": 1},
        "t": ["1", 1, True],
        "o": ["1", 1, "1"],
    }


def test_one_alternative_with_a_text_is_enough_to_keep_it() -> None:
    alternatives = {"anyOf": [schema(x=LEVEL), schema(x={"type": "string"})]}
    assert told({"x": "1"}, alternatives) == {"x": "1"}
    assert told({"x": "1"}, {"anyOf": [schema(x=LEVEL), schema(y=LEVEL)]}) == {"x": 1}


def test_circles_end() -> None:
    node = schema(level=LEVEL, next={"$ref": "#/$defs/Node"})
    circle = {"$ref": "#/$defs/A"}
    full = {**schema(x={"$ref": "#/$defs/Node"}, y=circle), "$defs": {"Node": node, "A": circle}}
    args = {"x": {"level": "1", "next": {"next": {"level": "2"}}}, "y": "1"}
    assert retyped(args, full) == {"x": {"level": 1, "next": {"next": {"level": 2}}}, "y": "1"}


def test_what_is_too_deep_stays() -> None:
    deep: Any = "1"
    for _ in range(5000):
        deep = [deep]
    assert retyped({"x": deep}, schema(x=LEVEL))["x"] is deep


@pytest.mark.parametrize(
    "inner",
    [LEVEL, ON, {"const": 1.5}, {"anyOf": [{"type": "string"}, {"items": {"enum": ["a", 1]}}]}],
)
def test_schemas_with_lists_of_numbers_need_it(inner: Any) -> None:
    assert needs_it(schema(x=inner))


@pytest.mark.parametrize(
    "inner", [{"type": "integer"}, {"enum": ["a", None]}, {"const": "1"}, True, {"enum": 1}]
)
def test_other_schemas_do_not(inner: Any) -> None:
    assert not needs_it(schema(x=inner))
    assert not needs_it(None)
