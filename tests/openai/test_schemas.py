"""Schemas of OpenAI's clients, as Gemini takes them."""

import contextlib
import copy
from random import Random
from typing import Any

import jsonschema
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from gemproxy.core.errors import BadField
from gemproxy.openai.arguments import DEPTH_MAX, shallow
from gemproxy.openai.cleaning import KEPT
from gemproxy.openai.schemas import Budget, cleaned, of_arguments
from tests.gatekeeper import problems

Json = dict[str, Any]

HELLO = [{"role": "user", "parts": [{"text": "hi"}]}]

PYDANTIC = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Args",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "mode": {"const": "dive"},
        "limit": {
            "anyOf": [
                {"type": "integer", "exclusiveMinimum": 0},
                {"type": "null", "title": "None"},
            ],
            "default": None,
        },
        "when": {"type": ["string", "null"], "format": "date-time"},
        "link": {"type": "string", "format": "uri"},
        "size": {"anyOf": [{"$ref": "#/$defs/Size"}, {"type": "null"}]},
        "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    },
    "required": ["mode"],
    "$defs": {"Size": {"type": "string", "enum": ["s", "m", ""]}},
}


def taken(schema: Any) -> Any:
    """Return the cleaned arguments, after checks that hold for every schema."""
    before = copy.deepcopy(schema)
    made = of_arguments(schema, "tools[0].function.parameters", Budget())
    assert schema == before
    declaration: Json = {"name": "f"} | ({} if made is None else {"parametersJsonSchema": made})
    tools = [{"functionDeclarations": [declaration]}]
    assert (
        problems("gemini-3.8-flash", "generateContent", {"contents": HELLO, "tools": tools}) == []
    )
    if made is not None:
        jsonschema.Draft202012Validator.check_schema(made)
        assert keywords(made) <= {*KEPT, "maxLength", "$defs"}
    return made


def keywords(schema: Any) -> set[str]:
    found: set[str] = set()
    if isinstance(schema, dict):
        found |= schema.keys()
        named = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
        listed = [*schema.get("anyOf", ()), *schema.get("prefixItems", ())]
        single = [schema.get("items"), schema.get("additionalProperties")]
        for inner in [*named, *listed, *single]:
            found |= keywords(inner)
    return found


def of(inner: Any, **more: Any) -> Any:
    """Return what becomes of the schema of one property."""
    made = taken({"type": "object", "properties": {"x": inner}, **more})
    assert of_arguments(made, "again", Budget()) == made
    return made["properties"]["x"]


def valid(value: object, schema: Any) -> bool:
    try:
        return jsonschema.Draft202012Validator(schema).is_valid(value)
    except RecursionError:  # a reference to itself and nothing else
        return False


def test_a_schema_of_pydantics() -> None:
    assert taken(PYDANTIC) == {
        "title": "Args",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "mode": {"type": "string", "enum": ["dive"]},
            "limit": {
                "anyOf": [{"type": "integer", "minimum": 1}, {"type": "null", "title": "None"}]
            },
            "when": {"type": ["string", "null"], "format": "date-time"},
            "link": {"type": "string", "description": "Format: uri."},
            "size": {"anyOf": [{"$ref": "#/$defs/Size"}, {"type": "null"}]},
            "tags": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Without repetitions.",
            },
        },
        "required": ["mode"],
        "$defs": {
            "Size": {
                "anyOf": [
                    {"type": "string", "enum": ["s", "m"]},
                    {"type": "string", "maxLength": 0},
                ]
            }
        },
    }


