"""The joiners: what Gemini generates again is swallowed, a JSON answer is whole or nothing."""

import itertools
import json
from collections.abc import Sequence

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gemproxy.core.seam import Cut, Diverged, Joint, Seam
from gemproxy.core.splice import Decision, Document, Joiner, Repetition

texts = st.text(min_size=1, max_size=30)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@attrs.define
class Fixed:
    """A seam that gives a prepared answer, at the n-th text or at the end."""

    decision: Decision
    at: int | None = None
    fed: list[str] = attrs.field(factory=list)

    def feed(self, text: str) -> Decision | None:
        self.fed.append(text)
        return self.decision if len(self.fed) == self.at else None

    def close(self) -> Decision:
        return self.decision


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


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


@pytest.mark.parametrize("cut", [Cut(4, Joint.ECHO), Cut(0, Joint.PLAIN)])
def test_a_document_is_held_to_its_end_whatever_the_seam_says(cut: Cut) -> None:
    document = Document('{"a": "On', Fixed(cut, at=1), is_json)

    assert document.feed(': "On') is None
    assert document.feed('ce"}') is None


def test_a_document_is_joined_where_the_seam_cuts() -> None:
    document = Document('{"a": "On', Fixed(Cut(5, Joint.ECHO), at=1), is_json)

    assert play(document, [': "On', 'ce"}']) == Cut(5, Joint.ECHO)


def test_the_cut_of_the_seam_is_taken_although_the_plain_text_would_parse_too() -> None:
    document = Document('{"a": "On', Fixed(Cut(2, Joint.OVERLAP)), is_json)

    assert play(document, ['Once"}']) == Cut(2, Joint.OVERLAP)


def test_a_seam_that_has_decided_is_not_asked_again() -> None:
    seam = Fixed(Cut(0, Joint.PLAIN), at=1)

    play(Document("[1", seam, is_json), [",", "2", "]"])

    assert seam.fed == [","]


@pytest.mark.parametrize("decision", [Cut(1, Joint.ECHO), Diverged()])
def test_a_seam_that_spoils_the_document_is_not_followed(decision: Decision) -> None:
    document = Document("[1, 2", Fixed(decision, at=1), is_json)

    assert play(document, [", 3]"]) == Cut(0, Joint.PLAIN)


def test_text_that_makes_no_document_is_dropped() -> None:
    document = Document('{"a": 1', Fixed(Cut(0, Joint.PLAIN)), is_json)

    assert play(document, ['{"b": 2, {}']) == Diverged()


def test_a_resumed_attempt_without_text_can_complete_a_document_that_was_complete() -> None:
    assert play(Document("[1, 2]", Fixed(Cut(0, Joint.PLAIN)), is_json), []) == Cut(0, Joint.PLAIN)
    assert play(Document("[1, 2", Fixed(Cut(0, Joint.PLAIN)), is_json), []) == Diverged()


@given(value=json_values, where=st.integers(0), again=st.integers(0, 20), data=st.data())
def test_what_comes_out_is_the_whole_document(
    value: object, where: int, again: int, data: st.DataObject
) -> None:
    text = json.dumps(value)
    at = where % (len(text) + 1)
    again = min(again, at)
    attempt = text[at - again :]
    document = Document(text[:at], Fixed(Cut(again, Joint.ECHO)), is_json)

    decision = play(document, pieces(attempt, data) if attempt else [])

    assert isinstance(decision, Cut)
    assert json.loads(text[:at] + attempt[decision.drop :]) == value


@given(delivered=st.text(), attempt=texts, drop=st.integers(0, 40), diverged=st.booleans())
def test_a_joined_document_is_always_valid(
    delivered: str, attempt: str, drop: int, diverged: bool
) -> None:
    answer: Decision = Diverged() if diverged else Cut(drop, Joint.ECHO)

    decision = play(Document(delivered, Fixed(answer), is_json), [attempt])

    assert isinstance(decision, Diverged) or is_json(delivered + attempt[decision.drop :])


@pytest.mark.parametrize("length", [1, 5, 12, 40])
def test_a_document_that_repeats_its_end_is_joined_where_it_is_valid(length: int) -> None:
    whole = json.dumps({"rows": [{"id": 1, "ok": True}] * 3 + [{"id": 2, "ok": False}]})
    delivered, rest = whole[:45], whole[45:]
    joiner = Document(delivered, Seam(delivered, None), lambda text: text == whole)

    assert joiner.feed(delivered[-length:] + rest) is None
    decision = joiner.close()

    assert isinstance(decision, Cut)
    assert decision.drop == length
