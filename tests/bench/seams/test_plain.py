"""Texts with nothing to drop."""

import random

import pytest

from bench.seams.joining import anchor_of
from bench.seams.joins import squeezed
from bench.seams.plain import FAMILIES, draw, measure, report


@pytest.mark.parametrize("name", FAMILIES)
def test_no_text_goes_on_with_its_whole_anchor(name: str) -> None:
    for seed in range(10):
        delivered, rest = draw(FAMILIES[name], random.Random(seed))

        asked = squeezed(anchor_of(delivered) or delivered)
        assert delivered.strip()
        assert not squeezed(rest).startswith(asked)


def test_a_family_without_such_a_text_says_so() -> None:
    with pytest.raises(LookupError):
        draw(lambda _: None, random.Random(1))


def test_every_family_is_in_the_table() -> None:
    lines = report(measure(len(FAMILIES), 1))

    assert len(lines) == len(FAMILIES) + 2
    assert lines[-1].startswith("all")
