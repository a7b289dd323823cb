"""JSON Schemas as OpenAI's clients write them, in the subset that Gemini takes.

Everything goes by JSON Schema (``parametersJsonSchema``, ``responseJsonSchema``). All models take
these fields, and they need the fewest changes. The older form in ``parameters`` and
``responseSchema``, a subset of OpenAPI, has no references, no types beside null, no numbers in an
enum and no further properties, so with it more of what the client wrote would be lost.

The changes are in the table of the module ``rules``; this one walks through a schema with them.
"""

import itertools
import json
import re
from typing import Any

import attrs

from gemproxy.core.errors import BadField
from gemproxy.openai.arguments import DEPTH_MAX, shallow
from gemproxy.openai.fields import Json
from gemproxy.openai.references import Path, References
from gemproxy.openai.rules import RULES
from gemproxy.openai.whole import as_one_object, fit_items, open_circles, without_unused

DEEPEST = 200
"""Nested arrays and objects in what a client sends; Gemini gets ``DEPTH_MAX`` of them."""

_MOST_INLINED = 3
"""Targets in place of their references around one schema; circles of them would grow for long."""

_LARGEST = 10_000


@attrs.define
class Budget:
    """The schemas that the schemas of one request may still become: merging can multiply them."""

    left: int = _LARGEST

    def spend(self, count: int, field: str) -> None:
        """Take some of it; raise BadField if there is not so much."""
        self.left -= count
        if self.left < 0:
            raise BadField(field, "has a schema that is too large, or the ones before it have")


_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]+")


def cleaned(schema: Json, field: str) -> Json:
    """Return a schema that Gemini takes and that accepts what the given one accepts.

    ``field`` is named in the error if the schema is too large.
    """
    return _Cleaning(schema, field, Budget(), References(schema)).whole()


def of_arguments(schema: Json, field: str, budget: Budget) -> Json | None:
    """Return the schema of a function's arguments, None if it takes none.

    All functions of a request share one ``budget``. Raise BadField for a schema that accepts no
    object.
    """
    whole = _Cleaning(schema, field, budget, References(schema)).whole(as_object=True)
    further = whole.get("additionalProperties")
    return whole if whole.get("properties") or isinstance(further, dict) else None


@attrs.define
class _Cleaning:
    """One schema at work: ``root`` is the client's, ``names`` has the definitions to make.

    ``inlined`` are the targets that stand in place of their references from the root to here, the
    first ``outside`` of them around the schema that is being cleaned.
    """

    root: Json
    field: str
    budget: Budget
    references: References
    names: dict[Path, str] = attrs.field(factory=dict)
    taken: set[str] = attrs.field(factory=set)
    inlined: list[Path] = attrs.field(factory=list)
    outside: int = 0

    def whole(self, *, as_object: bool = False) -> Json:
        """Return the root with the definitions that it needs."""
        if not shallow(self.root, DEEPEST):
            raise BadField(self.field, "has a schema that is nested too deeply")
        is_reference = "$ref" in self.root
        made = self.one({"allOf": [self.root, {}]} if is_reference else self.root, 0)
        definitions: Json = {}
        while len(definitions) < len(self.names):
            path, name = next(itertools.islice(self.names.items(), len(definitions), None))
            definitions[name] = self.one(self.references.at(path), 0)
        if as_object:
            made = as_one_object(made, definitions, self.field)
        if definitions:
            made["$defs"] = definitions
            without_unused(made)
        open_circles(made)
        fit_items(made)
        return made

    def one(self, schema: Any, depth: int) -> Json:  # noqa: ANN401 - a schema of the client's
        """Return one schema with those in it; anything but an object becomes an empty one."""
        self.spend(1)
        if not isinstance(schema, dict) or depth > DEPTH_MAX:
            return {}
        outside, self.outside = self.outside, len(self.inlined)
        for rule in RULES:
            if rule.apply is not None:
                schema = rule.apply(schema, self)
        made = self._with_inner(schema, depth + 1)
        del self.inlined[self.outside :]
        self.outside = outside
        return made

    def spend(self, count: int) -> None:
        """Count so many further schemas."""
        self.budget.spend(count, self.field)

    def lead_somewhere(self, ref: object) -> bool:
        """Return whether a reference names a schema."""
        return self.references.path(ref) is not None

    def inline(self, ref: object) -> Json | None:
        """Return what a reference names, None in a circle or too many of them within another."""
        path = self.references.path(ref)
        around = self.inlined[: self.outside]
        if path is None or path in around or len(around) >= _MOST_INLINED:
            return None
        self.inlined.append(path)
        target = self.references.at(path)
        if not isinstance(target, dict):
            return {}
        members = target.get("properties")
        self.spend(1 + (len(members) if isinstance(members, dict) else 0))
        return target

    def _name(self, ref: object) -> str:
        path = self.references.path(ref)
        if not path:
            return "#"
        if path not in self.names:
            name = base = _NO_NAME.sub("_", path[-1]) or "_"
            number = 1
            while name in self.taken:
                number += 1
                name = f"{base}_{number}"
            self.taken.add(name)
            self.names[path] = name
        return f"#/$defs/{self.names[path]}"

    def _with_inner(self, schema: Json, depth: int) -> Json:
        made = dict(schema)
        for key, value in schema.items():
            if key == "$ref":
                made[key] = self._name(value)
            elif key == "properties":
                made[key] = {name: self.one(inner, depth + 1) for name, inner in value.items()}
            elif key == "prefixItems":
                made[key] = [self.one(inner, depth + 1) for inner in value]
            elif key == "anyOf":
                made[key] = _flat([self.one(inner, depth + 1) for inner in value])
            elif key == "items" or (key == "additionalProperties" and isinstance(value, dict)):
                made[key] = self.one(value, depth)
        choices = made.get("anyOf", ())
        return choices[0] if made.keys() == {"anyOf"} and len(choices) == 1 else made


def _flat(choices: list[Json]) -> list[Json]:
    """Return alternatives without repetitions and without alternatives of alternatives."""
    flat: dict[str, Json] = {}
    for choice in choices:
        for one in choice["anyOf"] if choice.keys() == {"anyOf"} else [choice]:
            flat.setdefault(json.dumps(one, sort_keys=True), one)
    return list(flat.values())
