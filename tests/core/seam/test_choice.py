"""An answer that is one of a few values stays one of them when it was cut."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.repair.events import Ended, Finish, How, Opened, Resume
from gemproxy.core.repair.machine import StreamMachine
from gemproxy.core.repair.request import StreamRequest
from gemproxy.core.seam.choice import Choice
from gemproxy.core.seam.seam import Cut, Diverged, Seam
from tests.gemini import REQUEST, chunk, received

MOODS = ("sweet", "sweet and sour", "savoury", "bitter", "\u4e50\u89c2", "\u60b2\u89c2", "on/off")


def joined(delivered: str, *attempt: str, values: tuple[str, ...] = MOODS) -> str | None:
    """Return the value that comes out, None when nothing of the attempt is used."""
    choice = Choice(delivered, Seam(delivered, None), frozenset(values))
    for text in attempt:
        assert choice.feed(text) is None
    decision = choice.close()
    assert isinstance(decision, Cut | Diverged)
    whole = "".join(attempt)
    return delivered + whole[decision.drop :] if isinstance(decision, Cut) else None


@given(st.sampled_from(MOODS), st.data())
def test_a_value_that_was_cut_anywhere_is_gone_on_with(value: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(1, len(value)))

    assert joined(value[:at], value[at:]) == value


@given(st.sampled_from(MOODS), st.data())
def test_a_value_that_is_told_again_is_told_once(value: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(1, len(value)))

    assert joined(value[:at], *value) == value
    assert joined(value[:at], f"{value}\n") == f"{value}\n"


def test_the_end_of_what_was_told_may_come_again() -> None:
    assert joined("savo", "voury") == "savoury"


@pytest.mark.parametrize("attempt", ["age", "sweet", "Savoury", "oury!", "oury savoury"])
def test_what_makes_none_of_the_values_is_not_used(attempt: str) -> None:
    assert joined("sav", attempt) is None


def test_a_value_that_was_told_whole_needs_nothing_more() -> None:
    assert joined("sweet") == "sweet"
    assert joined("swee") is None


def test_a_guess_between_two_values_is_none() -> None:
    assert joined("aa", "ab", values=("aab", "aaab")) is None


def test_a_text_that_is_longer_than_any_value_is_none_of_them() -> None:
    assert joined("a" * 1_000_000, "a") is None


# -- in the machine ----------------------------------------------------------------------------

CONFIG = {
    "responseMimeType": "text/x.enum",
    "responseSchema": {"type": "STRING", "enum": list(MOODS)},
}


def machine_after(*attempts: tuple[str, str | None]) -> tuple[StreamMachine, object]:
    """Play attempts, each a text and its finishReason; return what the last one leads to."""
    body = json.dumps({**REQUEST, "generationConfig": CONFIG}).encode()
    machine = StreamMachine(StreamRequest(body))
    actions: tuple[object, ...] = ()
    for text, finish in attempts:
        machine.receive(Opened())
        machine.receive(received(chunk(text, finish=finish)))
        actions = machine.receive(Ended(How.EOF if finish else How.RESET))
    return machine, actions[-1]


@pytest.mark.parametrize(
    "rest",
    ["savoury", "oury"],
)
def test_an_answer_that_was_cut_in_the_word_is_made_whole(rest: str) -> None:
    machine, ending = machine_after(("sav", None), (rest, "STOP"))

    assert isinstance(ending, Finish)
    assert machine.transcript.text == "savoury"


def test_an_answer_that_becomes_none_of_the_values_is_asked_again() -> None:
    machine, ending = machine_after(("sav", None), ("age", "STOP"))

    assert isinstance(ending, Resume)
    assert machine.transcript.text == "sav"


def test_an_answer_that_had_come_whole_lacks_only_its_end() -> None:
    machine, ending = machine_after(("bitter", None), ("", "STOP"))

    assert isinstance(ending, Finish)
    assert machine.transcript.text == "bitter"
