"""Documents that agree with a schema, in both of its dialects."""

import json
from enum import Enum
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from gemproxy.chaos.documents import NoExample, example
from gemproxy.core.seam.document import is_document

TEXT = "The lighthouse keeper of Skerry Point had one rule: the lamp is never left alone."
NODE = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "next": {"$ref": "#/$defs/node"},
        "all": {"type": "array", "items": {"$ref": "#/$defs/node"}},
    },
    "required": ["name"],
}


class Ice(Enum):
    NONE = "none"
    THICK = "thick"


class Port(BaseModel):
    name: str = Field(min_length=1, max_length=10)
    depth: float = Field(gt=2, le=2.5)
    ships: int | None
    ice: Ice
    lights: list["Port"] = Field(min_length=0)
    tags: dict[str, int]
    pair: tuple[int, str]


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "string", "minLength": 100, "maxLength": 120},
        {"type": "string", "maxLength": 0},
        {"type": "string", "format": "date-time"},
        {"type": "integer", "minimum": 3},
        {"type": "integer", "exclusiveMinimum": 3},
        {"type": "integer", "minimum": 4, "maximum": 20, "multipleOf": 7},
        {"type": "number", "maximum": -1.25},
        {"type": "number", "exclusiveMaximum": 0},
        {"type": "boolean"},
        {"type": "null"},
        {"type": ["null", "integer"]},
        {"enum": ["a", "b"]},
        {"const": {"a": [1]}},
        {"type": "array", "items": {"type": "integer"}, "minItems": 5},
        {"type": "array", "items": {"type": "integer"}, "maxItems": 1},
        {"type": "array", "items": {"type": "integer"}, "maxItems": 0},
        {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "null"}], "items": False},
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"a": {"type": "null"}}}]},
        {"oneOf": [{"type": "integer"}, {"type": "string"}], "description": "either"},
        {
            "allOf": [
                {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
                {"properties": {"b": {"type": "string"}}, "required": ["b"]},
            ]
        },
        {"$ref": "#/$defs/node", "$defs": {"node": NODE}},
        {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "integer"}}},
        Port.model_json_schema(),
    ],
)
def test_a_document_agrees_with_its_json_schema(schema: dict[str, Any]) -> None:
    assert list(Draft202012Validator(schema).iter_errors(example(schema, TEXT))) == []


def test_a_document_agrees_with_what_gemini_calls_a_schema() -> None:
    schema = {
        "type": "OBJECT",
        "properties": {
            "title": {"type": "STRING", "nullable": True},
            "year": {"type": "INTEGER", "minimum": 1900},
            "kind": {"type": "STRING", "enum": ["book", "film"]},
            "parts": {"type": "ARRAY", "items": {"type": "NUMBER"}, "minItems": "3"},
        },
        "required": ["title", "year", "kind", "parts"],
        "propertyOrdering": ["year", "title"],
    }

    document = example(schema, TEXT)

    assert is_document(json.dumps(document), schema)
    assert list(document) == ["year", "title", "kind", "parts"]
    assert TEXT.startswith(document["title"])


def test_a_pydantic_model_can_be_made_of_its_document() -> None:
    port = Port.model_validate(example(Port.model_json_schema(), TEXT))

    assert TEXT.startswith(port.name)
    assert port.lights


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/$defs/missing"},
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"type": "object", "properties": 5},
        {"type": "integer", "minimum": "many"},
        {"anyOf": [3]},
    ],
)
def test_a_schema_without_an_example_says_so(schema: dict[str, Any]) -> None:
    with pytest.raises(NoExample):
        example(schema, TEXT)
