"""Suffixes of model names: wishes that clients of other tools write behind a model's name.

``SUFFIXES`` is the table, with the tools whose users write it so. A name may have several:
``gemini-2.5-flash-search-nothinking``. Each wish may be there once; a rest that is no name, or a
name that Gemini has itself (``REAL``), is left alone.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator

import attrs

from gemproxy.core.errors import BadField
from gemproxy.shaping.family import Family, family_of
from gemproxy.shaping.patterns import matches, plain
from gemproxy.shaping.thinking import AUTO, MOST, OFF, Thinking, effort

REAL = ("*-live-extended-thinking", "gemini-2.0-flash-thinking", "deep-research-*", "antigravity-*")
"""Names of Google's whose end only looks like a suffix."""


@attrs.frozen
class Wish:
    """What a model's name asks for besides the model. ``search``: with Google Search."""

    thinking: Thinking = attrs.field(factory=Thinking)
    search: bool = False

    def over(self, weaker: "Wish") -> "Wish":
        """Return this wish, with what it leaves open from a weaker one."""
        return Wish(self.thinking.over(weaker.thinking), self.search or weaker.search)


def _budget(text: str) -> Thinking:
    budget = int(text)
    if not AUTO <= budget <= MOST:
        raise BadField("model", f"asks for a thinking budget that is not from {AUTO} to {MOST}")
    return Thinking(budget=budget)


def _off(_text: str) -> Thinking:
    return Thinking(budget=OFF)


def _word(text: str) -> Thinking | None:
    return Thinking(budget=AUTO) if text.lower() == "auto" else effort(text)


@attrs.frozen
class Suffix:
    """A row: the ending, what it means (None: it is no suffix after all), and who writes it so."""

    ending: re.Pattern[str]
    thinking: Callable[[str], Thinking | None] | None
    tools: str


def _row(ending: str, thinking: Callable[[str], Thinking | None] | None, tools: str) -> Suffix:
    return Suffix(re.compile(rf"(?P<model>.+){ending}\Z", re.IGNORECASE), thinking, tools)


SUFFIXES = (
    _row(r"-search()", None, "gemini-balance, gcli2api, geminicli2api"),
    _row(r"-thinking-(\d{1,6})", _budget, "new-api"),
    _row(r"-nothinking()", _off, "new-api, gcli2api, geminicli2api"),
    _row(r"-non-thinking()", _off, "gemini-balance"),
    _row(r"-thinking()", lambda _: Thinking(enabled=True), "new-api"),
    _row(r"-maxthinking()", lambda _: effort("max"), "gcli2api, geminicli2api"),
    _row(r"-(minimal|low|medium|high|xhigh|max)", effort, "new-api, gcli2api"),
    _row(r"\((-?\d{1,6})\)", _budget, "CLIProxyAPI"),
    _row(r"\(([a-z]+)\)", _word, "CLIProxyAPI"),
)
"""The suffixes; the first row that fits the end of a name is the one."""


def split(model: str, known: Collection[str] = ()) -> tuple[str, Wish]:
    """Return a model's name without its suffixes, and what they ask for.

    ``known`` are names that are never taken apart. Raises BadField for a budget out of bounds.
    """
    wish = Wish()
    while found := _last(model, wish, known):
        model, wish = found
    return model, wish


def _last(model: str, wish: Wish, known: Collection[str]) -> tuple[str, Wish] | None:
    """Return a name without its last suffix, and the wish with it; None if it has none."""
    if model in known or matches(model, REAL):
        return None
    for suffix in SUFFIXES:
        match = suffix.ending.match(model)
        if match is None:
            continue
        if suffix.thinking is None:
            return None if wish.search else (match["model"], attrs.evolve(wish, search=True))
        thinking = suffix.thinking(match[2])
        if thinking is not None and wish.thinking == Thinking():
            return match["model"], attrs.evolve(wish, thinking=thinking)
        return None
    return None


def listed(models: Iterable[str]) -> list[str]:
    """Return names with suffixes for a list of models: what each takes, one suffix at a time."""
    return [f"{model}{ending}" for model in models for ending in _endings(model)]


def _endings(model: str) -> Iterator[str]:
    family = family_of(model)
    if not plain(model).startswith("gemini-") or family.draws or not family.thinks:
        return
    yield "-search"
    if _may_be_off(family):
        yield "-nothinking"
    if family.levels:
        yield from (f"-{level.lower()}" for level in family.levels)
    else:
        yield "-thinking"


def _may_be_off(family: Family) -> bool:
    return family.budget is not None and family.budget.off
