"""JSON Schemas as OpenAI's clients write them, in the subset that Gemini takes."""

from typing import Any

from gemproxy.openai.fields import Json

_DATA = frozenset({"default", "enum", "example", "examples"})


def cleaned(schema: Json, at: str) -> Json:
    """Return a schema that Gemini takes and that accepts what the given one accepts."""
    del at
    return _cleaned(schema)


def _cleaned(schema: Json) -> Json:
    kept: Json = {}
    for key, value in schema.items():
        if key == "const":
            kept["enum"] = [value]
        elif key in _DATA:
            kept[key] = value
        elif key != "$schema":
            kept[key] = _inner(value)
    return kept


def _inner(value: Any) -> Any:  # noqa: ANN401 - a part of a schema
    if isinstance(value, dict):
        return _cleaned(value)
    return [_inner(one) for one in value] if isinstance(value, list) else value


def of_arguments(schema: Json, at: str) -> Json | None:
    """Return a function's parameters, cleaned; None where it takes no arguments."""
    clean = cleaned(schema, at)
    return clean if clean.get("properties") else None