def test_a_plain_schema_stays() -> None:
    plain = {
        "type": "object",
        "description": "d",
        "properties": {
            "a": {"type": "string", "description": "d", "enum": ["x", "y"]},
            "b": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 9}},
            "c": {"type": "object", "properties": {"d": {"type": "boolean"}}, "required": ["d"]},
            "e": {"type": "object", "additionalProperties": {"type": "number"}},
        },
        "required": ["a", "b"],
        "additionalProperties": False,
    }
    assert taken(plain) == plain


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {}, "required": [], "additionalProperties": False},
        {"type": "object", "properties": {}, "$schema": "http://json-schema.org/draft-07/schema#"},
        {"properties": {}},
        {"type": "None"},
    ],
)
def test_a_function_without_arguments_has_no_schema(schema: Json) -> None:
    assert taken(schema) is None


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": "array", "items": {}},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
        {"$ref": "#/$defs/A", "$defs": {"A": {"type": "integer"}}},
    ],
)
def test_arguments_that_are_no_object_are_refused(schema: Json) -> None:
    with pytest.raises(BadField) as caught:
        of_arguments(schema, "tools[0].function.parameters", Budget())
    assert caught.value.field == "tools[0].function.parameters"


@pytest.mark.parametrize(
    ("inner", "made"),
    [
        # constants and enums
        ({"const": "a"}, {"type": "string", "enum": ["a"]}),
        ({"const": 3, "type": "integer"}, {"type": "integer", "enum": [3]}),
        ({"const": 0.5}, {"type": "number", "enum": [0.5]}),
        ({"const": None}, {"type": "null"}),
        ({"const": True}, {"type": "boolean", "description": "Always true."}),
        (
            {"const": False, "description": "Dry."},
            {"type": "boolean", "description": "Dry. Always false."},
        ),
        ({"const": ""}, {"type": "string", "maxLength": 0}),
        ({"const": {"a": 1}}, {"type": "object", "description": 'One of: [{"a": 1}].'}),
        ({"type": "integer", "enum": [0, 1, 2]}, {"type": "integer", "enum": [0, 1, 2]}),
        ({"enum": [1, 2.5]}, {"type": "number", "enum": [1, 2.5]}),
        ({"type": "boolean", "enum": [True, False]}, {"type": "boolean"}),
        ({"type": "string", "enum": ["a", None]}, {"type": "string", "enum": ["a"]}),
        ({"type": "string", "enum": []}, {"type": "string"}),
        ({"enum": []}, {}),
        ({"enum": "a"}, {}),
        ({"enum": ["a", "a", "b"]}, {"type": "string", "enum": ["a", "b"]}),
        (
            {"type": ["string", "null"], "enum": ["a", None], "title": "T"},
            {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}], "title": "T"},
        ),
        (
            {"enum": ["a", 1, True, None]},
            {
                "anyOf": [
                    {"type": "string", "enum": ["a"]},
                    {"type": "integer", "enum": [1]},
                    {"type": "boolean", "description": "Always true."},
                    {"type": "null"},
                ]
            },
        ),
        # types
        ({"type": "STRING"}, {"type": "string"}),
        ({"type": ["string"]}, {"type": "string"}),
        ({"type": "any"}, {}),
        ({"type": ["string", "any"]}, {}),
        ({"type": None}, {}),
        ({"type": []}, {}),
        ({"type": ["integer", "number", "null"]}, {"type": ["number", "null"]}),
        (
            {"type": ["string", "integer"], "minLength": 2, "minimum": 1, "description": "d"},
            {
                "anyOf": [
                    {"type": "string", "description": "At least 2 characters."},
                    {"type": "integer", "minimum": 1},
                ],
                "description": "d",
            },
        ),
        ({"properties": {"a": {}}}, {"type": "object", "properties": {"a": {}}}),
        ({"items": {"type": "string"}}, {"type": "array", "items": {"type": "string"}}),
        # null
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "string", "nullable": False}, {"type": "string"}),
        (
            {"type": "string", "nullable": True, "enum": ["a"]},
            {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}]},
        ),
        (
            {"anyOf": [{"type": "string"}], "nullable": True, "title": "T"},
            {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "T"},
        ),
        # bounds
        ({"type": "integer", "exclusiveMinimum": 0}, {"type": "integer", "minimum": 1}),
        ({"type": "integer", "exclusiveMaximum": 9.5}, {"type": "integer", "maximum": 9}),
        (
            {"type": "integer", "exclusiveMinimum": 0, "minimum": 5},
            {"type": "integer", "minimum": 5},
        ),
        (
            {"type": "number", "exclusiveMinimum": 0},
            {"type": "number", "minimum": 0, "description": "Greater than 0."},
        ),
        (
            {"type": "integer", "minimum": 3, "exclusiveMinimum": True},
            {"type": "integer", "minimum": 4},
        ),
        (
            {"type": "integer", "maximum": 3, "exclusiveMaximum": False},
            {"type": "integer", "maximum": 3},
        ),
        ({"type": "integer", "minimum": "1", "maximum": None}, {"type": "integer"}),
        # words
        (
            {
                "type": "string",
                "pattern": "^a",
                "maxLength": 3,
                "default": "a",
                "description": "d.",
            },
            {"type": "string", "description": "d. Default: a. Pattern: ^a. At most 3 characters."},
        ),
        (
            {"type": "boolean", "default": False},
            {"type": "boolean", "description": "Default: false."},
        ),
        ({"type": "string", "default": "x" * 300}, {"type": "string"}),
        ({"type": "string", "description": 7, "title": []}, {"type": "string"}),
        ({"type": "string", "x-order": 1, "readOnly": True, "$comment": "c"}, {"type": "string"}),
        ({"not": {}}, {}),
        # arrays
        ({"type": "array"}, {"type": "array", "items": {}}),
        (
            {"type": "array", "items": [{"type": "string"}, {"type": "null"}], "minItems": 2},
            {"type": "array", "prefixItems": [{"type": "string"}, {"type": "null"}], "minItems": 2},
        ),
        (
            {"type": "array", "items": [{"type": "string"}], "additionalItems": False},
            {"type": "array", "prefixItems": [{"type": "string"}], "maxItems": 1},
        ),
        (
            {"type": "array", "prefixItems": [{"type": "string"}], "items": False},
            {"type": "array", "prefixItems": [{"type": "string"}], "maxItems": 1},
        ),
        ({"type": "array", "items": True}, {"type": "array", "items": {}}),
        ({"type": "array", "items": []}, {"type": "array", "items": {}}),
        (
            {"type": "array", "items": {}, "minItems": -1, "maxItems": "3"},
            {"type": "array", "items": {}},
        ),
        # objects
        (
            {"type": "object", "properties": {"a": True}, "required": ["a", "b", 7]},
            {"type": "object", "properties": {"a": {}}, "required": ["a"]},
        ),
        ({"type": "object", "required": ["b"]}, {"type": "object"}),
        ({"type": "string", "required": True}, {"type": "string"}),
        (
            {"type": "object", "patternProperties": {"^x": {"type": "string"}}},
            {"type": "object"},
        ),
        (
            {
                "type": "object",
                "patternProperties": {"^x": {"type": "string"}},
                "additionalProperties": False,
            },
            {"type": "object", "additionalProperties": {"type": "string"}},
        ),
        (
            {"type": "object", "propertyNames": {"type": "string"}, "additionalProperties": {}},
            {"type": "object", "additionalProperties": {}},
        ),
        # parts
        (
            {"oneOf": [{"type": "string"}, {"type": "null"}]},
            {"anyOf": [{"type": "string"}, {"type": "null"}]},
        ),
        ({"anyOf": [{"type": "string"}]}, {"type": "string"}),
        ({"anyOf": []}, {}),
        ({"anyOf": 7, "allOf": 7, "oneOf": 7}, {}),
        (
            {"anyOf": [{"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "null"}]},
            {"anyOf": [{"type": "string"}, {"type": "null"}]},
        ),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
            },
            {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}},
        ),
        (
            {
                "type": "object",
                "properties": {"k": {"type": "string"}},
                "required": ["k"],
                "anyOf": [
                    {"properties": {"a": {"type": "string"}}, "required": ["a"]},
                    {"properties": {"b": {"type": "string"}}},
                ],
            },
            {
                "anyOf": [
                    {
                        "type": "object",
                        "properties": {"a": {"type": "string"}, "k": {"type": "string"}},
                        "required": ["a", "k"],
                    },
                    {
                        "type": "object",
                        "properties": {"b": {"type": "string"}, "k": {"type": "string"}},
                        "required": ["k"],
                    },
                ]
            },
        ),
        (
            {
                "allOf": [
                    {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
                    {"properties": {"a": {"minimum": 3}, "b": {}}, "required": ["b"]},
                ]
            },
            {
                "type": "object",
                "properties": {"a": {"type": "integer", "minimum": 3}, "b": {}},
                "required": ["a", "b"],
            },
        ),
        (True, {}),
        (False, {}),
        (None, {}),
        ([], {}),
    ],
)
def test_a_property(inner: Any, made: Any) -> None:
    assert of(inner) == made


