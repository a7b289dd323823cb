"""The tools of a request, and how they may be called."""

from typing import Any

import pytest

from gemproxy.core.errors import BadField
from gemproxy.openai.naming import Names
from gemproxy.openai.tools import declared, names_in, schemas_told
from gemproxy.shaping.family import family_of
from tests.gatekeeper import problems

ARGS = {"type": "object", "properties": {"port": {"type": "string"}}, "required": ["port"]}
TIDE = {"type": "function", "function": {"name": "tide", "description": "d", "parameters": ARGS}}
MOON = {"type": "function", "function": {"name": "moon"}}
NATIVE = [{"name": "tide", "description": "d", "parametersJsonSchema": ARGS}, {"name": "moon"}]
HELLO = [{"role": "user", "parts": [{"text": "hi"}]}]
OLD, NEW = "gemini-2.5-flash", "gemini-3.8-flash"


def sent(document: dict[str, Any], model: str = NEW) -> dict[str, Any]:
    names = Names.of(names_in(document))
    native = declared(document, names, family_of(model))
    assert problems(model, "generateContent", {"contents": HELLO, **native}) == []
    return native


def calling(choice: object, **more: object) -> Any:
    native = sent({"tools": [TIDE, MOON], "tool_choice": choice, **more})
    assert native["tools"] == [{"functionDeclarations": NATIVE}]
    return native.get("toolConfig", {}).get("functionCallingConfig")


def refused(document: dict[str, Any], model: str = NEW) -> str:
    with pytest.raises(BadField) as caught:
        sent(document, model)
    return caught.value.field


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        (None, None),
        ("auto", None),
        ({"type": "auto"}, None),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        (
            {"type": "function", "function": {"name": "tide"}},
            {"mode": "ANY", "allowedFunctionNames": ["tide"]},
        ),
        ({"type": "function", "name": "moon"}, {"mode": "ANY", "allowedFunctionNames": ["moon"]}),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [{"type": "function", "function": {"name": "moon"}}],
                },
            },
            {"mode": "VALIDATED", "allowedFunctionNames": ["moon"]},
        ),
        (
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "moon"}],
            },
            {"mode": "ANY", "allowedFunctionNames": ["moon"]},
        ),
        ({"type": "allowed_tools", "mode": "auto", "tools": []}, {"mode": "NONE"}),
    ],
)
def test_a_choice_keeps_all_declarations(choice: object, config: object) -> None:
    assert calling(choice) == config


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "function", "function": {"name": "wind"}},
        {"type": "function", "name": "wind"},
        {"type": "function"},
        {"type": "function", "function": {"name": 7}},
        {"type": "custom", "custom": {"name": "tide"}},
        {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "wind"}]},
        {"type": "allowed_tools", "mode": "always", "tools": []},
        {"type": "allowed_tools", "mode": "required", "tools": []},
        {"type": "allowed_tools", "mode": "auto"},
        "sometimes",
        7,
        [],
    ],
)
def test_a_choice_that_cannot_be_sent_is_refused(choice: object) -> None:
    assert refused({"tools": [TIDE], "tool_choice": choice}) == "tool_choice"


@pytest.mark.parametrize("tools", [{}, {"tools": []}, {"tools": None}])
def test_without_tools_nothing_is_said_of_them(tools: dict[str, Any]) -> None:
    for choice in (None, "auto", "none"):
        assert sent({**tools, "tool_choice": choice}) == {}
    demands: list[object] = ["required", {"type": "function", "function": {"name": "tide"}}]
    for demand in demands:
        assert refused({**tools, "tool_choice": demand}) == "tool_choice"


def test_the_old_form_is_the_same() -> None:
    functions = [TIDE["function"], MOON["function"]]
    native = sent({"functions": functions, "function_call": {"name": "tide"}})
    assert native["tools"] == [{"functionDeclarations": NATIVE}]
    config = native["toolConfig"]["functionCallingConfig"]
    assert config == {"mode": "ANY", "allowedFunctionNames": ["tide"]}
    modes: dict[str, object] = {"none": {"mode": "NONE"}, "auto": None}
    for word, mode in modes.items():
        native = sent({"functions": functions, "function_call": word})
        assert native.get("toolConfig", {}).get("functionCallingConfig") == mode
    assert refused({"functions": functions, "function_call": {"name": "x"}}) == "function_call"
    assert refused({"functions": functions, "tools": [MOON]}) == "functions"


def test_refused_names_are_replaced_everywhere() -> None:
    tools = [
        {"type": "function", "function": {"name": name}}
        for name in ("1c_reload", "shop server/list items", "shop_server_list_items", "重启")
    ]
    choice = {"type": "function", "function": {"name": "1c_reload"}}
    native = sent({"tools": tools, "tool_choice": choice})
    names = [one["name"] for one in native["tools"][0]["functionDeclarations"]]
    assert len(set(names)) == 4
    assert names[2] == "shop_server_list_items"
    assert native["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"] == names[:1]


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "web_search"},
        {"type": "web_search_preview", "search_context_size": "low"},
        {"type": "web_search_preview_2025_03_11"},
        {"type": "google_search"},
        {"google_search": {}},
        {"googleSearch": {}},
        {"type": "function", "function": {"name": "googleSearch"}},
        {"type": "function", "function": {"name": "googleSearch", "parameters": {}}},
    ],
)
def test_search_has_many_forms(tool: object) -> None:
    assert sent({"tools": [tool]}, OLD) == {"tools": [{"googleSearch": {}}]}


