"""The rules by which one schema becomes one that Gemini takes.

A rule does not look into the schemas in a schema; the walk through these is in the module
``schemas``, the table of the rules in ``rules``. A rule returns another schema that accepts at
least the same values, so a call that is right by the client's schema can always be made.

Sources: the keywords of ``responseJsonSchema`` in Google's reference
(https://ai.google.dev/api/generate-content#generationconfig), which says the same of
``parametersJsonSchema``; JSON Schema 2020-12, draft 7 and draft 4; OpenAPI 3.0 for ``nullable``;
public threads for what Gemini refuses in practice.
"""

import json
import math
from collections.abc import Callable
from typing import Any, Protocol, TypeGuard

from gemproxy.openai.fields import Json
from gemproxy.openai.merging import listed, merged

KEPT = frozenset(
    {
        "$ref",
        "type",
        "format",
        "title",
        "description",
        "enum",
        "items",
        "prefixItems",
        "minItems",
        "maxItems",
        "minimum",
        "maximum",
        "anyOf",
        "properties",
        "additionalProperties",
        "required",
        "propertyOrdering",
    }
)
"""The keywords that Google documents, as far as they are sent: identifiers lead nowhere in them."""

_TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
_FORMATS = frozenset({"date-time", "date", "time", "int32", "int64", "float", "double"})
_EXCLUSIVE = ("exclusiveMinimum", "exclusiveMaximum")
_OF_OBJECTS = (
    *("properties", "additionalProperties", "patternProperties", "required", "propertyOrdering"),
    *("minProperties", "maxProperties"),
)
_OF_ARRAYS = ("items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems")
_OF_NUMBERS = ("minimum", "maximum", *_EXCLUSIVE, "multipleOf", "format")
_OF_STRINGS = ("minLength", "maxLength", "pattern", "format")
_BY_TYPE = {
    "object": _OF_OBJECTS,
    "array": _OF_ARRAYS,
    "integer": _OF_NUMBERS,
    "number": _OF_NUMBERS,
    "string": _OF_STRINGS,
}
_UNIONS = ("anyOf", "oneOf")
_ASSERTIONS = frozenset(
    {"type", "enum", "const", "allOf", "$ref", "nullable", "not"}
    | {key for keys in _BY_TYPE.values() for key in keys}
)
_PARTS = 8
"""The square of the parts of ``allOf`` that costs as much as a schema: each is merged with all."""

_LONGEST = 200
"""The characters of a value that is said in words, at most."""

SAID = {
    "default": "Default: {}.",
    "examples": "Examples: {}.",
    "example": "Example: {}.",
    "pattern": "Pattern: {}.",
    "format": "Format: {}.",
    "minLength": "At least {} characters.",
    "maxLength": "At most {} characters.",
    "exclusiveMinimum": "Greater than {}.",
    "exclusiveMaximum": "Less than {}.",
    "multipleOf": "A multiple of {}.",
    "uniqueItems": "Without repetitions.",
    "minProperties": "At least {} properties.",
    "maxProperties": "At most {} properties.",
}
"""Keywords that Gemini does not have, and their words in the description."""


class Targets(Protocol):
    """The references of the whole schema, and what may be spent on it."""

    def spend(self, count: int) -> None:
        """Count so many further schemas; raise BadField if there are too many."""

    def lead_somewhere(self, ref: object) -> bool:
        """Return whether a reference names a schema."""

    def inline(self, ref: object) -> Json | None:
        """Return the client's schema that a reference names.

        None if the reference must stay: its target, or too many others, stand around it already.
        """


Rule = Callable[[Json, Targets], Json]


def nullable(schema: Json, _: Targets) -> Json:
    """Let OpenAPI's ``nullable`` be an alternative."""
    if "nullable" not in schema:
        return schema
    rest = {key: value for key, value in schema.items() if key != "nullable"}
    if schema["nullable"] is not True:
        return rest
    if any(key in rest for key in ("$ref", "allOf", *_UNIONS)):
        said, rules = _apart(rest, also=_UNIONS)
        return {**said, "anyOf": [rules, {"type": "null"}]}
    if "type" in rest:
        names = rest["type"] if isinstance(rest["type"], list) else [rest["type"]]
        rest["type"] = [*names, "null"] if "null" not in names else names
    if isinstance(rest.get("enum"), list):
        rest["enum"] = [*rest["enum"], None]
    return rest


