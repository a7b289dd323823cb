"""Attempts made from the rest of a text, and what is counted of their joins."""

import random

import pytest

from bench.seams.joining import Joined, anchor_of
from bench.seams.joins import (
    MANNERS,
    Case,
    Made,
    Tally,
    draw,
    is_undecidable,
    measure,
    report,
    run,
    verdict,
)

TOLD = (
    "The keeper of the lighthouse had one rule: the lamp is never left alone, not for an hour. "
    "Nobody knew why, and nobody had asked him since the winter in which the copper"
)
REST = " was stolen from the roof. He measured the oil twice a day."
CASE = Case("English prose", TOLD, REST, anchor_of(TOLD))


def test_a_text_is_cut_inside() -> None:
    cases = [draw(random.Random(seed)) for seed in range(50)]

    assert all(case.delivered and case.rest for case in cases)
    assert len({case.kind for case in cases}) > 10


@pytest.mark.parametrize("name", MANNERS)
def test_an_attempt_says_what_is_missing_and_its_join_is_known(name: str) -> None:
    places = {"goes on, its blank again": -6, "only a line about going on": -3}
    cut = len(TOLD) + places.get(name, 0)
    text = TOLD + REST
    case = Case("English prose", text[:cut], text[cut:], anchor_of(text[:cut]))

    made = MANNERS[name](case, random.Random(3))

    assert made is not None
    if name in {"another answer", "only a line about going on"}:
        assert made.right is None
    else:
        assert made.right == text
        assert made.attempt.endswith(case.rest)


def test_a_text_without_an_anchor_has_no_echo() -> None:
    short = Case("English prose", "The", " keeper", None)
    without = {"goes on", "begins again"}

    made = {name: manner(short, random.Random(1)) for name, manner in MANNERS.items()}

    assert {name for name, attempt in made.items() if attempt is not None} <= without


@pytest.mark.parametrize(
    ("right", "text", "drop", "found"),
    [
        ("ab", "ab", 0, "exact"),
        ("ab", "a", 1, "lost"),
        ("ab", "aab", 0, "doubled"),
        ("ab", None, 0, "loud"),
        (None, None, 0, "exact"),
        (None, "abab", 0, "doubled"),
        (None, "abc", 2, "lost"),
    ],
)
def test_a_join_has_a_verdict(right: str | None, text: str | None, drop: int, found: str) -> None:
    assert verdict(Made("", right), Joined(text, "", drop, 0)) == found


def test_text_that_goes_on_with_its_anchor_is_undecidable() -> None:
    again = Case("poem", TOLD, f" {CASE.anchor} again", CASE.anchor)

    assert is_undecidable(again, Made(again.rest, TOLD + again.rest))
    assert not is_undecidable(CASE, Made(REST, TOLD + REST))


def test_a_repetition_of_what_the_text_repeats_anyway_is_undecidable() -> None:
    text = "One thing after another thing. And one thing after another thing"
    case = Case("poem", text, " came.", anchor_of(text))

    assert is_undecidable(case, Made("thing after another thing came.", "", "thing after another"))
    assert not is_undecidable(CASE, Made(TOLD[-30:] + REST, "", TOLD[-30:]))


def test_percentiles_are_of_all_joins() -> None:
    tally = Tally()
    for held in (1, 1, 1, 90):
        tally.count("exact", held)

    assert (tally.joins, tally.percentile(50), tally.percentile(99)) == (4, 1, 90)


def test_processes_do_not_change_the_figures() -> None:
    by_manner, by_kind = run(60, 5, 2)
    seeds = [f"5:{number}" for number in range(60)]

    assert (by_manner, by_kind) == measure(seeds)
    lines = report(by_manner, by_kind)
    assert lines[0].split()[-2:] == ["p50", "p99"]
    assert any(line.startswith("all decidable") for line in lines)
