"""A JSON document that agrees with a schema, like the answer of a model in JSON mode.

Both dialects are supported: ``responseJsonSchema``, which is JSON Schema, and ``responseSchema``,
the OpenAPI subset with upper-case type names. The document has every property, an array has two
items if allowed, and a string is the beginning of a given text. ``pattern`` and ``not`` are
ignored.
"""

from collections.abc import Mapping
from typing import Any

import attrs

Schema = Mapping[str, Any]

_DEEP = 4
"""Depth from which only required properties are filled in, to end a recursive schema."""

_DEEPEST = 32
_LENGTH = 40
_ITEMS = 2
_CHOICES = frozenset({"anyOf", "oneOf"})
_FORMATS = {
    "date": "2026-03-01",
    "date-time": "2026-03-01T05:12:00Z",
    "duration": "PT12S",
    "email": "ada@example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "time": "05:12:00Z",
    "uri": "https://example.com/",
    "uuid": "6f1c1f4e-8c1b-4a53-9b0e-2f6f0a7d3c11",
}


class NoExample(ValueError):
    """The schema is invalid, has an unknown reference, or requires itself."""


def example(schema: Schema, text: str) -> Any:  # noqa: ANN401 - JSON is any
    """Return a value that agrees with ``schema``, its strings taken from ``text``.

    Raises NoExample.
    """
    try:
        return _Example(schema, text).of(schema)
    except (AttributeError, KeyError, TypeError, ZeroDivisionError) as error:
        raise NoExample(f"the schema cannot be read: {error}") from None


@attrs.frozen
class _Example:
    root: Schema
    text: str

    def of(self, schema: Schema, depth: int = 0) -> Any:  # noqa: ANN401 - JSON is any
        if depth > _DEEPEST:
            raise NoExample("the schema requires itself")
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return schema["enum"][0]
        name = _type(schema)
        if name in {"object", "array"}:
            return (self._object if name == "object" else self._array)(schema, depth)
        if name in {"integer", "number"}:
            return _number(schema, whole=name == "integer")
        return {"boolean": True, "null": None}.get(name, self._string(schema))

    def _resolved(self, schema: Schema) -> Schema:
        """Follow references, choose the first type that is not null, and merge parts."""
        for _ in range(_DEEPEST):
            if "$ref" in schema:
                schema = {**self._referred(str(schema["$ref"])), **_without(schema, "$ref")}
            elif choices := schema.get("anyOf") or schema.get("oneOf"):
                chosen = next((one for one in choices if _type(one) != "null"), choices[0])
                schema = {**_without(schema, *_CHOICES), **chosen}
            elif parts := schema.get("allOf"):
                schema = _merged(_without(schema, "allOf"), *map(self._resolved, parts))
            else:
                return schema
        raise NoExample("the schema refers to itself")

    def _referred(self, reference: str) -> Schema:
        """Return the target of a JSON pointer (RFC 6901) into the schema."""
        found: Any = self.root
        for name in reference.removeprefix("#").split("/")[1:]:
            key = name.replace("~1", "/").replace("~0", "~")
            found = found.get(key) if isinstance(found, Mapping) else None
        if not isinstance(found, Mapping):
            raise NoExample(f"the schema has no {reference}")
        return found

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        names = [*(schema.get("propertyOrdering") or ()), *properties]
        if depth >= _DEEP:
            names = [name for name in names if name in (schema.get("required") or ())]
        made = {name: self.of(properties[name], depth + 1) for name in names if name in properties}
        other = schema.get("additionalProperties")
        if isinstance(other, Mapping) and not properties and depth < _DEEP:
            made["key"] = self.of(other, depth + 1)
        return made

    def _array(self, schema: Schema, depth: int) -> list[Any]:
        first = schema.get("prefixItems") or []
        items = schema.get("items")
        least = int(schema.get("minItems", 0))
        most = int(schema.get("maxItems", max(least, _ITEMS, len(first))))
        wanted = least if depth >= _DEEP else max(least, min(most, max(_ITEMS, len(first))))
        if first and not isinstance(items, Mapping):
            wanted = min(wanted, len(first))
        further = items if isinstance(items, Mapping) else {}
        schemas = [*first, *[further] * wanted][:wanted]
        return [self.of(one, depth + 1) for one in schemas]

    def _string(self, schema: Schema) -> str:
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        least = int(schema.get("minLength", 0))
        most = int(schema.get("maxLength", max(least, _LENGTH)))
        said = self.text[:most]
        return said + "." * (least - len(said))


def _type(schema: Schema) -> str:
    """Return the name of the schema's type, of several the first that is not null."""
    names = schema.get("type")
    listed = names if isinstance(names, list) else [names]
    types = [str(name).lower() for name in listed if name]
    implied = "object" if "properties" in schema else "array" if "items" in schema else "string"
    return next((name for name in types if name != "null"), types[0] if types else implied)


def _number(schema: Schema, *, whole: bool) -> float:
    """Return a number in the schema's range; ``whole``: an integer."""
    step = schema.get("multipleOf") or (1 if whole else 0.5)
    if "minimum" in schema or "exclusiveMinimum" in schema:
        bound = schema.get("minimum", schema.get("exclusiveMinimum"))
        value = -(-bound // step) * step
        found = value if value > bound or "minimum" in schema else value + step
    elif "maximum" in schema or "exclusiveMaximum" in schema:
        bound = schema.get("maximum", schema.get("exclusiveMaximum"))
        value = bound // step * step
        found = value if value < bound or "maximum" in schema else value - step
    else:
        found = step
    return int(found) if whole else float(found)


def _merged(*schemas: Schema) -> Schema:
    """Return one schema for all, with the properties and required names of all."""
    properties = {name: one for part in schemas for name, one in part.get("properties", {}).items()}
    required = [name for part in schemas for name in part.get("required", ())]
    merged = {key: value for part in schemas for key, value in part.items()}
    return {**merged, "properties": properties, "required": required} if properties else merged


def _without(schema: Schema, *names: str) -> Schema:
    return {key: value for key, value in schema.items() if key not in names}
