"""What a live Gemini refuses in a request, as a checklist for the fakes of the tests.

``problems`` returns one short text for each fault of a body, and nothing for a body without a
known fault. A fake answers 400 INVALID_ARGUMENT with these texts (``refusal``). Each rule stands in
a public thread of users or in Google's documentation (``SOURCES``); none was tried with Google for
this list.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Json = dict[str, Any]

SOURCES: Mapping[str, str] = {
    "parts": "CLIProxyAPI#1292, new-api#1060, hermes-agent#57942",
    "turns": "OmniRoute#13573, openfang#796, gemini-cli#26956",
    "pairs": "vscode#299295, CLIProxyAPI#5199, CLIProxyAPI#2104",
    "struct": "adk-js#347, vercel/ai#14369",
    "tail": "dive#287 (gemini-3.8-flash)",
    "last": "LibreChat agents#323, opencode#47034, pipecat#5821",
    "sign": "Google's page about thought signatures; AstrBot#9853; archestra#2548",
    "names": "OmniRoute#13715, gemini-cli#20987",
    "schema": "google_workspace_mcp#1099, AIStudioToAPI#154, opencode#11888 and #13150, "
    "DEEIX-Chat#546, OmniRoute#760, langchain-mcp-tools-ts#36",
    "choice": "tensorzero#4875, agent-framework#5322",
    "config": "continue#7849, js-genai#1609, MisakaNet#1473, any-llm#1381, gcli2api#108, "
    "gemini-balance#264",
    "media": "cherry-studio#3088, crush#995, vscode#286628",
    "embed": "vercel/ai#16575, gel#9032",
}

_DATA = (
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:\-]{0,63}\Z")
_MIME = re.compile(r"[a-z]+/[a-z0-9.+\-]+\Z")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}\Z")
_IMAGES = {"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"}
_TYPES = {"STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL", "TYPE_UNSPECIFIED"}
_KEYWORDS = {
    "type",
    "format",
    "title",
    "description",
    "nullable",
    "enum",
    "maxItems",
    "minItems",
    "properties",
    "required",
    "minProperties",
    "maxProperties",
    "minLength",
    "maxLength",
    "pattern",
    "example",
    "anyOf",
    "propertyOrdering",
    "default",
    "items",
    "minimum",
    "maximum",
}
_FORMATS = {
    "STRING": {"enum", "date-time"},
    "INTEGER": {"int32", "int64"},
    "NUMBER": {"float", "double"},
}
_VALUES = ("default", "example", "examples", "enum", "const")  # of JSON Schema: data, no schemas
_LEVELS = ("MINIMAL", "LOW", "MEDIUM", "HIGH")
_MODES = ("AUTO", "ANY", "NONE", "VALIDATED")
_STOPS = 5
_BATCH = 100
_BUDGETS = {"pro": (128, 32768, False), "lite": (512, 24576, True), "": (1, 24576, True)}  # of 2.5


def problems(model: str, method: str, body: Json) -> list[str]:
    """Return what Gemini refuses in ``body``, sent to ``method`` of ``model``.

    ``model`` stands without ``models/``; ``method`` is the word behind the colon of the path.
    """
    if method == "batchEmbedContents":
        return list(_in_batch(model, body.get("requests") or []))
    contents = body.get("contents") or []
    return [
        *(_in_contents(model, contents) if contents else ["contents is not specified"]),
        *_unsigned(model, contents),
        *_in_tools(body.get("tools") or []),
        *_in_choice(body),
        *_in_both(model, body),
        *_in_config(model, body.get("generationConfig") or {}),
        *_in_thinking(model, (body.get("generationConfig") or {}).get("thinkingConfig") or {}),
    ]


def refusal(found: Sequence[str]) -> Json:
    """Return the body of Google's 400 that tells the problems ``found``."""
    message = "; ".join(found)
    return {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}


def _version(model: str) -> tuple[int, int]:
    found = re.search(r"gemini-(\d+)(?:\.(\d+))?", model)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)


def _levels(model: str) -> tuple[str, ...]:
    """Return the thinking levels that the model takes."""
    if _version(model) < (3, 0):
        return ()
    if "hydrogen" in model:
        return (*_LEVELS[1:], "XHIGH")
    if "pro" in model or (_version(model) >= (3, 7) and "lite" not in model):
        return _LEVELS[1:]
    return _LEVELS


