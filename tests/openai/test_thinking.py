"""What chat requests say about thinking."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.errors import BadField
from gemproxy.openai.request import Ways, translate
from gemproxy.openai.thinking import PLACES, asked
from gemproxy.shaping.shaping import Shaping
from gemproxy.shaping.thinking import Thinking, Thoughts, effort
from tests.gatekeeper import problems

CONFIG = {"thinking_budget": 2048, "include_thoughts": True}
WISH = Thinking(budget=2048, include_thoughts=True)


def placed(path: tuple[str, ...], fields: dict[str, Any]) -> dict[str, Any]:
    for name in reversed(path):
        fields = {name: fields}
    return fields


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize("name", ["thinking_config", "thinkingConfig"])
def test_thinking_config_in_all_places(path: tuple[str, ...], name: str) -> None:
    assert asked(placed(path, {name: CONFIG})) == WISH
    assert asked(placed(path, {name: None})) == Thinking()


@pytest.mark.parametrize(
    ("config", "wish"),
    [
        ({}, Thinking()),
        ({"thinkingBudget": -1}, Thinking(budget=-1)),
        ({"budget": 0}, Thinking(budget=0)),
        ({"budget": 32768}, Thinking(budget=32768)),
        ({"includeThoughts": False}, Thinking(include_thoughts=False)),
        ({"thinking_level": "low"}, Thinking(level="LOW")),
        ({"thinkingLevel": "XHIGH"}, Thinking(level="XHIGH")),
        ({"level": "THINKING_LEVEL_UNSPECIFIED"}, Thinking()),
        ({"budget": 1, "level": "high"}, Thinking(budget=1, level="HIGH")),
        ({"thinking_budget": 1, "thinkingBudget": 2}, Thinking(budget=1)),
        ({"thinking_budget": None, "enabled": False}, Thinking(enabled=False)),
    ],
)
def test_the_fields_of_thinking_config(config: dict[str, Any], wish: Thinking) -> None:
    assert asked({"thinking_config": config}) == wish


@pytest.mark.parametrize(
    ("document", "wish"),
    [
        ({"reasoning_effort": "low"}, effort("low")),
        ({"reasoning_effort": "none"}, Thinking(enabled=False)),
        ({"reasoning_effort": None}, Thinking()),
        ({"reasoning": {"effort": "high", "summary": "auto"}}, effort("high")),
        ({"reasoning": {"max_tokens": 99, "exclude": True}}, Thinking(None, 99, None, False)),
        (
            {"reasoning": {"effort": "low", "exclude": False}},
            Thinking(None, 1024, "LOW", include_thoughts=True),
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 99}},
            Thinking(True, 99, None, True),
        ),
        (
            {"thinking": {"type": "adaptive", "display": "omitted"}},
            Thinking(enabled=True, include_thoughts=True),
        ),
        ({"thinking": {"type": "disabled"}}, Thinking(enabled=False)),
        ({"extra_body": {"thinking": {"type": "disabled"}}}, Thinking(enabled=False)),
        (
            {"enable_thinking": True, "thinking_budget": 99, "include_thoughts": True},
            Thinking(True, 99, None, True),
        ),
    ],
)
def test_other_forms(document: dict[str, Any], wish: Thinking) -> None:
    assert asked(document) == wish


def test_thinking_config_wins_over_an_effort() -> None:
    both = {"reasoning_effort": "high", "extra_body": {"google": {"thinking_config": CONFIG}}}
    only_shown = {"reasoning_effort": "low", "thinking_config": {"include_thoughts": True}}

    assert asked(both) == WISH
    assert asked(only_shown) == Thinking(None, 1024, "LOW", include_thoughts=True)


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"reasoning_effort": "ultra"}, "reasoning_effort"),
        ({"reasoning_effort": 3}, "reasoning_effort"),
        ({"reasoning": {"effort": "ultra"}}, "reasoning.effort"),
        ({"reasoning": "low"}, "reasoning"),
        ({"thinking": {"type": "sometimes"}}, "thinking.type"),
        ({"thinking": {"budget_tokens": 64000}}, "thinking.budget_tokens"),
        ({"thinking_config": []}, "thinking_config"),
        ({"thinking_config": {"thinking_budget": -2}}, "thinking_config.thinking_budget"),
        ({"thinking_config": {"thinkingBudget": 32769}}, "thinking_config.thinkingBudget"),
        ({"thinking_config": {"budget": "1"}}, "thinking_config.budget"),
        ({"thinking_config": {"budget": True}}, "thinking_config.budget"),
        ({"thinking_config": {"thinking_level": "ultra"}}, "thinking_config.thinking_level"),
        ({"thinking_config": {"includeThoughts": "yes"}}, "thinking_config.includeThoughts"),
        ({"thinking_config": {"thinkingBudgett": 1}}, "thinking_config.thinkingBudgett"),
        ({"extra_body": 3}, "extra_body"),
        (
            {"extra_body": {"google": {"thinking_config": {"budget": 1.5}}}},
            "extra_body.google.thinking_config.budget",
        ),
        ({"thinking_config": CONFIG, "reasoning_effort": "ultra"}, "reasoning_effort"),
    ],
)
def test_what_cannot_be_right_is_named(document: dict[str, Any], field: str) -> None:
    with pytest.raises(BadField) as caught:
        asked(document)

    assert caught.value.field == field


MODELS = (
    "gemini-2.0-flash",
    "gemini-2.5-flash",
    "gemini-2.5-flash-lite",
    "gemini-2.5-flash-image",
    "gemini-2.5-pro",
    "gemini-3-flash-preview",
    "gemini-3.1-pro-preview",
    "gemini-3.5-flash",
    "gemini-3.5-flash-lite",
    "gemini-3.8-flash",
    "gemini-4-hydrogen",
    "gemini-flash-latest",
    "gemma-4-31b-it",
    "somebody-s-own",
)
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
budgets = st.sampled_from([-1, 0, 1, 127, 513, 24577, 32768])
said = st.fixed_dictionaries(
    {"model": st.sampled_from(MODELS)},
    optional={
        "reasoning_effort": st.sampled_from(EFFORTS),
        "thinking_config": st.fixed_dictionaries(
            {}, optional={"budget": budgets, "include_thoughts": st.booleans()}
        ),
        "thinking": st.fixed_dictionaries(
            {"type": st.sampled_from(["enabled", "disabled"])}, optional={"budget_tokens": budgets}
        ),
    },
)
defaults = st.builds(
    Thinking,
    st.none() | st.booleans(),
    st.none() | budgets,
    st.none() | st.sampled_from(["MINIMAL", "HIGH", "XHIGH"]),
    st.none() | st.booleans(),
)


@given(said, defaults, st.sampled_from(["", "-nothinking", "-low", "(9999)", "-thinking"]))
def test_gemini_takes_what_is_made_of_any_wishes(
    document: dict[str, Any], general: Thinking, suffix: str
) -> None:
    ways = Ways(suffixes=True, shaping=Shaping(Thoughts(general)))
    model = f"{document['model']}{suffix}"
    document = {**document, "model": model, "messages": [{"role": "user", "content": "hi"}]}

    made = translate(document, ways)

    level = "thinkingLevel" in made.body.get("generationConfig", {}).get("thinkingConfig", {})
    unknown = made.model in {"gemini-flash-latest", "somebody-s-own"}
    assert (unknown and level) or not problems(made.model, "generateContent", made.body)


def test_a_request_goes_before_the_suffix_and_that_before_the_defaults() -> None:
    models = {"gemini-2.5-pro": Thinking(budget=300)}
    ways = Ways(suffixes=True, shaping=Shaping(Thoughts(Thinking(budget=200), models)))

    def budget(model: str, **more: Any) -> object:
        document = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
        return translate(document, ways).body["generationConfig"]["thinkingConfig"]

    own = {"thinking_config": {"budget": 500}}
    assert budget("gemini-2.5-pro-thinking-400", **own) == {"thinkingBudget": 500}
    assert budget("gemini-2.5-pro-thinking-400") == {"thinkingBudget": 400}
    assert budget("gemini-2.5-pro") == {"thinkingBudget": 300}
    assert budget("gemini-2.5-flash") == {"thinkingBudget": 200}
