"""Texts that end where an answer may end, and texts that do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.repair.closed import is_closed

CLOSED = [
    "He went home.",
    "It is it.",
    "Really?",
    "Yes!",
    "他走了。",
    "真的吗？",
    "共 3。",
    'He said "go."',
    "He said (quietly) no.\n",
    "“A quotation.”",
    "„Ein Zitat.“",
    "「引用です。」",
    "**Bold.**",
    "```python\nprint(1)\n```",
    "Code:\n\n~~~\nx = [\n~~~\n",
    "A smiley :( is no bracket.",
    "An open ( in another paragraph\n\nis forgotten.",
    "Call `f(` to begin.",
    "wait...",
]
OPEN = [
    "",
    "He went ho",
    "He went home",
    "He went home\n",
    "He went, ",
    "Chapter 3.",
    "1. First\n2.",
    "See Dr.",
    "e.g.",
    "z.B.",
    "the U.S.",
    "und so weiter usw.",
    "cf.",
    "It follows that x.",
    "(He went home.",
    "He said “go.",
    'He said "go.',
    "「引用です。",
    "« Une citation.",
    "```\nprint(1).",
    "```\nprint(1)\n```python\nx.",
    "| a | b.",
    "| a | b |",
    "| a | b |\n",
    "- an item:",
    "- an item\n-  2",
    "the value is 2",
    "wait..",
    "Call `path.",
    "<<A quotation.",
]


@pytest.mark.parametrize("text", CLOSED)
def test_a_text_that_ends_a_sentence_or_a_fence_is_closed(text: str) -> None:
    assert is_closed(text)


@pytest.mark.parametrize("text", OPEN)
def test_a_text_that_stops_inside_anything_is_open(text: str) -> None:
    assert not is_closed(text)


@given(st.sampled_from(CLOSED), st.sampled_from(OPEN))
def test_only_the_end_of_a_text_counts(closed: str, opened: str) -> None:
    assert not is_closed(f"{closed}\n\n{opened}") or not opened.strip()


@given(st.text())
def test_any_text_can_be_asked(text: str) -> None:
    assert is_closed(text) in (True, False)
