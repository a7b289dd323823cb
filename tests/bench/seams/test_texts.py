"""Texts that are the same for the same seed, of a fair length."""

import random

import pytest

from bench.seams.texts import KINDS, words
from bench.seams.vocabulary import ENGLISH


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_makes_the_same_text_again_and_another_seed_another(kind: str) -> None:
    write = KINDS[kind]

    assert write(random.Random("a")) == write(random.Random("a"))
    assert write(random.Random("a")) != write(random.Random("b"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_is_long_enough_to_be_cut(kind: str) -> None:
    assert all(200 < len(KINDS[kind](random.Random(seed))) < 6000 for seed in range(20))


def test_the_first_words_of_a_vocabulary_are_the_commonest() -> None:
    drawn = words(random.Random(1), ENGLISH, 2000)

    assert drawn.count(ENGLISH[0]) > 5 * drawn.count(ENGLISH[100]) > 0
