"""One schema for two that must both hold.

The result accepts all that both accept, and sometimes more: of two rules that have no common form
only one is kept. What must hold for a name in both becomes ``allOf``, for the caller to merge when
it gets there.
"""

from typing import Any

from gemproxy.openai.fields import Json

_LEAST = ("minimum", "minItems", "minLength", "minProperties", "exclusiveMinimum")
_MOST = ("maximum", "maxItems", "maxLength", "maxProperties", "exclusiveMaximum")


def merged(one: Json, other: Json) -> Json:
    """Return a schema that accepts what both accept; words like the title are the first one's."""
    made = {**other, **one}
    for key in one.keys() & other.keys():
        made[key] = _both(key, one[key], other[key])
    if False in (one.get("additionalProperties"), other.get("additionalProperties")):
        made["additionalProperties"] = False
    return made


def listed(value: Any) -> tuple[bool, str] | tuple[bool, Any]:  # noqa: ANN401 - a value of JSON
    """Return a key by which values of JSON are equal: 1 is 1.0, but true is not 1."""
    if isinstance(value, dict | list):
        return (False, repr(value))
    return (isinstance(value, bool), value)


def _both(key: str, one: Any, other: Any) -> Any:  # noqa: ANN401 - values of a keyword
    if key == "properties" and isinstance(one, dict) and isinstance(other, dict):
        same = one.keys() & other.keys()
        return {**one, **other, **{name: _all_of(one[name], other[name]) for name in same}}
    if key == "items" and isinstance(one, dict) and isinstance(other, dict):
        return _all_of(one, other)
    if key == "type":
        return _common_types(one, other)
    if isinstance(one, list) and isinstance(other, list):
        return _both_lists(key, one, other)
    if key in _LEAST or key in _MOST:
        return _bound(key, one, other)
    return one


def _both_lists(key: str, one: list[Any], other: list[Any]) -> list[Any]:
    if key == "required":
        return list(dict.fromkeys(name for name in [*one, *other] if isinstance(name, str)))
    if key == "enum":
        common = {listed(value) for value in other}
        return [value for value in one if listed(value) in common] or one
    return one


def _all_of(one: Any, other: Any) -> Any:  # noqa: ANN401 - two schemas
    return one if one == other else {"allOf": [one, other]}


def _bound(key: str, one: Any, other: Any) -> Any:  # noqa: ANN401 - values of a keyword
    numbers = [n for n in (one, other) if isinstance(n, int | float) and not isinstance(n, bool)]
    if len(numbers) < len((one, other)):
        return one
    return max(numbers) if key in _LEAST else min(numbers)


def _common_types(one: Any, other: Any) -> Any:  # noqa: ANN401 - values of ``type``
    ours = one if isinstance(one, list) else [one]
    theirs = other if isinstance(other, list) else [other]
    common = [name for name in ours if name in theirs]
    if "integer" in theirs and "number" in ours and "integer" not in common:
        common.append("integer")
    if "integer" in ours and "number" in theirs and "integer" not in common:
        common.append("integer")
    if not common:
        return one
    return common[0] if len(common) == 1 else common
