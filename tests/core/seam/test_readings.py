"""Readings of an attempt: each dies at the first character that does not fit."""

import pytest

from gemproxy.core.seam.readings import Beginning, Changed, Echo, Restart, Spelled
from gemproxy.core.seam.spelling import bare
from gemproxy.core.seam.tail import Tail

STORY = "Once upon a time, in a small town by the sea, there lived a man"


def test_an_echo_is_complete_with_the_last_character_of_the_tail() -> None:
    echo = Echo(0, [range(len(STORY))])
    end = "there lived a man"
    found = [echo.step(char, STORY) for char in end]
    assert found[-1] == len(STORY) - len(end)
    assert set(found[:-1]) == {None}


def test_an_echo_of_other_words_has_no_candidates() -> None:
    echo = Echo(0, [range(len(STORY))])
    for char in "there lived a woman":
        echo.step(char, STORY)
    assert not echo.candidates


@pytest.mark.parametrize(
    "other", ["Cafe\u0301 und Brot", "caf\u00e9 **und** Brot", "> Café\nund Brot"]
)
def test_another_spelling_is_complete_with_its_last_letter(other: str) -> None:
    letters = "".join(letter for letter, _ in bare("Caf\u00e9 und Brot"))
    spelled = Spelled(3, letters)
    for char in other:
        spelled.step(char)
    assert spelled.end is None  # the last letter may still get a mark
    spelled.close()
    assert spelled.end == 3 + len(other)


def test_another_text_is_no_spelling() -> None:
    spelled = Spelled(0, "abc")
    for char in "ab d":
        spelled.step(char)
    spelled.close()
    assert not spelled.alive


def test_a_restart_is_certain_after_forty_characters_and_complete_at_the_end() -> None:
    restart = Restart(Beginning.of(STORY, Tail.of(STORY)))
    for char in STORY[:40]:
        assert not restart.certain
        restart.step(char, char)
    assert restart.certain
    assert restart.skip(STORY[40:-1])
    assert not restart.skip(STORY[-1:])
    restart.step(STORY[-1], STORY[-1])
    assert restart.complete


def test_there_is_no_restart_of_a_repetition() -> None:
    text = "ha ha ha ha ha ha ha ha"
    assert not Restart(Beginning.of(text, Tail.of(text))).alive


LONG = f"{STORY} with a wooden leg, who had a grey parrot and told it all that he had seen. "


def strayed(text: str, told: str) -> Changed | None:
    """Return the reading of what was told from where it strayed from the text."""
    restart = Restart(Beginning.of(text, Tail.of(text)))
    changed = None
    for char in told:
        restart.step(char, char)
        if not restart.alive and changed is None:
            changed = Changed.of(restart)
        if changed is not None:
            changed.step(char)
    return changed


def test_a_restart_with_another_word_is_certain_later() -> None:
    text = f"{LONG}Nobody believed a word."
    told = text.replace("time", "day", 1)
    changed = strayed(text, told[:118])
    assert changed is not None
    assert changed.alive
    assert not changed.certain
    changed.step(told[118])
    assert changed.certain


def test_two_other_words_are_another_text() -> None:
    changed = strayed(LONG, LONG.replace("time", "long day", 1))
    assert changed is not None
    assert not changed.alive


def test_another_first_word_is_no_restart() -> None:
    assert strayed(LONG, "Twice upon a time, in a small town") is None