def test_references_become_definitions_with_plain_names() -> None:
    made = taken(
        {
            "type": "object",
            "properties": {
                "a": {"$ref": "#/definitions/a~1b"},
                "b": {"$ref": "#/$defs/Resp%5Bint%5D", "description": "d"},
                "c": {"$ref": "#/properties/a"},
                "d": {"$ref": "#/definitions/a~1b"},
                "e": {"$ref": "#/$defs/Nope"},
                "f": {"$ref": "https://example.com/x.json", "type": "string"},
                "g": {"allOf": [{"$ref": "#anchored"}], "title": "G"},
                "h": {"$ref": "#/$defs/always"},
            },
            "definitions": {"a/b": {"type": "integer"}},
            "$defs": {
                "Resp[int]": {"type": "number"},
                "a_b": {"$anchor": "anchored", "type": "null"},
                "always": True,
                "unused": {"type": "string"},
            },
        }
    )
    assert made["properties"] == {
        "a": {"$ref": "#/$defs/a_b"},
        "b": {"anyOf": [{"$ref": "#/$defs/Resp_int_"}], "description": "d"},
        "c": {"$ref": "#/$defs/a"},
        "d": {"$ref": "#/$defs/a_b"},
        "e": {},
        "f": {"type": "string"},
        "g": {"anyOf": [{"$ref": "#/$defs/a_b_2"}], "title": "G"},
        "h": {"$ref": "#/$defs/always"},
    }
    assert made["$defs"] == {
        "a_b": {"type": "integer"},
        "Resp_int_": {"type": "number"},
        "a": {"$ref": "#/$defs/a_b"},
        "a_b_2": {"type": "null"},
        "always": {},
    }


