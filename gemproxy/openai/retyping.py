"""Arguments of a call, with the types that the client's schema demands.

An enum of numbers or booleans is what Gemini cannot always be told as it is, and models answer even
a number with its text. So a text is turned into the value of the client's enum that it spells. This
happens only where no alternative of the schema takes a text, or lists this one: a proper string is
never changed.
"""

import json
from collections.abc import Iterator
from typing import Any

import attrs

from gemproxy.openai.fields import Json
from gemproxy.openai.references import References

Schema = Any

_CHOICES = ("anyOf", "oneOf", "allOf")
_NO_TEXT = ("$ref", *_CHOICES, "const", "enum", "properties", "items", "prefixItems")
_MOST = 200_000
"""Schemas looked at for one call, at most."""


def needs_it(schema: Schema) -> bool:
    """Return whether a schema of the client's lists values that are no strings."""
    todo = [schema]
    while todo:
        place = todo.pop()
        if isinstance(place, dict):
            if any(isinstance(one, int | float) for one in _listed(place) or ()):
                return True
            todo += place.values()
        elif isinstance(place, list):
            todo += place
    return False


def retyped(args: Json, schema: Schema) -> Json:
    """Return the arguments of a call with the types of the client's schema.

    Neither value nor schema is changed; what needs no change is shared with ``args``.
    """
    try:
        read = _Reading(References(schema)).read(args, [schema])
    except RecursionError:  # too deep to be what the schema means
        return args
    return read if isinstance(read, dict) else args


@attrs.define
class _Reading:
    """One reading of a value: ``seen`` counts the schemas that were looked at."""

    references: References
    seen: int = 0

    def read(self, value: object, schemas: list[Schema]) -> object:
        """Return a value that any of the schemas may describe, in its proper type."""
        if isinstance(value, str | float) and schemas:
            return _proper(value, list(self._plain(schemas)))
        if isinstance(value, dict):
            plain = list(self._plain(schemas))
            return {name: self.read(one, _of_member(name, plain)) for name, one in value.items()}
        if isinstance(value, list):
            plain = list(self._plain(schemas))
            return [self.read(one, _of_item(place, plain)) for place, one in enumerate(value)]
        return value

    def _plain(self, schemas: list[Schema]) -> Iterator[Json]:
        """Yield the schemas behind references and choices, each once."""
        todo, known = list(schemas), set()
        while todo and self.seen < _MOST:
            schema = todo.pop()
            if not isinstance(schema, dict) or id(schema) in known:
                continue
            known.add(id(schema))
            self.seen += 1
            yield schema
            path = self.references.path(schema.get("$ref"))
            if path is not None:
                todo.append(self.references.at(path))
            for key in _CHOICES:
                choices = schema.get(key)
                todo += choices if isinstance(choices, list) else ()


def _proper(value: str | float, schemas: list[Json]) -> object:
    lists = [listed for schema in schemas if (listed := _listed(schema)) is not None]
    known = [one for listed in lists for one in listed]
    if any(isinstance(one, str) and one == value for one in known):
        return value
    if isinstance(value, str) and any(_takes_text(schema) for schema in schemas):
        return value
    for one in known:
        if isinstance(one, bool):
            if isinstance(value, str) and value.lower() == json.dumps(one):
                return one
        elif isinstance(one, int | float) and _spelled(value) == one:
            return one
    return value


def _spelled(value: str | float) -> float | None:
    """Return the number that a text spells."""
    try:
        number = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return None
    return number if isinstance(number, int | float) and not isinstance(number, bool) else None


def _listed(schema: Json) -> list[Any] | None:
    """Return the values that a schema lists, None if it lists none."""
    if "const" in schema:
        return [schema["const"]]
    values = schema.get("enum")
    return values if isinstance(values, list) else None


def _takes_text(schema: Json) -> bool:
    """Return whether a schema, without what it refers to, takes any string."""
    names = schema.get("type")
    if names is None:
        return not any(key in schema for key in _NO_TEXT)
    named = names if isinstance(names, list) else [names]
    return _listed(schema) is None and any(str(name).lower() == "string" for name in named)


def _of_member(name: str, schemas: list[Json]) -> list[Schema]:
    found = []
    for schema in schemas:
        members = schema.get("properties")
        if isinstance(members, dict) and name in members:
            found.append(members[name])
        elif isinstance(schema.get("additionalProperties"), dict):
            found.append(schema["additionalProperties"])
    return found


def _of_item(place: int, schemas: list[Json]) -> list[Schema]:
    found = []
    for schema in schemas:
        items = schema.get("items")
        first = items if isinstance(items, list) else schema.get("prefixItems")
        if isinstance(first, list) and place < len(first):
            found.append(first[place])
        elif isinstance(items, dict):
            found.append(items)
    return found
