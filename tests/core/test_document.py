"""Whether a joined answer is the one JSON document that was asked for."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gemproxy
from gemproxy.core.document import as_json_schema, is_document

Schema = dict[str, Any]

CHECKOUT = Path(gemproxy.__file__).parents[1]

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


# -- JSON --------------------------------------------------------------------------------------


@given(json_values)
def test_any_json_is_a_document_where_no_schema_is_given(value: object) -> None:
    assert is_document(json.dumps(value), None)
    assert is_document(f" {json.dumps(value, indent=1, ensure_ascii=False)}\n", None)


@given(json_values.filter(lambda value: isinstance(value, dict | list)), st.data())
def test_a_document_that_was_cut_is_none(value: object, data: st.DataObject) -> None:
    text = json.dumps(value)
    cut = data.draw(st.integers(0, len(text) - 1))

    assert not is_document(text[:cut], None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Once upon a time",
        '{"a": 1} {"a": 1}',
        '{"a": 1}{"a": 1, "b": 2}',
        '{"a": 1, "a": 2}',
        '```json\n{"a": 1}\n```',
        '{"a": NaN}',
        "[" * 100_000,
    ],
)
def test_two_documents_or_none_are_not_one(text: str) -> None:
    assert not is_document(text, None)


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
        {"anyOf": "text"},
        {"minItems": "many"},
        {"enum": 3},
    ],
)
def test_a_schema_that_cannot_be_understood_does_not_judge(schema: Schema) -> None:
    assert agrees([{}], schema)
    assert not is_document("{", schema)


@settings(deadline=None)
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


def test_a_proxy_that_repairs_no_json_does_not_load_the_validator() -> None:
    code = "import sys, gemproxy.core.machine; sys.exit('jsonschema' in sys.modules)"

    ended = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, check=False)

    assert ended.returncode == 0
