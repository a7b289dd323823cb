"""What a notice shows, and what it does not."""

import pytest

from gemproxy.core.seam.marks import NO_MARKS, marks_for, shown


@pytest.mark.parametrize(
    ("text", "opening"),
    [
        ("Once upon a time", "<<<"),
        ("if a < b then", "[[["),
        ("a < b [1]", "\u27e6"),
        ("a < b [1] \u27e6", "\n\n"),
        ("a < b" + " and so on" * 80, "<<<"),
        ("```python\nx = 1", "\n\n"),
        ("```python\nx = 1\n```\n", "<<<"),
    ],
)
def test_the_marks_are_signs_that_the_text_has_not_nearby(text: str, opening: str) -> None:
    assert marks_for(text).opening == opening


def test_without_marks_the_anchor_is_the_last_paragraph() -> None:
    assert NO_MARKS.closing == ""


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("there lived ", "there lived"),
        ("there lived   ", "there lived"),
        ("there lived\n", "there lived\n"),
        ("def f():\n    ", "def f():\n    "),
        ("there lived\t", "there lived\t"),
        ("   ", "   "),
        ("", ""),
    ],
)
def test_only_spaces_behind_something_on_the_line_are_not_shown(text: str, seen: str) -> None:
    assert shown(text) == seen
