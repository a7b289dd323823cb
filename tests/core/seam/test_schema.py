"""Whether a value is what a schema asks for, in either dialect."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry

from gemproxy.core.seam.document import is_document
from gemproxy.core.seam.schema import agrees as agrees_in_bits
from gemproxy.core.seam.schema import as_json_schema

Schema = dict[str, Any]

RECIPE: Schema = {
    "type": "OBJECT",
    "properties": {
        "name": {"type": "STRING"},
        "minutes": {"type": "INTEGER", "nullable": True, "minimum": 0},
        "kind": {"type": "STRING", "format": "enum", "enum": ["SWEET", "SAVOURY"]},
        "steps": {"type": "ARRAY", "items": {"type": "STRING"}, "minItems": "1"},
    },
    "required": ["name", "steps"],
    "propertyOrdering": ["name", "steps"],
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
keywords = st.sampled_from(
    [
        *("type", "properties", "items", "prefixItems", "anyOf", "oneOf", "allOf", "not", "enum"),
        *("required", "minItems", "minimum", "multipleOf", "pattern", "patternProperties"),
        *("$ref", "$defs", "$id", "$schema", "$anchor", "$dynamicRef", "nullable", "format"),
    ]
)
schemas = st.recursive(
    json_values,
    lambda inner: st.dictionaries(keywords, inner, max_size=4) | st.lists(inner, max_size=2),
    max_leaves=12,
)


def agrees(value: object, schema: Schema) -> bool:
    return is_document(json.dumps(value), schema)


# -- the OpenAPI dialect -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        {"name": "Soup", "steps": ["Boil."]},
        {"name": "Soup", "steps": ["Boil."], "minutes": None},
        {"name": "Soup", "steps": ["Boil."], "minutes": 5, "kind": "SAVOURY"},
        {"name": "Soup", "steps": ["Boil."], "unasked": True},
    ],
)
def test_a_value_that_agrees_is_a_document(value: object) -> None:
    assert agrees(value, RECIPE)


@pytest.mark.parametrize(
    "value",
    [
        {"name": "Soup"},
        {"name": None, "steps": ["Boil."]},
        {"name": "Soup", "steps": "Boil."},
        {"name": "Soup", "steps": []},
        {"name": "Soup", "steps": [1]},
        {"name": "Soup", "steps": ["Boil."], "minutes": "5"},
        {"name": "Soup", "steps": ["Boil."], "minutes": -1},
        {"name": "Soup", "steps": ["Boil."], "kind": "BITTER"},
        ["Soup"],
        "Soup",
        None,
    ],
)
def test_a_value_that_does_not_agree_is_none(value: object) -> None:
    assert not agrees(value, RECIPE)


def test_a_nullable_schema_takes_null_at_every_level() -> None:
    schema = {"type": "ARRAY", "nullable": True, "items": {"type": "STRING", "nullable": True}}

    assert agrees(None, schema)
    assert agrees([None, "a"], schema)
    assert not agrees([1], schema)


def test_properties_may_be_named_like_keywords() -> None:
    schema = {
        "type": "OBJECT",
        "properties": {
            "type": {"type": "STRING"},
            "nullable": {"type": "BOOLEAN"},
            "items": {"type": "ARRAY", "items": {"type": "INTEGER"}},
            "properties": {"type": "OBJECT", "properties": {"format": {"type": "NUMBER"}}},
        },
        "required": ["type"],
    }

    assert agrees({"type": "a", "nullable": True, "items": [1]}, schema)
    assert not agrees({"nullable": True}, schema)
    assert not agrees({"type": "a", "items": ["1"]}, schema)
    assert not agrees({"type": "a", "properties": {"format": "1"}}, schema)


# -- JSON Schema -------------------------------------------------------------------------------


def test_references_within_the_schema_are_followed() -> None:
    schema = {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "value": {"type": "integer"},
                    "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                },
                "required": ["value"],
            }
        },
    }

    assert agrees({"value": 1, "children": [{"value": 2}]}, schema)
    assert not agrees({"value": 1, "children": [{}]}, schema)


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
def test_one_of_is_any_of_as_gemini_reads_it(keyword: str) -> None:
    schema = {keyword: [{"type": "integer"}, {"type": "number"}]}

    assert agrees(1, schema)
    assert not agrees("1", schema)


def test_additional_properties_can_be_a_flag_or_a_schema() -> None:
    closed = {"type": "object", "properties": {"a": {}}, "additionalProperties": False}
    numbers = {"type": "object", "additionalProperties": {"type": "NUMBER"}}

    assert agrees({"a": 1}, closed)
    assert not agrees({"b": 1}, closed)
    assert agrees({"b": 1}, numbers)
    assert not agrees({"b": "1"}, numbers)


def test_a_list_of_types_is_one() -> None:
    assert agrees(None, {"type": ["STRING", "NULL"]})
    assert not agrees(1, {"type": ["STRING", "NULL"]})


# -- schemas that do not judge -----------------------------------------------------------------


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": "^never$"},
        {"pattern": "(a+)+$"},
        {"pattern": "\\p{L}"},
        {"format": "date-time"},
        {"maxLength": 1},
        {"not": {}},
        {"const": 1},
        {"allOf": [{"type": "integer"}]},
        {"example": 1, "default": 2, "title": "t", "description": "d"},
    ],
)
def test_a_keyword_that_gemini_does_not_keep_to_does_not_judge(schema: Schema) -> None:
    assert agrees("a" * 60 + "!", schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "TYPE_UNSPECIFIED"},
        {"type": "nonsense"},
        {"type": 3},
        {"$ref": "#/$defs/missing"},
        {"$ref": "https://schemas.invalid/remote.json"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "#"},
        {"properties": []},
        {"required": 3},
        {"items": {"required": [[]]}},
        {"anyOf": "text"},
        {"minItems": "many"},
        {"enum": 3},
    ],
)
def test_a_schema_that_cannot_be_understood_does_not_judge(schema: Schema) -> None:
    assert agrees([{}], schema)
    assert not is_document("{", schema)


@given(value=json_values, schema=st.dictionaries(keywords, schemas, max_size=4))
def test_no_schema_breaks_the_check(value: object, schema: Schema) -> None:
    assert isinstance(agrees(value, schema), bool)


@given(st.dictionaries(keywords, schemas, max_size=4))
def test_converting_changes_nothing_of_the_schema(schema: Schema) -> None:
    before = json.dumps(schema)

    as_json_schema(schema)

    assert json.dumps(schema) == before


@pytest.mark.parametrize(
    "schema",
    [
        {"items": {"pattern": "^never$"}},
        {"items": {"anyOf": [{"pattern": "^never$"}]}},
        {"items": {"$ref": "#/$defs/a"}, "$defs": {"a": {"pattern": "^never$"}}},
        {"items": {"$ref": "#/enum/0"}, "enum": [{"pattern": "^never$"}, ["a"]]},
        {"items": {"$ref": "#/$defs/a/enum/0"}, "$defs": {"a": {"enum": [{"pattern": "^n$"}]}}},
    ],
)
def test_no_expression_of_a_client_is_ever_run(schema: Schema) -> None:
    assert agrees(["a"], schema)


def test_null_is_taken_beside_references() -> None:
    schema = {
        "$ref": "#/$defs/a~1b%20c",
        "nullable": True,
        "$defs": {"a/b c": {"type": "INTEGER"}},
    }

    assert agrees(None, schema)
    assert agrees(1, schema)
    assert not agrees("1", schema)


def test_references_in_a_circle_end() -> None:
    schema: Schema = {
        "anyOf": [{"$ref": "#"}, {"$ref": "#/$defs/a"}],
        "$defs": {
            "a": {"$ref": "#/$defs/b", "type": "object"},
            "b": {"$ref": "#/$defs/a", "required": ["x"]},
        },
    }

    assert agrees({"x": 1}, schema)


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (True, {"type": "integer"}),
        (1, {"type": "boolean"}),
        (1.5, {"type": "integer"}),
        (True, {"enum": [1]}),
        ([0], {"enum": [[False]]}),
        ({"a": {"b": 1}}, {"properties": {"a": {"additionalProperties": False}}}),
        ([1, "a"], {"prefixItems": [{"type": "integer"}], "items": {"type": "integer"}}),
        ([1, 2], {"prefixItems": [{}], "items": False}),
        (1, {"anyOf": []}),
        (1, {"$ref": "#here", "$defs": {"a": {"$anchor": "here", "type": "string"}}}),
    ],
)
def test_a_value_that_no_reading_of_the_schema_takes_is_refused(
    value: object, schema: Schema
) -> None:
    assert not agrees(value, schema)


sane_schemas = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["string", "integer", "number", "boolean", "null", "array"])
            | st.lists(st.sampled_from(["object", "string", "integer"]), min_size=1),
            "enum": st.lists(json_values, min_size=1, max_size=3),
            "minimum": st.integers(-2, 2),
            "maximum": st.integers(-2, 2),
            "minItems": st.integers(0, 2),
            "maxItems": st.integers(0, 2),
            "required": st.lists(st.sampled_from("abc"), max_size=2),
            "$ref": st.sampled_from(["#/$defs/a", "#/definitions/b"]),
        },
    ),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
            "additionalProperties": inner | st.booleans(),
            "items": inner | st.booleans(),
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "required": st.lists(st.sampled_from("abc"), max_size=2),
        },
    ),
    max_leaves=8,
)
small_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([1.0, 1.5, "a", ""]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=8,
)
leaf_types = st.fixed_dictionaries({"type": st.sampled_from(["integer", "string", "object"])})


@given(value=small_values, schema=sane_schemas, a=leaf_types, b=leaf_types)
def test_the_reference_implementation_says_the_same(
    value: object, schema: Schema, a: Schema, b: Schema
) -> None:
    schema = {**schema, "$defs": {"a": a}, "definitions": {"b": b}}
    reference = Draft202012Validator(schema, registry=Registry())

    assert agrees(value, schema) == reference.is_valid(value)


def test_a_check_comes_in_bits() -> None:
    rows = [{"id": number, "tags": ["a", None]} for number in range(2000)]
    tags: Schema = {"items": {"type": "STRING", "nullable": True}}
    schema = {"items": {"properties": {"id": {"type": "INTEGER"}, "tags": tags}}}

    steps = list(agrees_in_bits(rows, as_json_schema(schema)))

    assert sum(steps) > 10_000
    assert max(steps) <= 100


def test_alternatives_within_alternatives_are_given_up_and_do_not_judge(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gemproxy.core.seam.schema._MOST", 1000)
    levels = {
        f"l{n}": {"anyOf": [{"$ref": f"#/$defs/l{n + 1}"}, {"$ref": f"#/$defs/l{n + 1}"}]}
        for n in range(40)
    }

    assert agrees(1, {"$ref": "#/$defs/l0", "$defs": {**levels, "l40": {"type": "string"}}})
