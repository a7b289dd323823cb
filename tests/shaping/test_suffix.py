"""Wishes at the end of model names."""

import pytest

from gemproxy.core.errors import BadField
from gemproxy.shaping.suffix import SUFFIXES, Wish, listed, split
from gemproxy.shaping.thinking import Thinking, effort

OFF, AUTO = Thinking(budget=0), Thinking(budget=-1)


@pytest.mark.parametrize(
    ("ending", "thinking"),
    [
        ("", Thinking()),
        ("-thinking-128", Thinking(budget=128)),
        ("-thinking-0", OFF),
        ("-thinking", Thinking(enabled=True)),
        ("-nothinking", OFF),
        ("-non-thinking", OFF),
        ("-maxthinking", effort("max")),
        ("-max", effort("max")),
        ("-minimal", effort("minimal")),
        ("-low", effort("low")),
        ("-medium", effort("medium")),
        ("-high", effort("high")),
        ("-HIGH", effort("high")),
        ("(8192)", Thinking(budget=8192)),
        ("(0)", OFF),
        ("(-1)", AUTO),
        ("(auto)", AUTO),
        ("(none)", Thinking(enabled=False)),
        ("(high)", effort("high")),
    ],
)
@pytest.mark.parametrize("search", [False, True])
def test_suffixes(ending: str, thinking: Thinking, search: bool) -> None:
    asked = Wish(thinking, search)
    for model in ("gemini-2.5-flash", "gemini-3.1-flash-lite", "gemini-2.0-flash-thinking-exp"):
        names = [f"{model}-search{ending}", f"{model}{ending}-search"] if search else []
        for name in names or [f"{model}{ending}"]:
            assert split(name) == (model, asked)


@pytest.mark.parametrize(
    "model",
    [
        "gemini-2.0-flash-thinking-exp",
        "gemini-2.0-flash-thinking-exp-01-21",
        "gemini-2.0-flash-thinking",
        "gemini-3.8-live-extended-thinking",
        "gemini-3.1-flash-lite",
        "gemini-flash-latest",
        "gemini-3.1-pro-preview-customtools",
        "deep-research-max",
        "gemini-2.5-flash(ultra)",
        "gemini-2.5-flash()",
        "-thinking",
        "(high)",
        "",
    ],
)
def test_names_that_are_no_model_with_a_suffix(model: str) -> None:
    assert split(model) == (model, Wish())


def test_each_wish_counts_once() -> None:
    assert split("m-low-high")[0] == "m-low"
    assert split("m-search-search")[0] == "m-search"


def test_known_names_stay_whole() -> None:
    assert split("fast-high", {"fast-high"}) == ("fast-high", Wish())
    assert split("fast-high-search", {"fast-high"}) == ("fast-high", Wish(search=True))


@pytest.mark.parametrize("model", ["m-thinking-32769", "m(99999)", "m(-2)"])
def test_budgets_out_of_bounds(model: str) -> None:
    with pytest.raises(BadField):
        split(model)


def test_the_names_in_a_list_of_models_are_read_again() -> None:
    models = ["gemini-2.5-flash", "gemini-2.5-pro", "gemini-3.8-flash", "gemini-4-hydrogen"]
    names = listed(models)

    assert "gemini-2.5-flash-nothinking" in names
    assert "gemini-2.5-flash-thinking" in names
    assert "gemini-2.5-pro-nothinking" not in names, "it cannot be off"
    assert "gemini-3.8-flash-low" in names
    assert "gemini-3.8-flash-minimal" not in names
    assert "gemini-4-hydrogen-xhigh" in names
    assert all(split(name)[0] in models and split(name)[1] != Wish() for name in names)
    assert not listed(["gemini-embedding-001", "gemini-2.5-flash-image", "gemma-4-31b-it"])


def test_every_row_says_whose_it_is() -> None:
    assert all(suffix.tools for suffix in SUFFIXES)
