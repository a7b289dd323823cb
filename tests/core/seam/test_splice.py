"""The joiners: what Gemini generates again is swallowed."""

import itertools
from collections.abc import Sequence

from hypothesis import assume, given
from hypothesis import strategies as st

from gemproxy.core.seam.seam import Cut, Diverged, Joint
from gemproxy.core.seam.splice import Decision, Joiner, Repetition

texts = st.text(min_size=1, max_size=30)


def pieces(text: str, data: st.DataObject) -> list[str]:
    """Cut ``text`` at drawn places."""
    places = sorted(data.draw(st.sets(st.integers(1, max(1, len(text) - 1)), max_size=5)))
    bounds = [0, *(place for place in places if place < len(text)), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(bounds)]


def play(joiner: Joiner, texts: Sequence[str]) -> Decision:
    """Feed until there is a decision, else close."""
    for text in texts:
        decision = joiner.feed(text)
        if decision is not None:
            return decision
    return joiner.close()


@given(expected=texts, new=texts, data=st.data())
def test_what_is_generated_again_is_swallowed_to_the_character(
    expected: str, new: str, data: st.DataObject
) -> None:
    decision = play(Repetition(expected), pieces(expected + new, data))

    assert decision == Cut(len(expected), Joint.ECHO)


@given(expected=texts, data=st.data())
def test_an_attempt_that_only_repeats_is_accepted_at_its_end(
    expected: str, data: st.DataObject
) -> None:
    assert play(Repetition(expected), pieces(expected, data)) == Cut(len(expected), Joint.ECHO)


@given(expected=texts, other=texts, data=st.data())
def test_a_different_text_is_dropped(expected: str, other: str, data: st.DataObject) -> None:
    assume(not other.startswith(expected))

    assert play(Repetition(expected), pieces(other, data)) == Diverged()


def test_a_difference_is_found_with_the_piece_that_brings_it() -> None:
    checkpoint = Repetition("Once upon a time")

    assert checkpoint.feed("Once ") is None
    assert checkpoint.feed("before") == Diverged()


def test_nothing_is_accepted_before_all_that_the_client_has_came_again() -> None:
    checkpoint = Repetition("Once upon a time")

    assert checkpoint.feed("Once upon a tim") is None
    assert checkpoint.close() == Diverged()


def test_a_cut_comes_as_soon_as_there_is_new_text() -> None:
    checkpoint = Repetition("Once")

    assert checkpoint.feed("On") is None
    assert checkpoint.feed("ce upon") == Cut(4, Joint.ECHO)