def _parts(content: Json) -> list[Json]:
    return content.get("parts") or []


def _has(content: Json, field: str) -> bool:
    return any(field in part for part in _parts(content))


# Contents.


def _in_contents(model: str, contents: Sequence[Json]) -> Iterator[str]:
    for number, content in enumerate(contents):
        at = f"contents[{number}]"
        if content.get("role", "user") not in {"user", "model", "function"}:
            yield f"{at}.role: {content.get('role')}"
        if not _parts(content):
            yield f"{at}.parts: must not be empty"
        for place, part in enumerate(_parts(content)):
            yield from _in_part(model, part, f"{at}.parts[{place}]")
        if _version(model) >= (3, 6) and _text_behind_result(content):
            yield f"{at}: text behind a functionResponse in one content"
        before = contents[number - 1] if number else {}
        behind = contents[number + 1] if number + 1 < len(contents) else {}
        yield from _in_turns(before, content, behind, at)
    prefill = _version(model) < (3, 6) and "3.5-flash-lite" not in model
    if contents[-1].get("role") == "model" and not prefill:
        yield "requests ending with a model turn are not supported"


def _in_part(model: str, part: Json, at: str) -> Iterator[str]:
    kinds = [kind for kind in _DATA if kind in part]
    if len(kinds) != 1:
        yield f"{at}: exactly one data field, has {kinds}"
    if part.get("text") == "" and "thoughtSignature" not in part:
        yield f"{at}: empty text"
    if "inlineData" in part:
        yield from _in_media(part["inlineData"], at)
    if "functionCall" in part:
        call = part["functionCall"]
        if not isinstance(call.get("args", {}), dict):
            yield f"{at}.functionCall.args: not an object"
        if not call.get("name"):
            yield f"{at}.functionCall.name: empty"
    if "functionResponse" in part:
        yield from _in_result(model, part["functionResponse"], f"{at}.functionResponse")


def _in_media(data: Json, at: str) -> Iterator[str]:
    mime = data.get("mimeType", "")
    if mime.startswith("image/") and mime not in _IMAGES:
        yield f"{at}: unsupported MIME type {mime}"
    if not _MIME.match(mime):
        yield f"{at}: MIME type {mime!r}"
    if not _BASE64.match(data.get("data", "")):
        yield f"{at}: data is not plain base64"


def _in_result(model: str, result: Json, at: str) -> Iterator[str]:
    if not result.get("name"):
        yield f"{at}.name: cannot be empty"
    if not isinstance(result.get("response"), dict):
        yield f"{at}.response: not an object"
    elif _refers(result["response"]):
        yield f"{at}.response: $ref"
    if result.get("parts") and _version(model) < (3, 0):
        yield f"{at}: multimodal function responses are not supported"


def _refers(value: object) -> bool:
    if isinstance(value, dict):
        return any(
            (key == "$ref" and isinstance(item, str)) or _refers(item)
            for key, item in value.items()
        )
    return isinstance(value, list) and any(map(_refers, value))


def _text_behind_result(content: Json) -> bool:
    """Return whether text follows a result in one content: newer models read a model's turn."""
    answered = False
    for part in _parts(content):
        if "text" in part and answered:
            return True
        answered |= "functionResponse" in part
    return False


def _in_turns(before: Json, content: Json, behind: Json, at: str) -> Iterator[str]:
    if _has(content, "functionResponse") and not _has(before, "functionCall"):
        yield f"{at}: function response turn must come right after a function call turn"
    if not _has(content, "functionCall"):
        return
    if before.get("role", "model") == "model":
        yield f"{at}: function call turn must come after a user or function response turn"
    calls = [part["functionCall"] for part in _parts(content) if "functionCall" in part]
    results = [part["functionResponse"] for part in _parts(behind) if "functionResponse" in part]
    if len(calls) != len(results):
        yield f"{at}: {len(calls)} function calls, {len(results)} function responses"
    for call, result in zip(calls, results, strict=False):
        named = call.get("name") == result.get("name")
        if not named or call.get("id", result.get("id")) != result.get("id"):
            yield f"{at}: functionResponse does not match functionCall {call.get('name')}"


