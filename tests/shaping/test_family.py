"""What models take, by their names."""

import pytest

from gemproxy.shaping.family import Budget, Family, family_of


@pytest.mark.parametrize(
    ("model", "levels"),
    [
        ("gemini-2.5-flash", ""),
        ("gemini-3-flash-preview", "MINIMAL LOW MEDIUM HIGH"),
        ("gemini-3.5-flash", "MINIMAL LOW MEDIUM HIGH"),
        ("models/gemini-3.1-pro-preview", "LOW MEDIUM HIGH"),
        ("gemini-3.7-flash", "LOW MEDIUM HIGH"),
        ("gemini-3.8-flash", "LOW MEDIUM HIGH"),
        ("gemini-4-hydrogen", "LOW MEDIUM HIGH XHIGH"),
        ("gemma-4-31b-it", ""),
    ],
)
def test_levels(model: str, levels: str) -> None:
    assert family_of(model).levels == tuple(levels.split())


def test_budgets() -> None:
    assert family_of("gemini-2.5-pro").budget == Budget(128, 32768, off=False)
    assert family_of("gemini-2.5-flash").budget == Budget(1, 24576, off=True)
    assert family_of("gemini-2.5-flash-lite").budget == Budget(512, 24576, off=True)
    assert family_of("gemini-3.5-flash").budget is None
    assert family_of("gemini-pro-latest").budget == Budget(128, 32768, off=False)
    assert family_of("my-prompts").budget is None


def taken(family: Family) -> set[str]:
    fields = ("signs_calls", "json_with_tools", "candidates", "penalties", "logprobs", "prefill")
    return {name for name in fields if getattr(family, name)}


@pytest.mark.parametrize(
    ("model", "takes"),
    [
        ("gemini-2.0-flash", "candidates penalties logprobs prefill"),
        ("gemini-2.5-flash", "candidates logprobs prefill"),
        ("gemini-2.5-pro", "candidates prefill"),
        ("gemini-3-flash-preview", "signs_calls json_with_tools logprobs prefill"),
        ("gemini-3.5-flash", "signs_calls json_with_tools prefill"),
        ("gemini-3.5-flash-lite", "signs_calls json_with_tools"),
        ("gemini-3.6-flash", "signs_calls json_with_tools"),
        ("gemini-3.8-flash", "signs_calls json_with_tools"),
        ("somebody-s-own", "signs_calls json_with_tools"),
        ("gemini-flash-latest", "signs_calls json_with_tools"),
    ],
)
def test_what_versions_take(model: str, takes: str) -> None:
    assert taken(family_of(model)) == set(takes.split())


def test_image_models_and_gemma() -> None:
    assert family_of("gemini-2.5-flash-image").draws
    assert family_of("gemini-2.0-flash-exp").draws
    assert family_of("nano-banana-pro-preview").draws
    assert not family_of("gemini-2.5-flash").draws
    assert family_of("mine", ("mine",)).draws
    assert not family_of("gemini-2.5-flash-image", ("mine",)).draws
    assert not family_of("gemini-2.5-flash-image").tools
    assert not family_of("gemini-2.0-flash-exp-image-generation").system
    assert not family_of("gemini-2.0-flash-exp").system
    assert family_of("gemini-2.0-flash").system
    assert family_of("gemini-2.5-flash-image").system
    assert not family_of("gemma-4-31b-it").system
    assert not family_of("gemma-4-31b-it").signs_calls
    assert not family_of("gemma-4-31b-it").pictures_in_results
    assert not family_of("gemma-4-31b-it").json_with_tools
