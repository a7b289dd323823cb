"""What a chat request says about thinking, in every form that clients write it.

The forms, the strongest first; one that names no amount leaves it to the weaker ones:

    thinking_config   Google's, in both spellings
    thinking          Anthropic's: type (enabled, adaptive, disabled) and budget_tokens; enabled,
                      it asks for the thoughts too, as it does there
    thinking_budget   Qwen's, with enable_thinking and include_thoughts beside it
    reasoning         effort as in OpenAI's Responses, and OpenRouter's max_tokens, enabled, exclude
    reasoning_effort  OpenAI's

Each may stand at the top level or in one of ``PLACES``. Google answers 400 to thinking_config
beside reasoning_effort; here thinking_config wins. A value that cannot be right is an error, also
in a form that does not decide.
"""

from collections.abc import Callable, Mapping
from typing import Any

from gemproxy.core.errors import BadField
from gemproxy.openai.fields import Json, a_switch, a_text, an_integer, an_object
from gemproxy.shaping.family import LEVELS
from gemproxy.shaping.thinking import AUTO, MOST, Thinking, effort

PLACES = (
    (),
    ("extra_body",),
    ("extra_body", "google"),
    ("extra_body", "extra_body"),
    ("extra_body", "extra_body", "google"),
    ("google",),
)
"""Where fields that OpenAI does not have may stand: its SDKs lift extra_body, others do not."""

Read = Callable[[Any, str], Thinking]
"""Returns the wish that a value is, given the value's path; raises BadField."""

_NOTHING = Thinking()
_TYPES = {
    "enabled": Thinking(enabled=True, include_thoughts=True),
    "adaptive": Thinking(enabled=True, include_thoughts=True),
    "disabled": Thinking(enabled=False),
}


def asked(document: Json) -> Thinking:
    """Return what a chat request says about thinking. Raises BadField."""
    wish, given = _NOTHING, places(document)
    for fields in _FORMS:
        for path, place in given:
            weaker = _wish(place, fields, path)
            wish = wish if weaker is _NOTHING else wish.over(weaker)
    return wish


def places(document: Json) -> list[tuple[str, Json]]:
    """Return the objects of ``PLACES`` with their paths, the strongest first. Raises BadField.

    Empty ones are left out.
    """
    given = [(".".join(path), _at(document, path)) for path in PLACES]
    return [(path, place) for path, place in given if place]


def _at(document: Json, path: tuple[str, ...]) -> Json:
    """Return the object at a path; empty if there is none."""
    place = document
    for number, name in enumerate(path, 1):
        found = place.get(name)
        place = {} if found is None else an_object(found, ".".join(path[:number]))
    return place


def _wish(place: Json, fields: Mapping[str, Read], path: str) -> Thinking:
    """Return the wish of all of an object's fields; of two for one thing the first counts."""
    wish = _NOTHING
    for name, read in fields.items():
        value = place.get(name)
        if value is not None:
            wish = wish.completed(read(value, f"{path}.{name}" if path else name))
    return wish


def _budget(value: object, at: str) -> Thinking:
    return Thinking(budget=an_integer(value, at, AUTO, MOST))


def _level(value: object, at: str) -> Thinking:
    level = a_text(value, at).upper()
    if level == "THINKING_LEVEL_UNSPECIFIED":
        return _NOTHING
    if level not in LEVELS:
        raise BadField(at, f"must be one of {', '.join(LEVELS).lower()}")
    return Thinking(level=level)


def _effort(value: object, at: str) -> Thinking:
    wish = effort(a_text(value, at))
    if wish is None:
        raise BadField(at, "must be none, minimal, low, medium, high, xhigh or max")
    return wish


def _type(value: object, at: str) -> Thinking:
    wish = _TYPES.get(a_text(value, at))
    if wish is None:
        raise BadField(at, f"must be one of {', '.join(_TYPES)}")
    return wish


def _enabled(value: object, at: str) -> Thinking:
    return Thinking(enabled=a_switch(value, at))


def _shown(value: object, at: str) -> Thinking:
    return Thinking(include_thoughts=a_switch(value, at))


def _hidden(value: object, at: str) -> Thinking:
    return Thinking(include_thoughts=not a_switch(value, at))


def _within(fields: Mapping[str, Read]) -> Read:
    """Return what reads an object with these fields, and perhaps others."""
    return lambda value, at: _wish(an_object(value, at), fields, at)


_SHOWN: Mapping[str, Read] = {"include_thoughts": _shown, "includeThoughts": _shown}
_CONFIG: Mapping[str, Read] = {
    "enabled": _enabled,
    "thinking_budget": _budget,
    "thinkingBudget": _budget,
    "budget": _budget,
    "thinking_level": _level,
    "thinkingLevel": _level,
    "level": _level,
    **_SHOWN,
}


def _config(value: object, at: str) -> Thinking:
    """Return the wish of a thinkingConfig, which refuses other fields, as Google does.

    With a budget and a level, which Google refuses, the model gets the one that it takes.
    """
    config = an_object(value, at)
    if unknown := config.keys() - _CONFIG.keys():
        raise BadField(f"{at}.{min(unknown)}", "is not a field of thinking_config")
    return _wish(config, _CONFIG, at)


_FORMS: tuple[Mapping[str, Read], ...] = (
    {"thinking_config": _config, "thinkingConfig": _config},
    {"thinking": _within({"type": _type, "budget_tokens": _budget, **_SHOWN})},
    {"enable_thinking": _enabled, "thinking_budget": _budget, **_SHOWN},
    {
        "reasoning": _within(
            {"enabled": _enabled, "max_tokens": _budget, "effort": _effort, "exclude": _hidden}
        )
    },
    {"reasoning_effort": _effort, "reasoningEffort": _effort},
)
