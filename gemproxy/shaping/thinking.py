"""How much a model thinks: wishes, and the thinkingConfig that a model of a family takes for them.

A request, a suffix of the model's name and the operator's defaults each are a ``Thinking``. The
strongest one that names an amount decides the amount, and so for the thoughts in the answer.

A model takes either a level or a budget in tokens, so one becomes the other by this table. Its
first three columns are Google's for ``reasoning_effort``
(https://ai.google.dev/gemini-api/docs/openai); a budget becomes the level of the first row that it
does not exceed:

    effort   level    budget  budgets of the level
    minimal  MINIMAL    1024  1..512
    low      LOW        1024  513..1024
    medium   MEDIUM     8192  1025..8192
    high     HIGH      24576  8193..24576
    xhigh    XHIGH     32768  more

What a model does not take becomes the nearest that it takes: XHIGH becomes HIGH, a budget below the
least becomes the least. A model that cannot be kept from thinking thinks as little as it can.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from gemproxy.shaping.family import LEVELS, Family
from gemproxy.shaping.patterns import meant

AUTO, OFF, MOST = -1, 0, 32768
"""The budgets with a meaning of their own, and the largest one."""

BUDGETS = {"MINIMAL": 1024, "LOW": 1024, "MEDIUM": 8192, "HIGH": 24576, "XHIGH": MOST}
"""Level -> the budget in its place."""

_CEILINGS = {"MINIMAL": 512, "LOW": 1024, "MEDIUM": 8192, "HIGH": 24576}
"""Level -> the largest budget that becomes it."""


@attrs.frozen
class Thinking:
    """A wish about thinking; None leaves a thing open.

    ``enabled``: whether the model thinks, with an amount that the others or a weaker wish give.
    ``budget`` is -1 (the model decides), 0 (off) or 1 to 32768 tokens. ``level`` is one of
    ``LEVELS``. With both, each is for the models that take it. ``include_thoughts``: the answer
    shows them.
    """

    enabled: bool | None = None
    budget: int | None = None
    level: str | None = None
    include_thoughts: bool | None = None

    @property
    def off(self) -> bool:
        """Whether it is a wish that no model thinks."""
        return self.enabled is False or (self.budget == OFF and self.level is None)

    def completed(self, other: "Thinking") -> "Thinking":
        """Return this wish, with each thing that it leaves open from another part of it."""
        return Thinking(
            other.enabled if self.enabled is None else self.enabled,
            other.budget if self.budget is None else self.budget,
            self.level or other.level,
            other.include_thoughts if self.include_thoughts is None else self.include_thoughts,
        )

    def over(self, weaker: "Thinking") -> "Thinking":
        """Return this wish, with what it leaves open from a weaker one."""
        told = self.include_thoughts
        shown = weaker.include_thoughts if told is None else told
        named = self.enabled is False or self.budget is not None or self.level is not None
        if named:
            amount = self
        elif self.enabled and weaker.off:
            amount = Thinking(enabled=True)
        elif self.enabled:
            amount = attrs.evolve(weaker, enabled=True)
        else:
            amount = weaker
        return attrs.evolve(amount, include_thoughts=shown)


@attrs.frozen
class Thoughts:
    """The operator's defaults: ``general`` ones, and those of ``models`` by name or pattern.

    ``native``: native requests that say nothing about thinking get them, too.
    """

    general: Thinking = attrs.field(factory=Thinking)
    models: Mapping[str, Thinking] = attrs.field(factory=dict)
    native: bool = False

    def default(self, model: str) -> Thinking:
        """Return the default of a model: its own one, over the general one."""
        own = meant(model, self.models)
        return self.general if own is None else own.over(self.general)


def effort(word: str) -> Thinking | None:
    """Return the wish that a word for an effort is, in any case; None for an unknown word.

    The words are OpenAI's; ``max`` is ``xhigh``.
    """
    if word.lower() == "none":
        return Thinking(enabled=False)
    level = "XHIGH" if word.lower() == "max" else word.upper()
    return Thinking(level=level, budget=BUDGETS[level]) if level in BUDGETS else None


def thinking_config(family: Family, *wishes: Thinking) -> dict[str, Any] | None:
    """Return the thinkingConfig for a model, from wishes with the strongest first.

    It never has a budget and a level. None where there is nothing to say, or the model takes none.
    """
    wish = Thinking()
    for weaker in wishes:
        wish = wish.over(weaker)
    if not family.thinks:
        return None
    config: dict[str, Any] = _amount(family, wish)
    shown = wish.include_thoughts
    if shown is not None and not wish.off and config.get("thinkingBudget") != OFF:
        config["includeThoughts"] = shown
    return config or None


def _amount(family: Family, wish: Thinking) -> dict[str, Any]:
    if family.levels:
        level = _level(family.levels, wish)
        return {} if level is None else {"thinkingLevel": level}
    budget = _budget(family, wish)
    if budget is not None:
        return {"thinkingBudget": budget}
    return {} if wish.level is None else {"thinkingLevel": wish.level}


def _level(levels: tuple[str, ...], wish: Thinking) -> str | None:
    """Return the level for a model that takes these, lowest first; None: the model's own."""
    if wish.off:
        return levels[0]
    level = wish.level or _level_of(wish.budget)
    if level is None or level in levels:
        return level
    return levels[0] if LEVELS.index(level) < LEVELS.index(levels[0]) else levels[-1]


def _level_of(budget: int | None) -> str | None:
    if budget is None or budget == AUTO:
        return None
    return next((level for level, most in _CEILINGS.items() if budget <= most), "XHIGH")


def _budget(family: Family, wish: Thinking) -> int | None:
    """Return the budget for a model that takes one, or whose rules nobody knows."""
    bounds = family.budget
    if wish.off:
        return OFF if bounds is None or bounds.off else bounds.least
    if bounds is None:
        return wish.budget
    budget = wish.budget
    if budget is None and wish.level is not None:
        budget = BUDGETS[wish.level]
    if budget is None:
        return AUTO if wish.enabled else None
    if budget == AUTO:
        return budget
    if budget == OFF:  # beside a level, which other models take
        return OFF if bounds.off else bounds.least
    return min(max(budget, bounds.least), bounds.most)