def test_rules_beside_a_reference_are_merged() -> None:
    base = {"type": "object", "properties": {"a": {"type": "string"}}}
    more = {"$ref": "#/$defs/Base", "properties": {"b": {"type": "string"}}, "required": ["b"]}
    made = of(more, **{"$defs": {"Base": base}})
    assert made == {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "required": ["b"],
    }


def test_a_null_beside_a_reference() -> None:
    made = of({"$ref": "#/$defs/A", "nullable": True}, **{"$defs": {"A": {"type": "integer"}}})
    assert made == {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}]}


def test_the_root_may_be_a_reference() -> None:
    node = {
        "type": "object",
        "properties": {"next": {"$ref": "#/$defs/Node"}, "n": {"type": "integer"}},
        "required": ["n"],
    }
    made = taken({"$ref": "#/$defs/Node", "$defs": {"Node": node}})
    assert made == {**node, "$defs": {"Node": node}}


def test_a_root_of_alternatives_is_one_object_with_all_properties() -> None:
    made = taken(
        {
            "title": "Args",
            "oneOf": [
                {"$ref": "#/$defs/Cat"},
                {
                    "type": "object",
                    "properties": {"kind": {"const": "dog"}, "bark": {"type": "boolean"}},
                    "required": ["kind", "bark"],
                    "additionalProperties": False,
                },
                {"type": "null"},
            ],
            "$defs": {
                "Cat": {
                    "type": "object",
                    "properties": {"kind": {"const": "cat"}},
                    "required": ["kind"],
                    "additionalProperties": False,
                }
            },
        }
    )
    assert made == {
        "title": "Args",
        "type": "object",
        "properties": {
            "kind": {
                "anyOf": [
                    {"type": "string", "enum": ["cat"]},
                    {"type": "string", "enum": ["dog"]},
                ]
            },
            "bark": {"type": "boolean"},
        },
        "required": ["kind"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("child", "required"),
    [
        ({"$ref": "#"}, ["n"]),
        ({"type": "array", "items": {"$ref": "#"}}, ["n"]),
        ({"anyOf": [{"$ref": "#"}, {"type": "null"}]}, ["n"]),
        ({"type": "array", "items": {"type": "string"}}, ["child", "n"]),
    ],
)
def test_a_property_in_a_circle_is_not_required(child: Json, required: list[str]) -> None:
    made = taken(
        {
            "type": "object",
            "properties": {"child": child, "n": {"type": "integer"}},
            "required": ["child", "n"],
        }
    )
    assert made["required"] == required
    assert made["properties"]["child"] == child


def test_a_circle_over_several_definitions_is_opened_once() -> None:
    a = {"type": "object", "properties": {"b": {"$ref": "#/$defs/B"}}, "required": ["b"]}
    b = {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}]}
    made = taken(
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": a, "B": b}}
    )
    assert made["$defs"] == {"A": {"type": "object", "properties": a["properties"]}, "B": b}


