"""Whether a text is one JSON document, and the one that was asked for.

Schemas come in two dialects: ``responseJsonSchema`` is JSON Schema, ``responseSchema`` the
OpenAPI subset with upper-case type names and ``nullable``. The second is turned into the
first. A schema that cannot be understood does not judge: then the document has to parse.
"""

from typing import Any

import jsonschema
from jsonschema.exceptions import SchemaError, UnknownType
from referencing import Registry
from referencing.exceptions import Unresolvable

from gemproxy.core.request import Unreadable, loads_strictly

Schema = dict[str, Any]


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
        elif key in ("properties", "$defs", "definitions") and isinstance(value, dict):
            converted[key] = {name: _convert(inner) for name, inner in value.items()}
        elif key in ("items", "additionalProperties", "prefixItems", "anyOf", "oneOf", "allOf"):
            converted[key] = _convert(value)
        elif key not in ("nullable", "format", "example", "default"):
            converted[key] = value
    return {"anyOf": [converted, {"type": "null"}]} if schema.get("nullable") else converted


def _convert(value: object) -> Any:  # noqa: ANN401 - a schema, a list of them, or a flag
    if isinstance(value, dict):
        return as_json_schema(value)
    return [_convert(inner) for inner in value] if isinstance(value, list) else value


def _type_names(names: object) -> object:
    if isinstance(names, str):
        return names.lower()
    return [str(name).lower() for name in names] if isinstance(names, list) else names


def _agrees(value: object, schema: Schema) -> bool:
    try:
        validator = jsonschema.Draft202012Validator(schema, registry=Registry())
        return bool(validator.is_valid(value))
    except (SchemaError, UnknownType, Unresolvable, TypeError, ValueError, AttributeError):
        return True
