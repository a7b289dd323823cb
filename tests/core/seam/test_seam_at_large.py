"""The seam on samples of many texts; ``python -m bench.seams`` measures the whole."""

import random

import pytest

from bench.seams import boundaries, joins, plain, retellings, spellings
from bench.seams.beginnings import Beginning, load
from bench.seams.joining import join

UNDECIDED = {"whole text, one figure changed", "told shorter, anchor reached"}
"""The beginnings of real models that are not joined: a table and a text with a clause left out."""

UNKNOWABLE = {"a line break behind, in mid-word", "a space behind, in mid-word"}
"""The spellings of an echo that nothing tells from an echo at the end of a word."""

SPOKEN = {"polite openings"}
"""Families of texts with lines that say nothing but that the answer goes on."""


@pytest.fixture(scope="module")
def by_manner() -> joins.Tallies:
    tallies, _ = joins.measure(f"sample:{number}" for number in range(1000))
    return tallies


def test_random_joins_lose_nothing(by_manner: joins.Tallies) -> None:
    decidable = [tally for name, tally in by_manner.items() if name in joins.MANNERS]
    assert sum(tally.verdicts["lost"] for tally in decidable) == 0
    assert by_manner["goes on"].verdicts.keys() == {"exact"}
    assert by_manner["echo"].verdicts.keys() == {"exact"}


def test_text_that_goes_on_is_hardly_held(by_manner: joins.Tallies) -> None:
    assert by_manner["goes on"].percentile(50) <= 20
    assert by_manner["goes on"].percentile(99) <= 200


@pytest.mark.parametrize(
    "name", sorted({spelling.name for spelling in spellings.SPELLINGS} - UNKNOWABLE)
)
def test_a_spelling_of_an_echo_is_recognised(name: str) -> None:
    spelling = next(found for found in spellings.SPELLINGS if found.name == name)
    rng = random.Random(f"sample:{name}")

    assert all(spellings.is_exact(spelling, rng) for _ in range(5))


@pytest.mark.parametrize("spelling", spellings.SPELLINGS, ids=lambda spelling: spelling.name)
def test_the_pieces_in_which_a_spelling_comes_do_not_matter(spelling: spellings.Spelling) -> None:
    broken, attempt = spelling.variant(random.Random(f"pieces:{spelling.name}"))
    sizes = (1, 2, 3, 7, len(attempt))

    found = {join(broken.delivered, attempt, broken.anchor, size).text for size in sizes}

    assert len(found) == 1


@pytest.mark.parametrize("name", sorted(plain.FAMILIES))
def test_nothing_is_dropped_where_nothing_is_repeated(name: str) -> None:
    found = plain.measure(10, 2, {name: plain.FAMILIES[name]})

    assert found.lost.total() == 0
    assert not found.refused or name in SPOKEN


@pytest.mark.parametrize("kind", ["English prose", "Chinese prose", "Markdown table", "Python"])
def test_every_cut_of_a_text_is_exact_for_a_model_that_goes_on_or_echoes(kind: str) -> None:
    found = boundaries.measure(2, [kind], 200)

    assert found["goes on"].verdicts.keys() == {"exact"}
    assert found["echo"].verdicts.keys() == {"exact"}
    assert sum(tally.verdicts["lost"] for tally in found.values()) == 0


def test_no_answer_told_again_without_a_sentence_or_with_one_moved_is_joined() -> None:
    found = retellings.measure(600, 2, retellings.LARGE)

    assert sum(counter["joined"] for counter in found.values()) == 0


@pytest.mark.parametrize(
    "beginning",
    [found for found in load() if found.name not in UNDECIDED],
    ids=lambda found: found.name,
)
def test_a_beginning_of_a_real_model_is_joined_rightly(beginning: Beginning) -> None:
    assert beginning.is_right()
