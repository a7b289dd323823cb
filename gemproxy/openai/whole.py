"""What Gemini demands of a whole schema: of circles, of sums, of the root of arguments.

The schemas here are clean already: they have ``$defs`` at the root, references to these and to the
root, and few other keywords.
"""

import json
from collections import Counter
from collections.abc import Iterator

import attrs

from gemproxy.core.errors import BadField
from gemproxy.openai.fields import Json

MOST_ITEMS = 960
"""The sum of maxItems in one schema, at most (python-genai#2170)."""

_DEFINITIONS = "#/$defs/"


@attrs.frozen
class _Reference:
    """A reference within a schema: ``place`` is the object that has it.

    ``required`` is the innermost object around it with the name of the required property that it is
    in, None if it is in no property.
    """

    place: Json
    required: tuple[Json, str] | None

    @property
    def target(self) -> str:
        return str(self.place["$ref"])


@attrs.define
class _Step:
    """A schema on the way of the search: ``led`` is the reference to it, ``further`` its own."""

    name: str
    led: _Reference | None
    further: Iterator[_Reference]


def open_circles(whole: Json) -> None:
    """Change a schema so that each circle of references has a property that is not required.

    Gemini follows circles to a limited degree, and only through such properties.
    """
    schemas = {"#": whole}
    schemas |= {_DEFINITIONS + name: one for name, one in whole.get("$defs", {}).items()}
    done: set[str] = set()
    for start in schemas:
        if start not in done:
            _search(start, schemas, done)


def _search(start: str, schemas: dict[str, Json], done: set[str]) -> None:
    """Search depth first; each reference to a schema on the way closes a circle."""
    steps = [_Step(start, None, _demanded(schemas[start]))]
    places = {start: 0}
    while steps:
        reference = next(steps[-1].further, None)
        if reference is None:
            done.add(steps.pop().name)
            continue
        target = reference.target
        if target not in schemas or target in done:
            continue
        place = places.get(target, len(steps))
        if place < len(steps) and steps[place].name == target:
            led = [step.led for step in reversed(steps[place + 1 :])]
            _open([reference, *(one for one in led if one is not None)])
        else:
            places[target] = len(steps)
            steps.append(_Step(target, reference, _demanded(schemas[target])))


def _open(circle: list[_Reference]) -> None:
    """Open a circle at the innermost required property, else at its last reference."""
    on_the_way = [reference.required for reference in circle if reference.required is not None]
    if any(name not in schema.get("required", ()) for schema, name in on_the_way):
        return  # together with another circle
    for schema, name in on_the_way[:1]:
        schema["required"] = [one for one in schema["required"] if one != name]
        if not schema["required"]:
            del schema["required"]
    if not on_the_way:
        circle[0].place.clear()


def _demanded(whole: Json) -> Iterator[_Reference]:
    """Yield the references of a schema that are in no property that may be absent."""
    todo: list[tuple[Json, tuple[Json, str] | None]] = [(whole, None)]
    while todo:
        schema, required = todo.pop()
        names = schema.get("required", ())
        for name, inner in schema.get("properties", {}).items():
            if name in names:
                todo.append((inner, (schema, name)))
        todo += [(inner, required) for inner in _others(schema)]
        if "$ref" in schema and (
            required is None or required[1] in required[0].get("required", ())
        ):
            yield _Reference(schema, required)


def _others(schema: Json) -> list[Json]:
    """Return the schemas in a schema that are no properties."""
    single = [schema.get(key) for key in ("items", "additionalProperties")]
    listed = [*schema.get("anyOf", ()), *schema.get("prefixItems", ())]
    return [one for one in [*single, *listed] if isinstance(one, dict)]


def _all(whole: Json) -> Iterator[Json]:
    """Yield a schema and all in it, but its definitions."""
    todo = [whole]
    while todo:
        schema = todo.pop()
        yield schema
        todo += [*schema.get("properties", {}).values(), *_others(schema)]


def fit_items(whole: Json) -> None:
    """Drop the largest maxItems until their sum is one that Gemini takes, and say them in words."""
    definitions = whole.get("$defs", {})
    uses = Counter(one.get("$ref") for part in (whole, *definitions.values()) for one in _all(part))
    bounded: list[tuple[int, int, Json]] = []
    for name, part in (("#", whole), *definitions.items()):
        times = max(1, uses[_DEFINITIONS + name])
        bounded += [(one["maxItems"], times, one) for one in _all(part) if "maxItems" in one]
    bounded.sort(key=lambda entry: entry[0])
    total = sum(most * times for most, times, _ in bounded)
    while total > MOST_ITEMS:
        most, times, schema = bounded.pop()
        total -= most * times
        del schema["maxItems"]
        said = schema.get("description", "")
        schema["description"] = f"{said} At most {most} items.".lstrip()


def without_unused(whole: Json) -> None:
    """Drop the definitions that no reference reaches from the root."""
    definitions = whole["$defs"]
    used: set[str] = set()
    todo = [whole]
    while todo:
        for one in _all(todo.pop()):
            name = str(one.get("$ref", "")).removeprefix(_DEFINITIONS)
            if name in definitions and name not in used:
                used.add(name)
                todo.append(definitions[name])
    whole["$defs"] = {name: one for name, one in definitions.items() if name in used}
    if not used:
        del whole["$defs"]


def as_one_object(made: Json, definitions: Json, field: str) -> Json:
    """Return a clean root as a schema of one object; raise BadField if it accepts none.

    Alternatives become one object with the properties of all, and what all of them require.
    """
    names = made.get("type")
    if names is None and "anyOf" not in made:
        return {**made, "type": "object"}
    if names == "object" or (isinstance(names, list) and "object" in names):
        return {**made, "type": "object"}
    objects = [one for one in _choices(made, definitions) if "object" in _names(one)]
    if not objects:
        raise BadField(field, "must be the schema of an object")
    said: Json = {key: made[key] for key in ("title", "description") if key in made}
    required = [name for name in objects[0].get("required", ()) if _all_require(objects, name)]
    union: Json = {**said, "type": "object", "properties": _all_properties(objects)}
    if required:
        union["required"] = required
    if all(one.get("additionalProperties") is False for one in objects):
        union["additionalProperties"] = False
    return union


def _names(schema: Json) -> list[str]:
    names = schema.get("type")
    return names if isinstance(names, list) else [str(names)]


def _choices(schema: Json, definitions: Json) -> Iterator[Json]:
    """Yield the alternatives of a schema behind references and further alternatives."""
    todo, known = [schema], set()
    while todo:
        one = todo.pop()
        if id(one) in known:
            continue
        known.add(id(one))
        if "$ref" in one:
            target = definitions.get(one["$ref"].removeprefix(_DEFINITIONS))
            todo += [] if target is None else [target]
        elif "anyOf" in one:
            todo += reversed(one["anyOf"])
        else:
            yield one


def _all_require(objects: list[Json], name: str) -> bool:
    return all(name in one.get("required", ()) for one in objects)


def _all_properties(objects: list[Json]) -> Json:
    found: dict[str, list[Json]] = {}
    for one in objects:
        for name, inner in one.get("properties", {}).items():
            found.setdefault(name, []).append(inner)
    return {name: _any_of(some) for name, some in found.items()}


def _any_of(schemas: list[Json]) -> Json:
    some = list({json.dumps(one, sort_keys=True): one for one in schemas}.values())
    return some[0] if len(some) == 1 else {"anyOf": some}