def _unsigned(model: str, contents: Sequence[Json]) -> Iterator[str]:
    """Yield the signatures that Gemini 3 misses: first calls of the running turn, and pictures."""
    if _version(model) < (3, 0):
        return
    asked = (
        number
        for number, content in enumerate(contents)
        if content.get("role", "user") == "user" and not _has(content, "functionResponse")
    )
    start = max(asked, default=-1)
    for number, content in enumerate(contents):
        if content.get("role") != "model":
            continue
        calls = [part for part in _parts(content) if "functionCall" in part]
        if number > start and calls and not calls[0].get("thoughtSignature"):
            yield f"contents[{number}]: function call is missing a thought_signature"
        for part in _parts(content):
            if "image" in model and "inlineData" in part and not part.get("thoughtSignature"):
                yield f"contents[{number}]: image part is missing a thought_signature"


# Schemas.


def schema_problems(schema: object, at: str) -> list[str]:
    """Return what Gemini refuses in a schema of its own (``parameters``, ``responseSchema``)."""
    if not isinstance(schema, dict):
        return [f"{at}: not an object"]
    if isinstance(schema.get("type"), list):
        return [f"{at}.type: proto field is not repeating"]
    kind = (schema.get("type") or "").upper()
    return [
        *(f"{at}: unknown name {key}" for key in schema if key not in _KEYWORDS),
        *(told for wrong, told in _kind_rules(schema, kind, at) if wrong),
        *_in_inner(schema, at),
    ]


def _kind_rules(schema: Json, kind: str, at: str) -> Iterator[tuple[object, str]]:
    known = schema.get("properties") or {}
    values = schema.get("enum", [])
    yield not kind and "anyOf" not in schema, f"{at}: no type"
    yield kind and kind not in _TYPES, f"{at}.type: {kind}"
    yield "enum" in schema and kind != "STRING", f"{at}.enum: only allowed for STRING type"
    yield (
        any(not isinstance(value, str) or not value for value in values),
        f"{at}.enum: only non-empty strings",
    )
    yield (
        "format" in schema and schema["format"] not in _FORMATS.get(kind, set()),
        f"{at}.format: {schema.get('format')}",
    )
    yield kind == "ARRAY" and "items" not in schema, f"{at}.items: missing field"
    yield (
        kind == "OBJECT" and not known,
        f"{at}.properties: should be non-empty for OBJECT type",
    )
    yield (
        kind != "OBJECT" and ("properties" in schema or "required" in schema),
        f"{at}.properties: only allowed for OBJECT type",
    )
    for name in schema.get("required", ()):
        yield name not in known, f"{at}.required: property {name} is not defined"


def _in_inner(schema: Json, at: str) -> Iterator[str]:
    for name, inner in (schema.get("properties") or {}).items():
        yield from schema_problems(inner, f"{at}.{name}")
    for number, inner in enumerate(schema.get("anyOf", ())):
        yield from schema_problems(inner, f"{at}.anyOf[{number}]")
    if "items" in schema:
        yield from schema_problems(schema["items"], f"{at}.items")


def json_schema_problems(schema: object, at: str) -> list[str]:
    """Return what Gemini refuses in a JSON Schema: references must lead somewhere."""
    return list(_in_json_schema(schema, at, schema))


def _in_json_schema(schema: object, at: str, root: object) -> Iterator[str]:
    if isinstance(schema, list):
        for number, value in enumerate(schema):
            yield from _in_json_schema(value, f"{at}[{number}]", root)
    if not isinstance(schema, dict):
        return
    reference = schema.get("$ref")
    if isinstance(reference, str) and not _leads(reference, root):
        yield f"{at}.$ref: {reference} leads nowhere"
    for key, value in schema.items():
        if key not in _VALUES:
            yield from _in_json_schema(value, f"{at}.{key}", root)


def _leads(reference: str, root: object) -> bool:
    if not reference.startswith("#"):
        return False
    node = root
    for step in filter(None, reference.removeprefix("#").split("/")):
        node = node.get(step) if isinstance(node, dict) else None
    return node is not None


# Tools.


def _declared(tools: Sequence[Json]) -> list[Json]:
    return [one for tool in tools for one in tool.get("functionDeclarations") or []]


