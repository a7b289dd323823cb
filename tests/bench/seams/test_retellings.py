"""Answers told again with a change."""

import random

import pytest

from bench.seams.joining import Joined
from bench.seams.retellings import KEPT, LARGE, SMALL, draw, measure, outcome, report


@pytest.mark.parametrize("name", [*LARGE, *SMALL])
def test_a_retelling_begins_alike_differs_and_comes_through_the_anchor(name: str) -> None:
    for seed in range(10):
        retold = draw({**LARGE, **SMALL}[name], random.Random(seed))

        assert retold.attempt[:KEPT] == retold.delivered[:KEPT]
        assert not retold.attempt.startswith(retold.delivered)
        assert retold.delivered.endswith(retold.anchor)
        assert retold.attempt.endswith(retold.anchor + retold.rest)


@pytest.mark.parametrize(
    ("text", "drop", "found"), [(None, 0, "refused"), ("ab", 3, "joined"), ("ab", 0, "shown")]
)
def test_a_retelling_has_an_outcome(text: str | None, drop: int, found: str) -> None:
    assert outcome(Joined(text, "", drop, 0)) == found


def test_every_change_is_in_the_table() -> None:
    found = measure(8, 1, LARGE)

    assert [counter.total() for counter in found.values()] == [2, 2, 2, 2]
    assert len(report(found)) == 5