@pytest.mark.parametrize("name", ["urlContext", "codeExecution"])
def test_other_tools_of_geminis_own(name: str) -> None:
    assert sent({"tools": [{name: {}}]}) == {"tools": [{name: {}}]}
    function = {"type": "function", "function": {"name": name}}
    assert sent({"tools": [function, {"type": "web_search"}]}) == {
        "tools": [{name: {}}, {"googleSearch": {}}]
    }
    assert sent({"tools": [function], "tool_choice": "none"}) == {}


def test_a_clients_own_function_may_be_called_like_one_of_geminis() -> None:
    function = {"type": "function", "function": {"name": "googleSearch", "parameters": ARGS}}
    native = sent({"tools": [function]})
    assert native["tools"][0]["functionDeclarations"][0]["name"] == "googleSearch"


def test_web_search_options_switch_search_on() -> None:
    assert sent({"web_search_options": {}}) == {"tools": [{"googleSearch": {}}]}
    both = {"web_search_options": {}, "tools": [{"type": "web_search"}]}
    assert sent(both) == {"tools": [{"googleSearch": {}}]}
    assert refused({"web_search_options": True}) == "web_search_options"


def test_own_tools_and_functions_together_need_a_newer_model() -> None:
    native = sent({"tools": [TIDE, {"type": "web_search"}]})
    assert [list(tool) for tool in native["tools"]] == [["googleSearch"], ["functionDeclarations"]]
    assert native["toolConfig"] == {"includeServerSideToolInvocations": True}
    assert refused({"tools": [TIDE, {"type": "web_search"}]}, OLD) == "tools"
    assert refused({"tools": [TIDE], "web_search_options": {}}, OLD) == "web_search_options"


@pytest.mark.parametrize(
    ("tools", "field"),
    [
        ({}, "tools"),
        ("tide", "tools"),
        ([7], "tools[0]"),
        ([{}], "tools[0].function"),
        ([MOON, {"type": "function"}], "tools[1].function"),
        ([{"type": "function", "function": {}}], "tools[0].function.name"),
        ([{"type": "function", "function": {"name": ""}}], "tools[0].function.name"),
        (
            [{"type": "function", "function": {"name": "f", "parameters": []}}],
            "tools[0].function.parameters",
        ),
        (
            [{"type": "function", "function": {"name": "f", "description": 7}}],
            "tools[0].function.description",
        ),
        ([{"type": "custom", "custom": {"name": "shell"}}], "tools[0].type"),
        ([{"type": "file_search"}], "tools[0].type"),
        (
            [TIDE, {"type": "function", "function": {"name": "tide"}}],
            "tools[1].function.name",
        ),
    ],
)
def test_a_tool_that_cannot_be_sent_is_named(tools: object, field: str) -> None:
    assert refused({"tools": tools}) == field


def test_a_custom_tool_is_called_by_its_name() -> None:
    with pytest.raises(BadField, match="shell"):
        sent({"tools": [{"type": "custom", "custom": {"name": "shell"}}]})


def test_a_tool_that_is_nested_too_deeply_is_refused() -> None:
    deep: Any = "x"
    for _ in range(3000):
        deep = [deep]
    tool = {"type": "function", "function": {"name": "f", "parameters": {"default": deep}}}
    assert refused({"tools": [tool, tool]}) == "tools[0].function"


def test_the_same_tool_twice_is_one() -> None:
    assert sent({"tools": [TIDE, MOON, TIDE]})["tools"] == [{"functionDeclarations": NATIVE}]


def test_a_flat_function_is_taken() -> None:
    flat = {"type": "function", **TIDE["function"]}  # type: ignore[dict-item]
    assert sent({"tools": [flat, MOON]})["tools"] == [{"functionDeclarations": NATIVE}]


@pytest.mark.parametrize("parameters", [None, {}, {"type": "object", "properties": {}}])
def test_a_function_without_arguments_has_no_schema(parameters: object) -> None:
    tool = {"type": "function", "function": {"name": "moon", "parameters": parameters}}
    assert sent({"tools": [tool]})["tools"] == [{"functionDeclarations": [{"name": "moon"}]}]


def test_schemas_are_told_where_values_change_their_type() -> None:
    schema = {"type": "object", "properties": {"level": {"enum": [0, 1]}}}
    tool = {"type": "function", "function": {"name": "重启", "parameters": schema}}
    document = {"tools": [tool, TIDE, MOON]}
    names = Names.of(names_in(document))
    assert schemas_told(document, names) == {names.up("重启"): schema}
