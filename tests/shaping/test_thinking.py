"""The thinkingConfig that a model gets."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.shaping.family import LEVELS, family_of
from gemproxy.shaping.thinking import MOST, Thinking, Thoughts, effort, thinking_config

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
FLASH_25 = (0, 1024, 1024, 8192, 24576, 24576)
FLASH_3 = ("MINIMAL", "MINIMAL", "LOW", "MEDIUM", "HIGH", "HIGH")
NO_MINIMAL = ("LOW", "LOW", "LOW", "MEDIUM", "HIGH", "HIGH")
TABLE = {
    "gemini-2.5-flash": FLASH_25,
    "gemini-2.5-flash-lite": FLASH_25,
    "gemini-2.5-pro": (128, 1024, 1024, 8192, 24576, 32768),
    "gemini-3-flash-preview": FLASH_3,
    "gemini-3.5-flash": FLASH_3,
    "gemini-3.5-flash-lite": FLASH_3,
    "gemini-3.1-flash-lite": FLASH_3,
    "gemini-3.1-pro-preview": NO_MINIMAL,
    "gemini-3.7-flash": NO_MINIMAL,
    "models/gemini-3.8-flash": NO_MINIMAL,
    "gemini-4-argon": NO_MINIMAL,
    "gemini-4-hydrogen": (*NO_MINIMAL[:5], "XHIGH"),
    "gemini-pro-latest": (128, 1024, 1024, 8192, 24576, 32768),
    "gemini-flash-latest": (512, 1024, 1024, 8192, 24576, 24576),
    "gemini-flash-lite-latest": (512, 1024, 1024, 8192, 24576, 24576),
    "somebody-s-own": (0, 1024, 1024, 8192, 24576, 32768),
}
MINDLESS = (
    "gemini-2.0-flash",
    "gemini-2.0-flash-thinking-exp",
    "gemini-1.5-pro",
    "gemma-4-31b-it",
    "gemini-2.5-flash-image",
    "gemini-3-pro-image",
    "gemini-nano-banana-2.1",
    "gemini-embedding-001",
    "gemini-3.8-flash-tts",
)


def config(model: str, *wishes: Thinking) -> dict[str, Any] | None:
    return thinking_config(family_of(model), *wishes)


@pytest.mark.parametrize("model", TABLE)
@pytest.mark.parametrize(("word", "column"), [*zip(EFFORTS, range(6), strict=True)])
def test_efforts_by_family(model: str, word: str, column: int) -> None:
    asked, right = effort(word), TABLE[model][column]

    assert asked is not None
    name = "thinkingLevel" if isinstance(right, str) else "thinkingBudget"
    assert config(model, asked) == {name: right}


def test_words_for_efforts() -> None:
    assert effort("ultra") is None
    assert effort("") is None
    assert effort("HIGH") == effort("high")
    assert effort("max") == effort("xhigh")


@pytest.mark.parametrize(
    ("model", "budget", "right"),
    [
        ("gemini-2.5-flash", -1, {"thinkingBudget": -1}),
        ("gemini-2.5-flash", 0, {"thinkingBudget": 0}),
        ("gemini-2.5-flash", 1, {"thinkingBudget": 1}),
        ("gemini-2.5-flash", 32768, {"thinkingBudget": 24576}),
        ("gemini-2.5-flash-lite", 1, {"thinkingBudget": 512}),
        ("gemini-2.5-pro", 0, {"thinkingBudget": 128}),
        ("gemini-2.5-pro", 1, {"thinkingBudget": 128}),
        ("gemini-2.5-pro", 32768, {"thinkingBudget": 32768}),
        ("gemini-3.5-flash", -1, None),
        ("gemini-3.5-flash", 0, {"thinkingLevel": "MINIMAL"}),
        ("gemini-3.5-flash", 512, {"thinkingLevel": "MINIMAL"}),
        ("gemini-3.5-flash", 513, {"thinkingLevel": "LOW"}),
        ("gemini-3.5-flash", 8192, {"thinkingLevel": "MEDIUM"}),
        ("gemini-3.5-flash", 24576, {"thinkingLevel": "HIGH"}),
        ("gemini-3.5-flash", 32768, {"thinkingLevel": "HIGH"}),
        ("gemini-4-hydrogen", 32768, {"thinkingLevel": "XHIGH"}),
        ("gemini-3.8-flash", 1, {"thinkingLevel": "LOW"}),
        ("somebody-s-own", 7, {"thinkingBudget": 7}),
    ],
)
def test_budgets(model: str, budget: int, right: dict[str, Any] | None) -> None:
    assert config(model, Thinking(budget=budget)) == right


@pytest.mark.parametrize(
    ("model", "level", "right"),
    [
        ("gemini-2.5-flash", "LOW", {"thinkingBudget": 1024}),
        ("gemini-2.5-flash", "XHIGH", {"thinkingBudget": 24576}),
        ("gemini-3.8-flash", "MINIMAL", {"thinkingLevel": "LOW"}),
        ("gemini-3.8-flash", "XHIGH", {"thinkingLevel": "HIGH"}),
        ("somebody-s-own", "XHIGH", {"thinkingLevel": "XHIGH"}),
    ],
)
def test_levels(model: str, level: str, right: dict[str, Any]) -> None:
    assert config(model, Thinking(level=level)) == right


@pytest.mark.parametrize("model", MINDLESS)
def test_models_without_a_thinking_config(model: str) -> None:
    assert config(model, Thinking(True, 1024, "LOW", True)) is None


def test_only_enabled() -> None:
    on = Thinking(enabled=True)

    assert config("gemini-2.5-flash-lite", on) == {"thinkingBudget": -1}
    assert config("gemini-3.5-flash", on) is None
    assert config("somebody-s-own", on) is None
    assert config("gemini-2.5-flash", on, Thinking(budget=2048)) == {"thinkingBudget": 2048}
    assert config("gemini-2.5-flash", on, Thinking(budget=0)) == {"thinkingBudget": -1}


def test_the_strongest_amount_wins_and_thoughts_are_asked_for_apart() -> None:
    request = Thinking(include_thoughts=False)
    suffix = Thinking(level="HIGH")
    default = Thinking(budget=1024, include_thoughts=True)

    assert config("gemini-2.5-pro", request, suffix, default) == {
        "thinkingBudget": 24576,
        "includeThoughts": False,
    }
    assert config("gemini-2.5-pro", Thinking(), default) == {
        "thinkingBudget": 1024,
        "includeThoughts": True,
    }
    assert config("gemini-2.5-pro", Thinking(enabled=False), default) == {"thinkingBudget": 128}


def test_a_default_with_both_gives_each_model_what_it_takes() -> None:
    both = Thinking(budget=0, level="HIGH")

    assert config("gemini-2.5-flash", both) == {"thinkingBudget": 0}
    assert config("gemini-2.5-pro", both) == {"thinkingBudget": 128}
    assert config("gemini-3.5-flash", both) == {"thinkingLevel": "HIGH"}


def test_defaults_by_model() -> None:
    thoughts = Thoughts(
        Thinking(budget=1024, include_thoughts=True),
        {
            "gemini-2.5-*": Thinking(budget=0),
            "gemini-2.5-pro": Thinking(level="LOW", include_thoughts=False),
        },
    )

    assert thoughts.default("gemini-2.5-flash") == Thinking(budget=0, include_thoughts=True)
    assert thoughts.default("models/Gemini-2.5-pro") == Thinking(
        level="LOW", include_thoughts=False
    )
    assert thoughts.default("gemini-3.5-flash") == thoughts.general


switches = st.none() | st.booleans()
wishes = st.builds(
    Thinking,
    switches,
    st.none() | st.integers(-1, MOST),
    st.none() | st.sampled_from(LEVELS),
    switches,
)


@given(st.sampled_from([*TABLE, *MINDLESS]), st.lists(wishes, max_size=4))
def test_any_wishes_give_what_the_model_takes(model: str, asked: list[Thinking]) -> None:
    family, made = family_of(model), config(model, *asked) or {}

    assert not {"thinkingBudget", "thinkingLevel"} <= made.keys()
    assert made.get("thinkingLevel", "LOW") in (family.levels or LEVELS)
    assert not (made.get("thinkingBudget") == 0 and "includeThoughts" in made)
    budget, bounds = made.get("thinkingBudget"), family.budget
    if bounds is not None and budget not in {None, -1, 0}:
        assert bounds.least <= budget <= bounds.most
    if bounds is not None and budget == 0:
        assert bounds.off
