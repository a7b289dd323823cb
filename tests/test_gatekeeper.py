"""What Gemini refuses: each rule with a body that breaks it, and one that keeps it."""

from typing import Any

import pytest

from tests.gatekeeper import Json, json_schema_problems, problems, refusal, schema_problems

ASKED: Json = {"role": "user", "parts": [{"text": "q"}]}
BARE: Json = {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]}
CALL: Json = {"role": "model", "parts": [{**BARE["parts"][0], "thoughtSignature": "s"}]}
RESULT: Json = {
    "role": "user",
    "parts": [{"functionResponse": {"name": "f", "response": {"result": 1}}}],
}
SAID: Json = {"role": "model", "parts": [{"text": "a"}]}
TOOLS = [
    {
        "functionDeclarations": [
            {
                "name": "f",
                "parametersJsonSchema": {
                    "type": "object",
                    "properties": {"a": {"$ref": "#/$defs/A"}},
                    "$defs": {"A": {"type": "integer"}},
                },
            }
        ]
    }
]


def found(*contents: Json, model: str = "gemini-3.8-flash", **more: Any) -> list[str]:
    return problems(model, "generateContent", {"contents": list(contents), **more})


def user(*parts: Json) -> Json:
    return {"role": "user", "parts": list(parts)}


@pytest.mark.parametrize(
    ("contents", "model"),
    [
        ((ASKED,), "gemini-3.8-flash"),
        ((ASKED, CALL, RESULT), "gemini-3.8-flash"),
        ((ASKED, SAID), "gemini-2.5-flash"),
        ((ASKED, BARE, RESULT), "gemini-2.5-flash"),
        ((ASKED, BARE, RESULT, ASKED), "gemini-3.8-flash"),  # an earlier turn is not checked
    ],
)
def test_good_contents_pass(contents: tuple[Json, ...], model: str) -> None:
    assert found(*contents, model=model) == []


@pytest.mark.parametrize(
    ("contents", "told"),
    [
        ((), "not specified"),
        ((user(),), "must not be empty"),
        ((user({}),), "exactly one data field"),
        ((user({"text": "a", "inlineData": {}}),), "exactly one data field"),
        ((user({"text": ""}),), "empty text"),
        (({"role": "system", "parts": [{"text": "a"}]},), "role"),
        ((CALL, RESULT), "must come after a user"),
        ((ASKED, CALL), "1 function calls, 0 function responses"),
        ((ASKED, RESULT), "right after a function call"),
        ((ASKED, CALL, RESULT, RESULT), "right after a function call"),
        ((ASKED, SAID), "ending with a model turn"),
        ((ASKED, CALL, user(*RESULT["parts"], {"text": "now"})), "text behind"),
        ((ASKED, BARE, RESULT), "missing a thought_signature"),
        ((user({"inlineData": {"mimeType": "image/jpg", "data": "QUJD"}}),), "unsupported MIME"),
        ((user({"inlineData": {"mimeType": "png", "data": "QUJD"}}),), "MIME type 'png'"),
        ((user({"inlineData": {"mimeType": "image/png", "data": "Q-_"}}),), "base64"),
        (
            (ASKED, CALL, user({"functionResponse": {"name": "g", "response": {}}})),
            "does not match",
        ),
        (
            (ASKED, CALL, user({"functionResponse": {"name": "f", "response": "x"}})),
            "response: not an object",
        ),
        (
            (ASKED, CALL, user({"functionResponse": {"name": "f", "response": {"$ref": "#/a"}}})),
            "$ref",
        ),
        (
            (ASKED, {"role": "model", "parts": [{"functionCall": {"name": "f", "args": "{}"}}]}),
            "args: not an object",
        ),
    ],
)
def test_bad_contents_are_told(contents: tuple[Json, ...], told: str) -> None:
    assert told in " | ".join(found(*contents))


def test_pictures_in_results_are_for_gemini_3() -> None:
    part = {"inlineData": {"mimeType": "image/png", "data": "QUJD"}}
    result = user({"functionResponse": {"name": "f", "response": {}, "parts": [part]}})
    assert found(ASKED, CALL, result) == []
    assert "multimodal" in found(ASKED, CALL, result, model="gemini-2.5-flash")[0]


def test_pictures_of_image_models_are_signed() -> None:
    part: Json = {"inlineData": {"mimeType": "image/png", "data": "QUJD"}}
    model = "gemini-3-pro-image-preview"
    assert found(ASKED, {"role": "model", "parts": [part]}, ASKED, model=model)
    signed = {"role": "model", "parts": [{**part, "thoughtSignature": "s"}]}
    assert found(ASKED, signed, ASKED, model=model) == []


@pytest.mark.parametrize(
    "schema",
    [
        "object",
        {"type": "object", "properties": {}},
        {"type": ["string", "null"]},
        {"type": "array"},
        {"type": "integer", "enum": [1]},
        {"type": "string", "enum": ["a", ""]},
        {"type": "string", "format": "uri"},
        {"type": "string", "const": "a"},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["b"]},
        {"type": "string", "properties": {"a": {"type": "string"}}},
        {"type": "array", "items": {"type": "object", "properties": {}}},
        {"anyOf": [{"type": "date"}]},
        {"description": "no type"},
    ],
)
def test_bad_schemas_are_told(schema: object) -> None:
    assert schema_problems(schema, "s")


