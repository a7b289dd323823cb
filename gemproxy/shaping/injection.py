"""The operator's prompt in a native request: where it goes, and that it goes there once.

Positions:

    system       the first part of systemInstruction, before the client's own
    user_prefix  before the first text of the last user turn that has text
    user_suffix  behind the last text of that turn

Google refuses a systemInstruction for some models (Gemma, older image models) and beside
cachedContent; ``system`` becomes ``user_prefix`` there. Where no user turn has text, its pictures
do; where there is no user turn, the prompt goes into systemInstruction. A request that is not of
Gemini's form stays as it is, for Google to refuse.
"""

from typing import Any, Literal

import attrs

from gemproxy.shaping.family import Family

Json = dict[str, Any]
Position = Literal["system", "user_prefix", "user_suffix"]

_SYSTEM = ("systemInstruction", "system_instruction")
_CACHED = ("cachedContent", "cached_content")
_RESULT = ("functionResponse", "function_response")


@attrs.frozen
class Injection:
    """The operator's prompt. ``allow_opt_out``: a client may ask for a request without it."""

    content: str = attrs.field(repr=False)
    position: Position = "system"
    allow_opt_out: bool = False


def inject(body: Json, injection: Injection, family: Family) -> Json | None:
    """Return the request with the prompt in it, or None where it cannot have one.

    ``body`` itself is not changed.
    """
    part = {"text": injection.content}
    if injection.position != "system":
        return _beside_user(body, part, injection.position) or _before_system(body, part, family)
    return _before_system(body, part, family) or _beside_user(body, part, "user_prefix")


def _before_system(body: Json, part: Json, family: Family) -> Json | None:
    if not family.system or any(body.get(name) for name in _CACHED):
        return None
    name = next((name for name in _SYSTEM if body.get(name) is not None), _SYSTEM[0])
    system = body.get(name) or {}
    parts = system.get("parts", []) if isinstance(system, dict) else None
    parts = [parts] if isinstance(parts, dict) else parts
    if not isinstance(parts, list):
        return None
    return {**body, name: {**system, "parts": [part, *parts]}}


def _beside_user(body: Json, part: Json, position: Position) -> Json | None:
    contents = body.get("contents")
    contents = [contents] if isinstance(contents, dict) else contents
    if not isinstance(contents, list):
        return None
    place = _turn(contents)
    if place is None:
        return None
    parts = _parts(contents[place])
    texts = [number for number, one in enumerate(parts) if _is_text(one)]
    if position == "user_prefix":
        at = texts[0] if texts else 0
    else:
        at = texts[-1] + 1 if texts else len(parts)
    turn = {**contents[place], "parts": [*parts[:at], part, *parts[at:]]}
    return {**body, "contents": [*contents[:place], turn, *contents[place + 1 :]]}


def _turn(contents: list[Any]) -> int | None:
    """Return the number of the last user turn with text, else of the last one without results."""
    turns = [
        number
        for number, content in enumerate(contents)
        if isinstance(content, dict) and content.get("role", "user") == "user" and _parts(content)
    ]
    said = [number for number in turns if any(map(_is_text, _parts(contents[number])))]
    shown = [number for number in turns if not any(map(_is_result, _parts(contents[number])))]
    fitting = said or shown
    return fitting[-1] if fitting else None


def _parts(content: Json) -> list[Any]:
    parts = content.get("parts")
    if isinstance(parts, dict):
        return [parts]
    return parts if isinstance(parts, list) else []


def _is_text(part: object) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str)


def _is_result(part: object) -> bool:
    return isinstance(part, dict) and any(name in part for name in _RESULT)
