"""Whether a JSON value agrees with the requested schema.

Schemas come in two dialects: ``responseJsonSchema`` is JSON Schema, ``responseSchema`` the OpenAPI
subset with upper-case type names and ``nullable``. The second is converted to the first. Only the
keywords that Gemini follows (structured output, in the API's guide) are checked, because an answer
that passes undisturbed must pass after a repair. Regular expressions are ignored: one could stall
the process. Every value agrees with a schema that we do not understand.

These few keywords are checked here and not by the jsonschema package, because a check must be able
to pause: a library's call blocks the event loop until it has seen every value. The tests compare
the two.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import attrs

from gemproxy.core.seam.jsontext import Work

Schema = dict[str, Any]

_MAPPINGS = frozenset({"properties", "$defs", "definitions"})
_SCHEMAS = frozenset({"items", "additionalProperties", "prefixItems", "anyOf"})
_COUNTS = frozenset({"minItems", "maxItems"})
_VALUES = frozenset({"enum", "required", "minimum", "maximum", "$anchor"})
_TO_A_SCHEMA = re.compile(r"#(?:[^/]*|/(?:\$defs|definitions)/[^/]*)")  # to schemas, not to values
_DEFINITIONS = ("$defs", "definitions")

_BIT = 50  # values, at most, that are checked between two yields
_MOST = 4_000_000
"""Values checked in all, at most: nested ``anyOf`` can multiply them without bound."""


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
    return _or_null(converted) if schema.get("nullable") else converted


def _or_null(schema: Schema) -> Schema:
    """Return a schema that also accepts null and keeps the definitions for references."""
    definitions = {name: schema[name] for name in _DEFINITIONS if name in schema}
    return {"anyOf": [schema, {"type": "null"}], **definitions}


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


class _NoJudge(Exception):
    """We do not understand the schema."""


def agrees(value: object, schema: Schema) -> Work[bool]:
    """Check ``value`` against a schema that ``as_json_schema`` returned.

    The meaning of each keyword is that of JSON Schema 2020-12 (core and validation).
    """
    try:
        return (yield from _Check(schema).passes(value, schema, frozenset()))
    except (_NoJudge, RecursionError):
        return True


@attrs.frozen
class _Item:
    """A value to check against a schema; ``refs`` are the references followed for it so far."""

    value: object
    schema: object
    refs: frozenset[str] = frozenset()


@attrs.define
class _Check:
    """One check of a document: references start at ``root``; ``seen`` counts checked values."""

    root: Schema
    seen: int = 0

    def passes(self, value: object, schema: object, refs: frozenset[str]) -> Work[bool]:
        """Check a value and all values in it; only ``anyOf`` makes this recursive."""
        todo = [iter([_Item(value, schema, refs)])]
        while todo:
            item = next(todo[-1], None)
            if item is None:
                todo.pop()
                continue
            self.seen += 1
            if self.seen % _BIT == 0:
                yield _BIT * 2
            if not _keeps_own(item.value, item.schema):
                return False
            if not isinstance(item.schema, dict):
                continue
            if "anyOf" in item.schema and not (yield from self._any_of(item)):
                return False
            todo.append(self._inner(item, item.schema))
        return True

    def _any_of(self, item: _Item) -> Work[bool]:
        choices = item.schema["anyOf"] if isinstance(item.schema, dict) else None
        if not isinstance(choices, list):
            raise _NoJudge("anyOf")
        for choice in choices:
            if (yield from self.passes(item.value, choice, item.refs)):
                return True
        return False

    def _inner(self, item: _Item, schema: Schema) -> Iterator[_Item]:
        """Yield the checks that this item requires."""
        if self.seen > _MOST:
            raise _NoJudge("too much to check")
        ref = schema.get("$ref")
        if ref is not None and ref not in item.refs:  # a circle of references adds nothing
            yield _Item(item.value, self._resolve(str(ref)), item.refs | {str(ref)})
        if isinstance(item.value, dict):
            yield from _members(item.value, schema)
        elif isinstance(item.value, list):
            yield from _elements(item.value, schema)

    def _resolve(self, ref: str) -> object:
        """Return the schema that a reference within the root names; raise _NoJudge."""
        fragment = unquote(ref.removeprefix("#"))
        if not fragment:
            return self.root
        if not fragment.startswith("/"):
            return _anchored(self.root, fragment)
        _, within, name = fragment.split("/", 2)
        place = self.root.get(within)
        name = name.replace("~1", "/").replace("~0", "~")
        if not isinstance(place, dict) or name not in place:
            raise _NoJudge(ref)
        return place[name]


def _members(value: dict[str, Any], schema: Schema) -> Iterator[_Item]:
    properties = _a(dict, schema, "properties", {})
    for name, inner in properties.items():
        if name in value:
            yield _Item(value[name], inner)
    if "additionalProperties" in schema:
        for name, inner in value.items():
            if name not in properties:
                yield _Item(inner, schema["additionalProperties"])


def _elements(value: list[Any], schema: Schema) -> Iterator[_Item]:
    prefix = _a(list, schema, "prefixItems", [])
    for inner, own in zip(value, prefix, strict=False):
        yield _Item(inner, own)
    if "items" in schema:
        for inner in value[len(prefix) :]:
            yield _Item(inner, schema["items"])


def _keeps_own(value: object, schema: object) -> bool:
    """Check the schema's rules for the value itself, without the values in it."""
    if isinstance(schema, bool):
        return schema
    if not isinstance(schema, dict):
        raise _NoJudge("a schema is an object or a flag")
    typed = "type" not in schema or _is_of_type(value, schema["type"])
    return typed and _is_listed(value, schema) and _is_sized(value, schema)