def test_a_circle_without_a_property_ends_in_an_empty_schema() -> None:
    tree = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"$ref": "#/$defs/Json"}}]}
    made = of({"$ref": "#/$defs/Json"}, **{"$defs": {"Json": tree}})
    assert made == {"$ref": "#/$defs/Json"}
    full = taken(
        {"type": "object", "properties": {"x": {"$ref": "#/$defs/Json"}}, "$defs": {"Json": tree}}
    )
    assert full["$defs"]["Json"]["anyOf"][1] == {"type": "array", "items": {}}


@pytest.mark.parametrize(
    "node",
    [
        {"$ref": "#/$defs/Node"},
        {"allOf": [{"$ref": "#/$defs/Node"}, {"$ref": "#/$defs/Node"}]},
        {"type": "object", "anyOf": [{"$ref": "#/$defs/Node"}, {"$ref": "#/$defs/Node"}]},
        {
            "type": "object",
            "properties": {
                "l": {"$ref": "#/$defs/Node", "type": "object"},
                "r": {"allOf": [{"$ref": "#/$defs/Node"}, {"required": ["l"]}]},
            },
        },
    ],
)
def test_circles_of_merging_end(node: Json) -> None:
    made = taken(
        {"type": "object", "properties": {"x": {"$ref": "#/$defs/Node"}}, "$defs": {"Node": node}}
    )
    assert list(made["properties"]) == ["x"]


def test_large_sums_of_items_are_cut() -> None:
    def bounded(most: int) -> Json:
        return {"type": "array", "items": {"type": "string"}, "maxItems": most}

    made = taken({"type": "object", "properties": {"a": bounded(900), "b": bounded(60)}})
    assert made["properties"] == {"a": bounded(900), "b": bounded(60)}
    made = taken({"type": "object", "properties": {"a": bounded(900), "b": bounded(61)}})
    assert made["properties"]["b"] == bounded(61)
    assert made["properties"]["a"] == {
        "type": "array",
        "items": {"type": "string"},
        "description": "At most 900 items.",
    }


def test_a_definition_counts_for_each_of_its_uses() -> None:
    ten = {"type": "array", "items": {}, "maxItems": 100}
    properties = {f"p{number}": {"$ref": "#/$defs/Ten"} for number in range(10)}
    made = taken({"type": "object", "properties": properties, "$defs": {"Ten": ten}})
    assert "maxItems" not in made["$defs"]["Ten"]


