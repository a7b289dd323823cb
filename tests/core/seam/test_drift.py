"""A retelling joins where only words were changed, and nowhere else."""

import random

import pytest

from gemproxy.core.seam.anchor import choose_anchor
from gemproxy.core.seam.drift import ANCHOR, Drift
from gemproxy.core.seam.folding import common_length
from gemproxy.core.seam.seam import Diverged, Seam

TEXT = (
    "The night train left the station eleven minutes late, and nobody on the platform seemed to "
    "mind. Clara found her compartment at the end of the corridor, where the lamps were dim and "
    "the windows rattled in their frames. An old man was already asleep in the corner, his hat "
    "pulled down over his eyes. She put her suitcase on the rack and sat down opposite him. "
    "Outside, the lights of the suburbs slid past like a string of yellow beads, and then there "
    "was only darkness. After an hour the man woke up and asked whether they had cros"
)


WORDS = ("the", "old", "man", "and", "his", "dog", "went", "to", "a", "small", "house", "by", "sea")


def joins(text: str, told: str) -> bool:
    """Return whether ``told``, which ends with the anchor, joins ``text``."""
    agreed = common_length(text, told)
    drift = Drift.of(text, agreed, told[agreed : agreed + 1])
    if drift is None:
        return False
    found = [drift.feed(char) for char in told[agreed + 1 :]]
    return any(found) and not any(found[:-1]) and drift.joins()


@pytest.mark.parametrize(
    ("words", "others"),
    [
        ("pulled down over", "pulled over"),
        ("eleven minutes late", "some minutes late"),
        ("the lamps were dim", "the lights were dim"),
        ("and then there", "then there"),
    ],
)
def test_a_retelling_with_other_words_joins(words: str, others: str) -> None:
    assert joins(TEXT, TEXT.replace(words, others))


@pytest.mark.parametrize(
    ("words", "others"),
    [
        ("She put her suitcase on the rack and sat down opposite him. ", ""),
        ("eleven minutes late", "12 minutes late"),
        ("An old man was", "A. An old man was"),
        ("the lamps were dim", "the windows were dim"),
    ],
)
def test_a_retelling_with_another_number_or_sentence_does_not(words: str, others: str) -> None:
    told = TEXT.replace(words, others)
    if others.endswith("windows were dim"):
        told = told.replace("the windows rattled", "the lamps rattled")
    assert not joins(TEXT, told)


@pytest.mark.parametrize(
    "text", ["```\n" + TEXT, "- an item\n" + TEXT, TEXT + " " + TEXT[-ANCHOR:], "Too short."]
)
def test_there_is_none_for_code_lists_repetitions_and_short_texts(text: str) -> None:
    assert Drift.of(text, 3, "x") is None


@pytest.mark.parametrize(
    ("one", "other"),
    [("To its who.", "In more to."), ("Go!", "Stop!"), ("In the sea.", "In at once by.")],
)
def test_a_short_sentence_in_the_place_of_another_is_no_change_of_words(
    one: str, other: str
) -> None:
    begun, rest = TEXT.split("She put", 1)

    assert not joins(f"{begun}{one} She put{rest}", f"{begun}{other} She put{rest}")


def test_one_that_goes_on_too_long_is_given_up() -> None:
    drift = Drift.of(TEXT, 50, "x")
    assert drift is not None
    for _ in range(int(len(TEXT) * 1.25)):
        drift.feed("x")
    assert drift.too_long


def sentences(rng: random.Random, count: int) -> list[str]:
    return [
        " ".join(rng.choices(WORDS, k=rng.randint(3, 12))).capitalize() + "." for _ in range(count)
    ]


def test_no_retelling_joins_in_which_a_sentence_is_missing_doubled_or_elsewhere() -> None:
    rng = random.Random(9)
    for _ in range(400):
        told = sentences(rng, rng.randint(8, 30))
        text = " ".join(told)[:-4]
        at = rng.randrange(len(told) - 4)
        change = rng.choice(["delete", "double", "swap"])
        if change == "delete":
            other = told[:at] + told[at + 1 :]
        elif change == "double":
            other = told[: at + 1] + told[at:]
        else:
            other = [*told[:at], told[at + 2], told[at + 1], told[at], *told[at + 3 :]]
        if other != told and text.count(text[-ANCHOR:]) == 1:
            assert not joins(text, " ".join(other)[:-4])


def test_the_character_at_which_a_retelling_leaves_the_text_counts() -> None:
    delivered = TEXT.replace("rack and sat down", "rack and quietly sat down")
    told = TEXT.replace("She put her", "She quietly put her")
    seam = Seam(delivered, choose_anchor(delivered))

    assert isinstance(seam.feed(told + "sed the border."), Diverged)