def test_good_schemas_pass() -> None:
    inner = {"type": "string", "enum": ["x"], "nullable": True}
    assert not schema_problems(
        {"type": "object", "properties": {"a": inner}, "required": ["a"]}, "s"
    )
    assert not schema_problems({"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]}, "s")


@pytest.mark.parametrize(
    ("reference", "leads"),
    [("#/$defs/A", True), ("#", True), ("#/$defs/B", False), ("https://a.example/s", False)],
)
def test_references_of_json_schemas_lead_somewhere(reference: str, *, leads: bool) -> None:
    schema = {"type": "object", "properties": {"a": [{"$ref": reference}]}, "$defs": {"A": {}}}
    assert (json_schema_problems(schema, "s") == []) is leads


def test_references_among_values_are_data() -> None:
    assert json_schema_problems({"default": {"$ref": "#/nowhere"}}, "s") == []


@pytest.mark.parametrize(
    ("tools", "told"),
    [
        ([{"name": "1f"}], "invalid function name"),
        ([{"name": "a" * 65}], "invalid function name"),
        ([{"name": "f"}, {"name": "f"}], "duplicate"),
        ([{"name": "f", "parameters": {"type": "object"}}], "non-empty"),
        ([{"name": "f", "parametersJsonSchema": {}}], "root is not an object"),
        (
            [{"name": "f", "parameters": None, "parametersJsonSchema": {"type": "object"}}],
            "both kinds",
        ),
    ],
)
def test_bad_declarations_are_told(tools: list[Json], told: str) -> None:
    assert told in " | ".join(found(ASKED, tools=[{"functionDeclarations": tools}]))


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ({"mode": "ANY", "allowedFunctionNames": ["f"]}, ""),
        ({"mode": "AUTO", "allowedFunctionNames": ["f"]}, "with mode AUTO"),
        ({"mode": "ANY", "allowedFunctionNames": ["g"]}, "g is not declared"),
        ({"mode": "SOME"}, "mode SOME"),
    ],
)
def test_the_choice_fits_the_tools(choice: Json, told: str) -> None:
    config = {"functionCallingConfig": choice}
    assert told in " | ".join(found(ASKED, tools=TOOLS, toolConfig=config))
    assert bool(found(ASKED, tools=TOOLS, toolConfig=config)) is bool(told)


def test_a_call_is_forced_only_with_tools() -> None:
    config = {"functionCallingConfig": {"mode": "ANY"}}
    assert found(ASKED, toolConfig=config) == ["mode ANY without functions"]


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"stopSequences": list("abcdef")}, "stopSequences"),
        ({"stopSequences": [""]}, "stopSequences"),
        ({"candidateCount": 2}, "candidates"),
        ({"presencePenalty": 0.1}, "penalty"),
        ({"responseLogprobs": True}, "logprobs"),
        ({"responseSchema": {"type": "STRING"}}, "without responseMimeType"),
        ({"responseSchema": {"type": "STRING"}, "responseJsonSchema": {}}, "both kinds"),
        ({"thinkingConfig": {"thinkingLevel": "MINIMAL"}}, "thinkingLevel MINIMAL"),
        ({"thinkingConfig": {"thinkingLevel": "LOW", "thinkingBudget": 1}}, "both"),
    ],
)
def test_bad_configs_are_told(config: Json, told: str) -> None:
    assert told in " | ".join(found(ASKED, generationConfig=config))


@pytest.mark.parametrize(
    ("model", "thinking", "good"),
    [
        ("gemini-2.5-flash", {"thinkingBudget": 32768}, False),
        ("gemini-2.5-flash", {"thinkingBudget": 0}, True),
        ("gemini-2.5-flash", {"thinkingBudget": 0, "includeThoughts": True}, False),
        ("gemini-2.5-flash-lite", {"thinkingBudget": 100}, False),
        ("gemini-2.5-pro", {"thinkingBudget": 0}, False),
        ("gemini-2.5-pro", {"thinkingBudget": 32768}, True),
        ("gemini-2.5-pro", {"thinkingLevel": "LOW"}, False),
        ("gemini-3-flash-preview", {"thinkingLevel": "MINIMAL"}, True),
        ("gemini-3.1-pro-preview", {"thinkingLevel": "MINIMAL"}, False),
        ("gemini-3.7-flash-lite", {"thinkingLevel": "MINIMAL"}, True),
        ("gemini-4-hydrogen", {"thinkingLevel": "XHIGH"}, True),
    ],
)
def test_thinking_fits_the_family(model: str, thinking: Json, *, good: bool) -> None:
    assert (found(ASKED, model=model, generationConfig={"thinkingConfig": thinking}) == []) is good


def test_tools_and_json_together_are_for_gemini_3() -> None:
    config = {"responseMimeType": "application/json"}
    assert found(ASKED, tools=TOOLS, generationConfig=config) == []
    assert found(ASKED, model="gemini-2.5-pro", tools=TOOLS, generationConfig=config)


def test_a_batch_of_embeddings_has_its_bounds() -> None:
    one = {"model": "models/e", "content": {"parts": [{"text": "a"}]}}

    def of(*requests: Json) -> list[str]:
        return problems("e", "batchEmbedContents", {"requests": list(requests)})

    assert of(one) == []
    assert of()
    assert of(*[one] * 101)
    assert of({**one, "model": "e"}) == ["requests[0].model"]
    assert of(one, {"model": "models/e", "content": {"parts": []}}) == ["requests[1].content"]


def test_a_refusal_is_googles_400() -> None:
    assert refusal(["a", "b"])["error"] == {
        "code": 400,
        "message": "a; b",
        "status": "INVALID_ARGUMENT",
    }