def test_references_within_references_grow_to_a_bounded_size() -> None:
    definitions: Json = {"D0": {"type": "object", "properties": {"a": {"type": "string"}}}}
    for number in range(1, 40):
        ref = {"$ref": f"#/$defs/D{number - 1}", "minProperties": 1}
        both = {f"a{number}": ref, f"b{number}": ref}
        definitions[f"D{number}"] = {"type": "object", "properties": both}
    made = taken({"$ref": "#/$defs/D39", "$defs": definitions})
    assert list(made["properties"]) == ["a39", "b39"]


@pytest.mark.parametrize(
    "inner",
    [
        {"type": "object", "properties": {f"p{number}": {} for number in range(10_001)}},
        {"allOf": [{"type": "object", "properties": {f"p{n}": {}}} for n in range(1000)]},
        {"allOf": [{"$ref": "#/$defs/Large"}] * 50},
    ],
)
def test_a_schema_that_grows_too_large_is_refused(inner: Json) -> None:
    large = {"type": "object", "properties": {f"p{number}": {} for number in range(500)}}
    schema = {"type": "object", "properties": {"x": inner}, "$defs": {"Large": large}}
    with pytest.raises(BadField, match="too large"):
        of_arguments(schema, "f", Budget())


def test_functions_share_a_budget() -> None:
    budget = Budget(5)
    schema = {"type": "object", "properties": {"a": {}, "b": {}}}
    assert of_arguments(schema, "f", budget) == schema
    with pytest.raises(BadField, match="'g' has"):
        of_arguments(schema, "g", budget)


def test_what_is_too_deep_becomes_an_empty_schema() -> None:
    deep: Json = {"type": "string"}
    for _ in range(150):
        deep = {"type": "array", "items": deep}
    assert shallow(of(deep), DEPTH_MAX + 2)


@pytest.mark.parametrize("key", ["items", "allOf", "const", "default", "x-own"])
def test_what_is_far_too_deep_is_refused(key: str) -> None:
    deep: Json = {"type": "string"}
    for _ in range(3000):
        deep = {key: [deep]}
    with pytest.raises(BadField, match="too deeply"):
        of_arguments({"type": "object", "properties": {"x": deep}}, "f", Budget())


def test_a_long_chain_of_definitions_is_followed() -> None:
    definitions: Json = {
        f"D{number}": {"type": "array", "items": {"$ref": f"#/$defs/D{number + 1}"}}
        for number in range(3000)
    }
    made = of_arguments(
        {"type": "object", "properties": {"x": {"$ref": "#/$defs/D0"}}, "$defs": definitions},
        "f",
        Budget(),
    )
    assert made is not None
    assert len(made["$defs"]) == 3000


def test_an_answers_schema_may_have_another_root() -> None:
    assert cleaned({"type": "array", "items": {"const": 1}}, "response_format") == {
        "type": "array",
        "items": {"type": "integer", "enum": [1]},
    }
    assert cleaned({"type": "object", "properties": {}}, "f") == {
        "type": "object",
        "properties": {},
    }


# Any schema as Pydantic and Zod write them, with values for it. Plain functions of a seed, because
# strategies for schemas that refer to each other are too slow.