def reference(schema: Json, targets: Targets) -> Json:
    """Drop a reference that leads nowhere; let one with others beside it stand alone."""
    if "$ref" not in schema:
        return schema
    ref = {"$ref": schema["$ref"]}
    rest = {key: value for key, value in schema.items() if not key.startswith("$")}
    if not targets.lead_somewhere(schema["$ref"]):
        return rest
    said, rules = _apart(rest, also=_UNIONS)
    if rules:
        return {**said, "allOf": [ref, rules]}
    return {**said, "anyOf": [ref]} if said.keys() & (KEPT | SAID.keys()) else ref


def all_of(schema: Json, targets: Targets) -> Json:
    """Merge the parts of ``allOf``; a single part that is a reference stays one.

    In a circle, a reference that would be put in its own place stays, and the rules beside it are
    dropped.
    """
    if "allOf" not in schema:
        return schema
    parts = schema.get("allOf")
    rest = {key: value for key, value in schema.items() if key != "allOf"}
    if not isinstance(parts, list) or not parts:
        return rest
    targets.spend(len(parts) ** 2 // _PARTS)
    said, rules = _apart(rest, also=_UNIONS)
    if len(parts) == 1 and not rules and isinstance(parts[0], dict) and "$ref" in parts[0]:
        return reference({**parts[0], **said}, targets)
    try:
        for part in parts:
            rest = _with_part(rest, part, targets, ())
    except _Stays as one:
        return {**said, "anyOf": [{"$ref": one.ref}]}
    return rest


class _Stays(Exception):
    """A reference that must stay."""

    def __init__(self, ref: str) -> None:
        super().__init__(ref)
        self.ref = ref


def _with_part(whole: Json, part: object, targets: Targets, known: tuple[str, ...]) -> Json:
    """Merge one part of ``allOf`` and what it refers to; ``known`` are the references so far."""
    if not isinstance(part, dict):
        return whole
    own = {key: value for key, value in part.items() if key not in {"$ref", "allOf"}}
    whole = merged(_alike(whole), _alike(own))
    ref = part.get("$ref")
    if isinstance(ref, str) and ref not in known and targets.lead_somewhere(ref):
        target = targets.inline(ref)
        if target is None:
            raise _Stays(ref)
        whole = _with_part(whole, target, targets, (*known, ref))
    inner = part.get("allOf")
    for one in inner if isinstance(inner, list) else ():
        whole = _with_part(whole, one, targets, known)
    return whole


def _alike(schema: Json) -> Json:
    """Return a schema whose rules have the forms that can be merged."""
    return constant(one_of(_bounds_of_draft_4(schema)))


def one_of(schema: Json, _: Targets | None = None) -> Json:
    """Read ``oneOf`` as ``anyOf``, as Gemini does."""
    if "oneOf" not in schema:
        return schema
    rest = {key: value for key, value in schema.items() if key != "oneOf"}
    return rest if "anyOf" in rest else {**rest, "anyOf": schema["oneOf"]}


def any_of(schema: Json, _: Targets) -> Json:
    """Move the rules beside ``anyOf`` into its alternatives."""
    if "anyOf" not in schema:
        return schema
    choices = schema["anyOf"]
    said, rules = _apart(schema)
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    if not isinstance(choices, list) or not choices:
        return rest
    if not rules:
        return schema
    if not all(isinstance(one, dict) and _says_more(one) for one in choices):
        return rest
    return {**said, "anyOf": [{"allOf": [one, rules]} for one in choices]}


def _says_more(choice: Json) -> bool:
    """Return whether an alternative has more than names that it requires."""
    return bool(choice.keys() & ((_ASSERTIONS | {*_UNIONS}) - {"required", "not"}))


def bounds(schema: Json, _: Targets) -> Json:
    """Turn exclusive bounds into inclusive ones: exactly for integers, else as near as can be."""
    if not schema.keys() & {*_EXCLUSIVE}:
        return schema
    schema = _bounds_of_draft_4(schema)
    names = schema.get("type")
    whole = {*(names if isinstance(names, list) else [names])} <= {"integer", "null"}
    for exclusive, inclusive, step in (
        ("exclusiveMinimum", "minimum", 1),
        ("exclusiveMaximum", "maximum", -1),
    ):
        bound = schema.get(exclusive)
        if not _is_number(bound):
            continue
        if whole:
            bound = (math.floor(bound) if step > 0 else math.ceil(bound)) + step
            schema = {key: value for key, value in schema.items() if key != exclusive}
        schema = merged({inclusive: bound}, schema)
    return schema


def _bounds_of_draft_4(schema: Json) -> Json:
    """Turn the flags of draft 4 into the numbers of later ones."""
    if not any(isinstance(schema.get(key), bool) for key in _EXCLUSIVE):
        return schema
    made = dict(schema)
    for exclusive, inclusive in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        flag = made.get(exclusive)
        if not isinstance(flag, bool):
            continue
        del made[exclusive]
        if flag and inclusive in made:
            made[exclusive] = made.pop(inclusive)
    return made


def _is_number(value: object) -> TypeGuard[int | float]:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def type_names(schema: Json, _: Targets) -> Json:
    """Write names of types as JSON Schema does; drop those that no draft has."""
    if "type" in schema:
        given = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        names = list(dict.fromkeys(str(one).lower() for one in given))
        known = [name for name in names if name in _TYPES]
        rest = {key: value for key, value in schema.items() if key != "type"}
        if len(known) < len(names) or not known:
            schema = rest
        else:
            schema = {**rest, "type": known[0] if len(known) == 1 else known}
    if not schema.keys() & {"type", "enum", "const", "anyOf", "$ref"}:
        for name, keys in (("object", ("properties", "required")), ("array", ("prefixItems",))):
            if any(key in schema for key in keys):
                return {**schema, "type": name}
        if isinstance(schema.get("items"), dict | list):
            return {**schema, "type": "array"}
    return schema


def constant(schema: Json, _: Targets | None = None) -> Json:
    """Let ``const`` be an enum with one value."""
    if "const" not in schema:
        return schema
    rest = {key: value for key, value in schema.items() if key != "const"}
    return merged({"enum": [schema["const"]]}, rest)


def values(schema: Json, _: Targets) -> Json:
    """Split an enum by the types of its values: Gemini has those of strings and of numbers only."""
    if "enum" not in schema:
        return schema
    said, rules = _apart(schema)
    given = rules.pop("enum")
    rest = {**said, **rules}
    if not isinstance(given, list):
        return rest
    names = rules.get("type")
    allowed = {*(names if isinstance(names, list) else [names or ""])}
    choices = [one for one in _by_types(given) if not names or _is_allowed(one["type"], allowed)]
    if not choices:
        return rest
    if len(choices) == 1:
        return _with_words(said, choices[0])
    return {**said, "anyOf": choices}


def _with_words(said: Json, choice: Json) -> Json:
    words = [text for text in (said.get("description"), choice.get("description")) if text]
    made = {**said, **choice}
    return {**made, "description": " ".join(map(str, words))} if words else made


def _is_allowed(name: str, allowed: set[Any]) -> bool:
    return name in allowed or (name == "integer" and "number" in allowed)


def _by_types(given: list[Any]) -> list[Json]:
    """Return an alternative for each type among the values."""
    given = list({listed(value): value for value in given}.values())
    strings = [value for value in given if isinstance(value, str) and value]
    numbers = [value for value in given if _is_number(value)]
    flags = [value for value in given if isinstance(value, bool)]
    choices: list[Json] = []
    if strings:
        choices.append({"type": "string", "enum": strings})
    if "" in given:
        choices.append({"type": "string", "maxLength": 0})
    if numbers:
        whole = all(float(value).is_integer() for value in numbers)
        choices.append({"type": "integer" if whole else "number", "enum": numbers})
    if flags:
        words = {} if len(flags) > 1 else {"description": f"Always {_json(flags[0])}."}
        choices.append({"type": "boolean", **words})
    if None in given:
        choices.append({"type": "null"})
    for kind, name in ((dict, "object"), (list, "array")):
        some = [value for value in given if isinstance(value, kind)]
        if some:
            words = {"description": f"One of: {_json(some)}."} if _is_short(some) else {}
            choices.append({"type": name, **words})
    return choices


def type_lists(schema: Json, _: Targets) -> Json:
    """Make alternatives of several types; with null, one type may stay as it is."""
    names = schema.get("type")
    if not isinstance(names, list):
        return schema
    if "number" in names:
        names = [name for name in names if name != "integer"]
    others = [name for name in names if name != "null"]
    if len(others) <= 1:
        return {**schema, "type": names if len(names) > 1 else names[0]}
    said, rules = _apart(schema)
    choices: list[Json] = []
    for name in names:
        keys = _BY_TYPE.get(name, ())
        choices.append({"type": name, **{key: rules[key] for key in keys if key in rules}})
    return {**said, "anyOf": choices}


def patterns(schema: Json, _: Targets) -> Json:
    """Let what ``patternProperties`` says hold for all properties without a name."""
    if "patternProperties" not in schema:
        return schema
    given = schema.get("patternProperties")
    rest = {key: value for key, value in schema.items() if key != "patternProperties"}
    further = rest.get("additionalProperties", True)
    if not isinstance(given, dict) or not given or further is True or further == {}:
        return rest
    choices = [*given.values(), *([further] if isinstance(further, dict) else [])]
    return {**rest, "additionalProperties": choices[0] if len(choices) == 1 else {"anyOf": choices}}


def elements(schema: Json, _: Targets) -> Json:
    """Write tuples as 2020-12 does, and say of every array what its elements are."""
    if not schema.keys() & {"items", "prefixItems"} and "array" not in str(schema.get("type")):
        return schema
    made = dict(schema)
    if isinstance(made.get("items"), list):  # draft 7
        made["prefixItems"] = made.pop("items")
        if "additionalItems" in made:
            made["items"] = made["additionalItems"]
    items, first = made.get("items"), made.get("prefixItems")
    if isinstance(first, list) and not first:
        del made["prefixItems"]
    if items is False:
        made = merged({"maxItems": len(first) if isinstance(first, list) else 0}, made)
        del made["items"]
    names = made.get("type")
    is_array = names == "array" or (isinstance(names, list) and "array" in names)
    if is_array and not made.keys() & {"items", "prefixItems"}:
        made["items"] = {}
    return made


def required(schema: Json, _: Targets) -> Json:
    """Require only properties that the schema has."""
    if "required" not in schema:
        return schema
    names, members = schema.get("required"), schema.get("properties")
    rest = {key: value for key, value in schema.items() if key != "required"}
    if not isinstance(names, list) or not isinstance(members, dict):
        return rest
    kept = [name for name in names if isinstance(name, str) and name in members]
    return {**rest, "required": kept} if kept else rest


def words(schema: Json, _: Targets) -> Json:
    """Say in the description what Gemini has no keyword for."""
    if not schema.keys() & SAID.keys():
        return schema
    said = [
        text.format(_json(schema[key]))
        for key, text in SAID.items()
        if key in schema and _is_worth_saying(key, schema[key])
    ]
    rest = {key: value for key, value in schema.items() if key not in SAID}
    if _is_known_format(schema.get("format")):
        rest["format"] = schema["format"]
    if schema.get("maxLength") == 0:
        rest["maxLength"] = 0
    if not said:
        return rest
    own = schema.get("description")
    return {**rest, "description": " ".join([own, *said] if isinstance(own, str) and own else said)}


def _is_worth_saying(key: str, value: object) -> bool:
    if key == "format":
        return isinstance(value, str) and not _is_known_format(value)
    if key == "uniqueItems":
        return value is True
    if key in {"minLength", "maxLength", "minProperties"} and value == 0:
        return False
    return value is not None and value not in ([], {}) and _is_short(value)


def _is_known_format(value: object) -> bool:
    return isinstance(value, str) and value in _FORMATS


def keywords(schema: Json, _: Targets) -> Json:
    """Drop all other keywords, and values that a keyword cannot have."""
    return {
        key: value
        for key, value in schema.items()
        if (key in KEPT or key == "maxLength") and _is_possible(key, value)
    }


def _is_possible(key: str, value: object) -> bool:
    if key in {"title", "description", "format"}:
        return isinstance(value, str)
    if key in {"minimum", "maximum"}:
        return _is_number(value)
    if key in {"minItems", "maxItems"}:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if key in {"prefixItems", "propertyOrdering"}:
        return isinstance(value, list)
    if key == "properties":
        return isinstance(value, dict)
    return not (key in {"items", "additionalProperties"} and not isinstance(value, dict | bool))


def _apart(schema: Json, *, also: tuple[str, ...] = ()) -> tuple[Json, Json]:
    """Return apart what a schema says and what it demands; ``also`` names further demands."""
    demands = {key for key in schema if key in _ASSERTIONS or key in also}
    said = {key: value for key, value in schema.items() if key not in demands | {*_UNIONS}}
    return said, {key: value for key, value in schema.items() if key in demands}


def _json(value: object) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _is_short(value: object) -> bool:
    return len(_json(value)) <= _LONGEST