def _in_tools(tools: Sequence[Json]) -> Iterator[str]:
    seen: set[str] = set()
    for place, declared in enumerate(_declared(tools)):
        at = f"function_declarations[{place}]"
        name = declared.get("name", "")
        if not _NAME.match(name):
            yield f"{at}.name: invalid function name {name!r}"
        if name in seen:
            yield f"{at}.name: duplicate {name}"
        seen.add(name)
        yield from _in_parameters(declared, at)


def _in_parameters(declared: Json, at: str) -> Iterator[str]:
    if "parameters" in declared and "parametersJsonSchema" in declared:
        yield f"{at}: both kinds of parameters"
    if declared.get("parameters") is not None:
        yield from schema_problems(declared["parameters"], f"{at}.parameters")
    if "parametersJsonSchema" in declared:
        schema = declared["parametersJsonSchema"]
        yield from json_schema_problems(schema, f"{at}.parametersJsonSchema")
        if not isinstance(schema, dict) or schema.get("type") != "object":
            yield f"{at}.parametersJsonSchema: root is not an object"


def _in_choice(body: Json) -> Iterator[str]:
    names = [one.get("name") for one in _declared(body.get("tools") or [])]
    choice = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    mode = choice.get("mode", "AUTO")
    if mode not in _MODES:
        yield f"mode {mode}"
    if mode in {"ANY", "VALIDATED"} and not names:
        yield f"mode {mode} without functions"
    if "allowedFunctionNames" not in choice:
        return
    if mode not in {"ANY", "VALIDATED"}:
        yield f"allowedFunctionNames with mode {mode}"
    for name in choice["allowedFunctionNames"]:
        if name not in names:
            yield f"allowedFunctionNames: {name} is not declared"


def _in_both(model: str, body: Json) -> Iterator[str]:
    kind = (body.get("generationConfig") or {}).get("responseMimeType")
    functions = _declared(body.get("tools") or [])
    if functions and kind == "application/json" and _version(model) < (3, 0):
        yield "function calling with a response mime type application/json is unsupported"


# generationConfig.


def _in_config(model: str, config: Json) -> Iterator[str]:
    newer = _version(model)
    stops = config.get("stopSequences", [])
    logprobs = config.get("responseLogprobs") or "logprobs" in config
    if len(stops) > _STOPS or not all(stops):
        yield "stopSequences: 1 to 5, none empty"
    if config.get("candidateCount", 1) > 1 and newer >= (3, 0):
        yield "multiple candidates is not enabled for this model"
    if newer >= (3, 7) and ("presencePenalty" in config or "frequencyPenalty" in config):
        yield "penalty is not enabled for this model"
    if logprobs and newer >= (3, 5):
        yield "logprobs is not supported for this model"
    yield from _in_response_schemas(config)


def _in_response_schemas(config: Json) -> Iterator[str]:
    kinds: Mapping[str, Callable[[object, str], list[str]]] = {
        "responseSchema": schema_problems,
        "responseJsonSchema": json_schema_problems,
    }
    given = [kind for kind in kinds if kind in config]
    if len(given) > 1:
        yield "both kinds of response schema"
    for kind in given:
        yield from kinds[kind](config[kind], kind)
        if not config.get("responseMimeType"):
            yield "a response schema without responseMimeType"


def _in_thinking(model: str, thinking: Json) -> Iterator[str]:
    budget, level = thinking.get("thinkingBudget"), thinking.get("thinkingLevel")
    if budget is not None and level is not None:
        yield "both thinkingBudget and thinkingLevel"
    if level is not None and str(level).upper() not in _levels(model):
        yield f"thinkingLevel {level} on {model}"
    if budget is None or _version(model) != (2, 5):
        return
    low, high, off = next(_BUDGETS[word] for word in _BUDGETS if word in model)
    if budget != -1 and not (budget == 0 and off) and not low <= budget <= high:
        yield f"thinkingBudget {budget} on {model}"
    if budget == 0 and thinking.get("includeThoughts"):
        yield "includeThoughts is only enabled when thinking is enabled"


def _in_batch(model: str, asked: Sequence[Json]) -> Iterator[str]:
    if not 1 <= len(asked) <= _BATCH:
        yield "at most 100 requests can be in one batch"
    for number, one in enumerate(asked):
        if one.get("model") != f"models/{model}":
            yield f"requests[{number}].model"
        parts = _parts(one.get("content") or {}) or [{}]
        if not all(part.get("text") for part in parts):
            yield f"requests[{number}].content"
