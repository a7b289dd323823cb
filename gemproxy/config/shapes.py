"""The kinds of settings about what goes up: thinking, the operator's prompt, names of models.

A table comes as TOML or as JSON text, like those of ``config.keyring``.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import attrs

from gemproxy.config.kinds import Kind, SwitchOrNone, kind_of, one_of
from gemproxy.config.tables import json_of, shown, table_of
from gemproxy.shaping.family import LEVELS
from gemproxy.shaping.injection import Position as PositionName
from gemproxy.shaping.thinking import AUTO, MOST, Thinking

_LONGEST = 200
"""Characters of a model's name."""

_FIELDS = ("enabled", "budget", "level", "include_thoughts")


def _budget(value: object) -> int | None:
    text = "" if value is None else str(value).strip()
    if not text:
        return None
    try:
        budget = int(text)
    except ValueError:
        budget = MOST + 1
    if not AUTO <= budget <= MOST or isinstance(value, bool):
        raise ValueError(f"is not -1, 0 or a number of tokens from 1 to {MOST}")
    return budget


def _level(value: object) -> str | None:
    word = "" if value is None else str(value).strip().upper()
    if word and word not in LEVELS:
        raise ValueError(f"is not one of {', '.join(LEVELS).lower()}")
    return word or None


def _show_budget(budget: int | None) -> str:
    return "" if budget is None else str(budget)


def _show_level(level: str | None) -> str:
    return "" if level is None else level.lower()


def _content(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("is not text")  # noqa: TRY004 - reported like any other
    return value.strip()


def _show_content(content: str) -> str:
    return f"({len(content)} characters)" if content else ""


def _model(name: object) -> str:
    """Return the name of a model without its collection, or a pattern of names."""
    text = name.strip().removeprefix("models/") if isinstance(name, str) else ""
    if not text or len(text) > _LONGEST or not text.isprintable() or " " in text:
        raise ValueError("has a model without a name")
    return text


def _models(value: object) -> tuple[str, ...]:
    names = value
    if isinstance(value, str):
        listed = value.strip().startswith("[")
        names = json_of(value, "a list of models") if listed else value.split(",")
    if not isinstance(names, (list, tuple)):
        raise ValueError("is not a list of models")  # noqa: TRY004 - reported like any other
    return tuple(_model(name) for name in names if not isinstance(name, str) or name.strip())


def _aliases(value: object) -> Mapping[str, str]:
    table = table_of(value, "a table of names and models")
    return {_model(name): _alias(name, model) for name, model in table.items()}


def _alias(name: str, model: object) -> str:
    try:
        return _model(model)
    except ValueError:
        raise ValueError(f"gives {shown(name)} no model") from None


def _thoughts(value: object) -> Mapping[str, Thinking]:
    table = table_of(value, f"a table of models, each with {', '.join(_FIELDS)}")
    return {_model(name): _thinking(name, wish) for name, wish in table.items()}


def _thinking(name: str, wish: object) -> Thinking:
    if isinstance(wish, Thinking):
        return wish
    if not isinstance(wish, Mapping):
        raise ValueError(f"gives {shown(name)} no table with {', '.join(_FIELDS)}")  # noqa: TRY004
    if unknown := wish.keys() - set(_FIELDS):
        hint = "; quote a name with dots" if any(isinstance(v, dict) for v in wish.values()) else ""
        raise ValueError(f"gives {shown(name)} {shown(min(unknown))}, which is no setting{hint}")
    values: dict[str, Any] = {}
    for field, given in wish.items():
        try:
            values[field] = _PARSED[field].parse(given)
        except ValueError as error:
            raise ValueError(f"gives {shown(name)} a value of {field} that {error}") from None
    return Thinking(**values)


def _show_thoughts(thoughts: Mapping[str, Thinking]) -> str:
    return "; ".join(f"{model}: {_show_thinking(wish)}" for model, wish in thoughts.items())


def _show_thinking(wish: Thinking) -> str:
    given = {name: value for name, value in attrs.asdict(wish).items() if value is not None}
    return ", ".join(f"{name} {_PARSED[name].show(value)}" for name, value in given.items())


def _show_aliases(aliases: Mapping[str, str]) -> str:
    return ", ".join(f"{name}: {model}" for name, model in aliases.items())


ThinkingBudget = Annotated[int | None, Kind(_budget, _show_budget)]
ThinkingLevel = Annotated[str | None, Kind(_level, _show_level)]
ThoughtsOfModels = Annotated[Mapping[str, Thinking], Kind(_thoughts, _show_thoughts)]
Prompt = Annotated[str, Kind(_content, _show_content)]
Position = Annotated[PositionName, one_of(PositionName)]
Models = Annotated[tuple[str, ...], Kind(_models, ", ".join)]
Aliases = Annotated[Mapping[str, str], Kind(_aliases, _show_aliases)]

_PARSED: Mapping[str, Kind] = {
    name: kind
    for name, annotation in (
        ("enabled", SwitchOrNone),
        ("budget", ThinkingBudget),
        ("level", ThinkingLevel),
        ("include_thoughts", SwitchOrNone),
    )
    if (kind := kind_of(annotation)) is not None
}
