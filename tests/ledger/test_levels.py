"""Levels: any names have a shape that keeps them apart, and it is the smallest."""

import itertools

import pytest

from gemproxy.ledger.levels import DIMENSIONS, QUARTER_SHAPES, SHAPES, SPREAD_SHAPES, shape_of

NAMES = [names for count in range(5) for names in itertools.combinations(DIMENSIONS, count)]


@pytest.mark.parametrize("names", NAMES, ids="-".join)
def test_any_names_have_the_smallest_shape_that_keeps_them_apart(names: tuple[str, ...]) -> None:
    found = SHAPES[shape_of(names)]

    assert found >= {*names}
    assert all(len(found) <= len(shape) for shape in SHAPES if shape >= {*names})


def test_one_name_has_quarters_and_the_spread_of_the_times() -> None:
    for name in DIMENSIONS:
        assert shape_of([name]) in QUARTER_SHAPES
        assert shape_of([name]) in SPREAD_SHAPES
