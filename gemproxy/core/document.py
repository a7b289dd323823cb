"""Whether a text is one JSON document, and the one that was asked for.

Schemas come in two dialects: ``responseJsonSchema`` is JSON Schema, ``responseSchema`` the
OpenAPI subset with upper-case type names and ``nullable``. The second is turned into the
first. Only the keywords that Gemini keeps to (structured output, in the API's guide) judge:
an answer that passes undisturbed must pass after a repair. A regular expression is none of
them: it could stall the process. A schema that cannot be understood does not judge: then the
document has to parse.
"""

import re
from typing import Any

from gemproxy.core.request import Unreadable, loads_strictly

Schema = dict[str, Any]

_MAPPINGS = frozenset({"properties", "$defs", "definitions"})
_SCHEMAS = frozenset({"items", "additionalProperties", "prefixItems", "anyOf"})
_COUNTS = frozenset({"minItems", "maxItems"})
_VALUES = frozenset({"enum", "required", "minimum", "maximum", "$anchor"})
_TO_A_SCHEMA = re.compile(r"#(?:[^/]*|/(?:\$defs|definitions)/[^/]*)")  # and to no value


def is_document(text: str, schema: Schema | None) -> bool:
    """Tell whether ``text`` is valid JSON that agrees with ``schema``, where one is given."""
    try:
        value = loads_strictly(text)
    except Unreadable:
        return False
    return schema is None or _agrees(value, as_json_schema(schema))


def as_json_schema(schema: Schema) -> Schema:
    """Return a Gemini schema, in either dialect, as JSON Schema."""
    converted: Schema = {}
    for key, value in schema.items():
        if key == "type":
            converted["type"] = _type_names(value)
        elif key in _MAPPINGS and isinstance(value, dict):
            converted[key] = {name: _convert(inner) for name, inner in value.items()}
        elif key in _SCHEMAS:
            converted[key] = _convert(value)
        elif key == "oneOf":  # Gemini reads it as anyOf
            converted["anyOf"] = _convert(value)
        elif key in _COUNTS:
            converted[key] = _count(value)
        elif key in _VALUES or (key == "$ref" and _TO_A_SCHEMA.fullmatch(str(value))):
            converted[key] = value
    return {"anyOf": [converted, {"type": "null"}]} if schema.get("nullable") else converted


def _convert(value: object) -> Any:  # noqa: ANN401 - a schema, a list of them, or a flag
    if isinstance(value, dict):
        return as_json_schema(value)
    return [_convert(inner) for inner in value] if isinstance(value, list) else value


def _count(value: object) -> object:
    """Return a count as a number: the protobuf's int64 is a string in JSON."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _type_names(names: object) -> object:
    if isinstance(names, str):
        return names.lower()
    return [str(name).lower() for name in names] if isinstance(names, list) else names


def _agrees(value: object, schema: Schema) -> bool:
    # Imported here: it takes 30 ms, and only a repaired JSON answer needs it.
    from jsonschema import Draft202012Validator  # noqa: PLC0415
    from referencing import Registry  # noqa: PLC0415

    try:
        validator = Draft202012Validator(schema, registry=Registry())  # fetches nothing
        return bool(validator.is_valid(value))
    except Exception:  # noqa: BLE001 - a foreign schema can break the validator in any way
        return True
