"""Buckets: a percentile is as near to the true one as the module says, and adds up."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.ledger.buckets import BUCKETS, ENDS, LARGEST_ERROR, bucket_of, percentile

TIMES = st.lists(st.integers(1, ENDS[-1]), min_size=1, max_size=200)


def counted(times: list[int]) -> list[int]:
    counts = [0] * BUCKETS
    for time in times:
        counts[bucket_of(time)] += 1
    return counts


@given(times=TIMES, share=st.sampled_from([0.01, 0.5, 0.95, 0.99, 1.0]))
def test_a_percentile_is_near_the_true_one(times: list[int], share: float) -> None:
    true = sorted(times)[max(1, math.ceil(share * len(times))) - 1]
    found = percentile(counted(times), share)

    assert found is not None
    assert abs(found - true) <= LARGEST_ERROR * true


@given(times=TIMES, more=TIMES)
def test_counts_add_up(times: list[int], more: list[int]) -> None:
    both = [a + b for a, b in zip(counted(times), counted(more), strict=True)]

    assert both == counted(times + more)


@pytest.mark.parametrize(
    ("time", "bucket"), [(0, 0), (1, 0), (2, 1), (8, 6), (9, 7), (ENDS[-1], 51), (10**9, 52)]
)
def test_an_end_is_in_its_bucket(time: int, bucket: int) -> None:
    assert bucket_of(time) == bucket < BUCKETS


def test_what_is_beyond_the_last_end_is_that_end() -> None:
    assert percentile(counted([10**9]), 0.5) == ENDS[-1]


def test_no_times_have_no_percentile() -> None:
    assert percentile([0] * BUCKETS, 0.5) is None
    assert percentile([], 0.5) is None