def _is_listed(value: object, schema: Schema) -> bool:
    return "enum" not in schema or any(_equal(value, one) for one in _a(list, schema, "enum", []))


def _is_sized(value: object, schema: Schema) -> bool:
    """Check the required names of an object, the length of an array, the bounds of a number."""
    if isinstance(value, dict):
        names = _a(list, schema, "required", [])
        if not all(isinstance(name, str) for name in names):
            raise _NoJudge("a name is a string")
        return value.keys() >= set(names)
    if isinstance(value, list):
        return _is_within(len(value), schema, "minItems", "maxItems")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _is_within(value, schema, "minimum", "maximum")
    return True


def _is_within(number: float, schema: Schema, least: str, most: str) -> bool:
    bounds = [schema.get(least, number), schema.get(most, number)]
    if not all(isinstance(bound, int | float) for bound in bounds):
        raise _NoJudge("a bound is a number")
    return bool(bounds[0] <= number <= bounds[1])


_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "number": (int, float),
    "null": (type(None),),
}


def _is_of_type(value: object, names: object) -> bool:
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list):
        raise _NoJudge("a type has a name")
    return any(_is_one(value, str(name)) for name in names)


def _is_one(value: object, name: str) -> bool:
    if name == "integer":
        whole = isinstance(value, float) and value.is_integer()
        return whole or (isinstance(value, int) and not isinstance(value, bool))
    if name not in _TYPES:
        raise _NoJudge(name)
    return isinstance(value, _TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def _equal(one: object, other: object) -> bool:
    """Compare JSON values: 1.0 equals 1, true does not."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[name], other[name]) for name in one)
    return one == other and isinstance(one, bool) is isinstance(other, bool)


def _anchored(schema: object, name: str) -> Schema:
    """Return the schema with this ``$anchor``; raise _NoJudge if there is none."""
    todo = [schema]
    while todo:
        place = todo.pop()
        if isinstance(place, dict):
            if place.get("$anchor") == name:
                return place
            todo += [inner for key, inner in place.items() if key not in _VALUES]
        elif isinstance(place, list):
            todo += place
    raise _NoJudge(name)


def _a(kind: type, schema: Schema, keyword: str, default: Any) -> Any:  # noqa: ANN401 - as it is
    value = schema.get(keyword, default)
    if not isinstance(value, kind):
        raise _NoJudge(keyword)
    return value
