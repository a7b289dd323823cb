"""Names of models, and patterns of them."""

import pytest

from gemproxy.shaping.patterns import matches, meant


@pytest.mark.parametrize(
    ("model", "pattern", "fits"),
    [
        ("gemini-2.5-pro", "gemini-2.5-pro", True),
        ("models/Gemini-2.5-Pro", "gemini-2.5-pro", True),
        ("gemini-2.5-pro", "models/gemini-2.5-pro", True),
        ("gemini-2.5-pro-preview", "gemini-2.5-pro", False),
        ("gemini-2.5-flash-image", "*-image*", True),
        ("gemini-2.5-pro", "gemini-2x5-pro", False),
    ],
)
def test_matches(model: str, pattern: str, fits: bool) -> None:
    assert matches(model, (pattern,)) is fits


def test_a_whole_name_goes_before_patterns_and_long_ones_before_short_ones() -> None:
    table = {"*": 1, "gemini-*-pro*": 2, "gemini-*": 3, "gemini-2.5-pro": 4}

    assert meant("gemini-2.5-pro", table) == 4
    assert meant("gemini-3.1-pro", table) == 2
    assert meant("gemini-3.5-flash", table) == 3
    assert meant("gemma-4", table) == 1
    assert meant("gemma-4", {}) is None