DEFINITIONS = {"Size": "Size", "Resp[int]": "Resp%5Bint%5D", "a/b": "a~1b", "50%": "50%25"}
NAMES = ["a", "b", "type", "enum", "$ref", "a/b", "ключ", "properties", "x y"]
SAID: list[Json] = [{}, {"title": "T"}, {"description": "d"}, {"default": None}]
SCALARS = [None, True, False, -3, 0, 1, 2, 0.5, 1.0, 2.5, 2**53]
TEXTS = ["", "a", "s", "m", "zz", "1", "2026-01-01T00:00:00Z"]
LEAVES: list[Any] = [
    {"type": "string"},
    {"type": "string", "minLength": 1, "pattern": "^[a-z]"},
    {"type": "string", "format": "uuid"},
    {"type": "string", "format": "date-time"},
    {"type": "string", "enum": ["s", "m", ""]},
    {"type": "string", "const": "a"},
    {"const": 1},
    {"const": True},
    {"type": "integer", "exclusiveMinimum": 0},
    {"type": "integer", "minimum": -9007199254740991, "maximum": 9007199254740991},
    {"type": "number", "exclusiveMaximum": 1.5, "multipleOf": 0.5},
    {"type": "integer", "enum": [0, 1, 2]},
    {"enum": ["a", 1, None, False]},
    {"type": "boolean"},
    {"type": "null"},
    {"type": ["string", "null"]},
    {"type": ["string", "number", "boolean"], "minLength": 1},
    {"type": "integer", "nullable": True},
    {},
    True,
    {"not": {}},
]


def any_object(of: Random, left: int) -> Json:
    names = of.sample(NAMES, of.randint(1, 3))
    required = [name for name in names if of.random() < 0.5]
    further: list[Json] = [{}, {"additionalProperties": False}]
    return {
        "type": "object",
        "properties": {name: any_schema(of, left) for name in names},
        **({"required": required} if required else {}),
        **of.choice([*further, {"additionalProperties": any_schema(of, left)}]),
        **of.choice(SAID),
    }


def any_reference(of: Random) -> Json:
    return {"$ref": f"#/$defs/{of.choice(list(DEFINITIONS.values()))}", **of.choice(SAID)}


def any_schema(of: Random, left: int = 3) -> Any:
    if left == 0 or of.random() < 0.3:
        return of.choice([of.choice(LEAVES), any_reference(of)])
    left -= 1

    def some() -> list[Any]:
        return [any_schema(of, left) for _ in range(of.randint(1, 3))]

    forms: list[Any] = [
        lambda: any_object(of, left),
        lambda: {
            "type": "array",
            "items": any_schema(of, left),
            "maxItems": 3,
            "uniqueItems": True,
        },
        lambda: {"type": "array", "prefixItems": some(), "items": False},
        lambda: {"anyOf": [any_schema(of, left), {"type": "null"}], "default": None},
        lambda: {"anyOf": some()},
        lambda: {"oneOf": some()},
        lambda: {"allOf": [any_object(of, left), any_object(of, left)]},
        lambda: {**any_object(of, left), "anyOf": [any_object(of, left), any_object(of, left)]},
        lambda: {"allOf": [any_reference(of)], "description": "d"},
        lambda: {"allOf": [any_reference(of), any_object(of, left)]},
        lambda: {**any_object(of, left), **any_reference(of)},
        lambda: {"type": "object", "additionalProperties": any_schema(of, left)},
        lambda: {
            "type": "object",
            "patternProperties": {"^a": any_schema(of, left)},
            "additionalProperties": False,
        },
    ]
    return of.choice(forms)()


def any_value(of: Random, left: int = 2) -> Any:
    kind = of.randint(0, 4 if left else 1)
    if kind == 3:
        return [any_value(of, left - 1) for _ in range(of.randint(0, 2))]
    if kind == 4:
        return {name: any_value(of, left - 1) for name in of.sample(NAMES, of.randint(0, 2))}
    return of.choice(SCALARS if kind == 0 else TEXTS)


