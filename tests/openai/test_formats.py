"""The format of answers."""

from typing import Any

import pytest

from gemproxy.core.errors import BadField
from gemproxy.openai.formats import Wanted, wanted
from gemproxy.openai.naming import Names
from gemproxy.openai.tools import declared, names_in
from gemproxy.shaping.family import family_of
from tests.gatekeeper import problems

OLD, NEW = "gemini-2.5-flash", "gemini-3.8-flash"
HELLO = [{"role": "user", "parts": [{"text": "hi"}]}]
BOAT = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "sail": {"const": True}},
    "required": ["name"],
    "additionalProperties": False,
}
SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "boat", "strict": True, "schema": BOAT},
}
TOOLS = [{"type": "function", "function": {"name": "tide"}}]


def asked(form: object, model: str = NEW, **document: object) -> Wanted:
    full: dict[str, Any] = {**document, "response_format": form}
    native = declared(full, Names.of(names_in(full)), family_of(model))
    found = wanted(full, family_of(model), native)
    body = {"contents": HELLO, **native, "generationConfig": found.config}
    assert problems(model, "generateContent", body) == []
    return found


def test_a_schema_is_sent_and_still_demands() -> None:
    found = asked(SCHEMA)
    assert found.config["responseMimeType"] == "application/json"
    schema = found.config["responseJsonSchema"]
    assert schema["required"] == ["name"]
    assert list(schema["properties"]) == ["name", "sail"]
    assert found.instruction == ""


def test_json_without_a_schema_is_the_type_only() -> None:
    assert asked({"type": "json_object"}) == Wanted({"responseMimeType": "application/json"})


@pytest.mark.parametrize("form", [None, {"type": "text"}])
def test_text_is_nothing(form: object) -> None:
    assert asked(form) == Wanted()


def test_json_beside_functions_from_3_on() -> None:
    assert asked(SCHEMA, tools=TOOLS, tool_choice="auto") == asked(SCHEMA)


@pytest.mark.parametrize(
    ("model", "more"),
    [
        (OLD, {"tools": TOOLS}),
        (OLD, {"tools": TOOLS, "tool_choice": "none"}),
        (NEW, {"tools": TOOLS, "tool_choice": "required"}),
        ("gemini-3.1-flash-image", {}),
        ("gemma-4-31b-it", {"tools": TOOLS}),
    ],
)
def test_else_the_wish_goes_into_the_instruction(model: str, more: dict[str, Any]) -> None:
    found = asked(SCHEMA, model, **more)
    assert found.config == {}
    assert '"required": ["name"]' in found.instruction
    plain = asked({"type": "json_object"}, model, **more)
    assert plain.config == {}
    assert "JSON" in plain.instruction


def test_search_is_a_tool_like_functions() -> None:
    search = [{"type": "web_search"}]
    assert asked(SCHEMA, OLD, tools=search).config == {}
    assert asked(SCHEMA, OLD, web_search_options={}).config == {}
    assert asked(SCHEMA, NEW, tools=search).config == asked(SCHEMA).config


def test_no_call_is_forced_where_none_is_allowed() -> None:
    assert asked(SCHEMA, NEW, tools=TOOLS, tool_choice="none") == asked(SCHEMA)


@pytest.mark.parametrize(
    "form",
    [
        {"type": "json_schema"},
        {"type": "json_schema", "json_schema": {"name": "boat"}},
        {"type": "json_schema", "json_schema": {"name": "boat", "schema": None}},
        {"type": "json_schema", "json_schema": {"name": "boat", "schema": []}},
        {"type": "json_schema", "json_schema": 7},
        {"type": "xml"},
        {"type": 7},
        {},
        "json_object",
        [],
    ],
)
def test_a_format_that_cannot_be_sent_is_refused(form: object) -> None:
    with pytest.raises(BadField) as caught:
        asked(form)
    assert caught.value.field == "response_format"


def test_the_flat_form_is_taken() -> None:
    assert asked({"type": "json_schema", "name": "boat", "schema": BOAT}) == asked(SCHEMA)


def test_a_schema_beside_json_object_is_not_lost() -> None:
    found = asked({"type": "json_object", "schema": BOAT})
    assert found.config["responseJsonSchema"]["required"] == ["name"]
