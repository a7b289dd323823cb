"""The end of the delivered text: its distinctive endings, its anchors and its repetitions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.seam.tail import REACH, Tail, agreements

STORY = "Once upon a time, in a small town by the sea, there lived "


def distinctive(text: str) -> str | None:
    """Return the shortest distinctive ending of ``text``, folded; None if there is none."""
    tail = Tail.of(text)
    return tail.folded[tail.distinctive :] if tail.distinctive >= 0 else None


def test_a_distinctive_ending_starts_before_the_repetition_at_the_end() -> None:
    assert (distinctive("He laughed: " + "ha " * 9) or "").startswith(": ha ha")


@pytest.mark.parametrize("text", ["ha " * 9, "=" * 50, "0, " * 40])
def test_a_text_that_is_one_repetition_has_no_distinctive_ending(text: str) -> None:
    assert distinctive(text) is None


@given(st.text("ab ", min_size=1, max_size=80))
def test_a_distinctive_ending_occurs_once(text: str) -> None:
    end = distinctive(text)

    if end is not None:
        folded = Tail.of(text).folded
        assert folded.find(end) == len(folded) - len(end)


def test_whitespace_at_the_end_is_kept_apart() -> None:
    tail = Tail.of(STORY + "\n\n")

    assert (tail.text, tail.trailing) == (STORY.rstrip(), " \n\n")


@pytest.mark.parametrize(
    ("anchor", "at"), [("there lived ", 46), (None, -1), ("elsewhere", -1), ("  ", -1)]
)
def test_an_anchor_is_found_where_it_begins(anchor: str | None, at: int) -> None:
    assert Tail.of(STORY).index_of(anchor) == at


def test_only_the_last_characters_of_a_long_text_count() -> None:
    tail = Tail.of("x" * 10_000 + STORY)

    assert len(tail.text) == 3 * REACH
    assert tail.start == 10_000 + len(STORY.rstrip()) - 3 * REACH


def test_a_line_that_was_whole_may_come_twice() -> None:
    tail = Tail.of(STORY + "\n| apple | 100 | red |\n")
    row = tail.folded.index("| apple")

    assert tail.may_come_twice(row, "")
    assert not tail.breaks_off(row)


def test_a_line_that_is_not_yet_whole_breaks_off() -> None:
    tail = Tail.of(STORY + "\n| apple | 100 | red and green")

    assert tail.breaks_off(tail.folded.index("| apple"))


@given(st.text("ab", max_size=40))
def test_agreements_are_those_found_one_by_one(text: str) -> None:
    slow = [0] * len(text)
    for offset in range(1, len(text)):
        rest = text[offset:]
        while slow[offset] < len(rest) and rest.startswith(text[: slow[offset] + 1]):
            slow[offset] += 1
    assert agreements(text) == slow


def test_half_of_a_tail_that_was_cut_off_is_looked_at() -> None:
    tail = Tail.of(" ".join(f"word{number}" + " " * 9 for number in range(400)))
    assert tail.start > 0
    assert tail.earliest >= len(tail.folded) // 2