def fitting(of: Random, schema: Any, root: Json, left: int = 6) -> Any:
    """Return a value that is likely to be right by a schema of these."""
    if not isinstance(schema, dict) or left == 0 or of.random() < 0.05:
        return any_value(of)
    left -= 1
    parts = [fitting(of, part, root, left) for part in schema.get("allOf", ())]
    if "$ref" in schema:
        path = schema["$ref"].removeprefix("#/$defs/")
        name = next(key for key, written in DEFINITIONS.items() if written == path)
        parts.append(fitting(of, root["$defs"][name], root, left))
    for key in ("anyOf", "oneOf"):
        parts += [fitting(of, of.choice(schema[key]), root, left)] if key in schema else []
    if "properties" in schema or "patternProperties" in schema or "additionalProperties" in schema:
        parts.append(members(of, schema, root, left))
    whole = {name: one for part in parts if isinstance(part, dict) for name, one in part.items()}
    if parts:
        return whole or parts[0]
    if "const" in schema or "enum" in schema:
        return of.choice(schema.get("enum", [schema.get("const")]))
    if "prefixItems" in schema:
        return [fitting(of, one, root, left) for one in schema["prefixItems"]]
    if "items" in schema:
        return [fitting(of, schema["items"], root, left) for _ in range(of.randint(0, 2))]
    return any_value(of)


def members(of: Random, schema: Json, root: Json, left: int) -> Json:
    inner = [*schema.get("patternProperties", {}).values(), schema.get("additionalProperties")]
    named = schema.get("properties", {"a": inner[0]})
    names = schema.get("required", ())
    return {
        name: fitting(of, one, root, left)
        for name, one in named.items()
        if name in names or of.random() < 0.5
    }


@settings(max_examples=15, deadline=None, phases=[Phase.generate])
@given(st.integers(0, 2**64))
def test_any_schema_is_accepted_with_its_names_and_its_values(seed: int) -> None:
    of = Random(seed)
    definitions = {name: any_schema(of) for name in DEFINITIONS}
    schema = {**any_object(of, 3), "$defs": definitions}
    made = taken(schema)
    assert list(made["properties"]) == list(schema["properties"])
    for _ in range(5):
        value = fitting(of, schema, schema)
        assert not valid(value, schema) or valid(value, made), (schema, made, value)


KEYWORDS = [
    *("$ref", "$defs", "definitions", "$anchor", "type", "properties", "required", "anyOf"),
    *("allOf", "oneOf", "enum", "const", "items", "prefixItems", "additionalProperties"),
    *("patternProperties", "nullable", "minimum", "exclusiveMinimum", "maxItems", "maxLength"),
    *("default", "description", "format", "a"),
]
WORDS: list[Any] = [
    *(None, True, False, 0, 1, -1, 2.5, 1e30, 2**70, "", "a", "object", "string", "array"),
    *("integer", "null", "#", "#/$defs/a", "#/properties/a", "date-time"),
]


def anything(of: Random, left: int = 4) -> Any:
    kind = of.random()
    if left == 0 or kind < 0.35:
        return of.choice(WORDS)
    if kind < 0.55:
        return [anything(of, left - 1) for _ in range(of.randint(0, 3))]
    return {of.choice(KEYWORDS): anything(of, left - 1) for _ in range(of.randint(0, 4))}


@given(st.integers(0, 2**64))
def test_whatever_is_in_the_place_of_a_schema_is_accepted_or_named(seed: int) -> None:
    of = Random(seed)
    properties = {"a": anything(of), "b": anything(of)}
    schema = {"type": "object", "properties": properties, "$defs": {"a": anything(of)}}
    assert taken(schema)["properties"].keys() == {"a", "b"}
    with contextlib.suppress(BadField):
        taken({**schema, of.choice(KEYWORDS): anything(of)})


@settings(max_examples=15, deadline=None, phases=[Phase.generate])
@given(st.integers(0, 2**64))
def test_any_schema_of_an_answer_accepts_what_it_did(seed: int) -> None:
    of = Random(seed)
    definitions = {name: any_schema(of) for name in DEFINITIONS}
    inner = any_schema(of)
    schema = {**(inner if isinstance(inner, dict) else {}), "$defs": definitions}
    made = cleaned(schema, "response_format")
    config = {"responseMimeType": "application/json", "responseJsonSchema": made}
    body = {"contents": HELLO, "generationConfig": config}
    assert problems("gemini-3.8-flash", "generateContent", body) == []
    for _ in range(5):
        value = fitting(of, schema, schema)
        assert not valid(value, schema) or valid(value, made), (schema, made, value)
