"""Counters and histograms in plain dictionaries."""

from gemproxy.metrics import families
from gemproxy.metrics.counts import Counts, Histogram


def test_a_value_counts_in_the_bucket_whose_end_it_does_not_pass() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 3.0):
        histogram.observe(("a",), value)
    cell = histogram.cells["a",]

    assert cell.counts == [2, 2, 1]
    assert cell.sum == 8.0
    assert cell.exemplars == {}


def test_the_latest_request_of_a_bucket_is_its_exemplar() -> None:
    histogram = Histogram((1.0, 2.0))
    histogram.observe_with((), 0.5, "first", 10.0)
    histogram.observe_with((), 0.6, "second", 11.0)
    histogram.observe_with((), 5.0, "slow", 12.0)

    assert histogram.cell(()).exemplars == {0: ("second", 0.6, 11.0), 2: ("slow", 5.0, 12.0)}


def test_histograms_share_nothing() -> None:
    histogram = Histogram((1.0,))
    histogram.observe_with(("a",), 0.5, "id", 1.0)

    assert histogram.cell(("b",)).exemplars == {}
    assert histogram.cell(("b",)).counts == [0, 0]


def test_there_is_a_place_for_every_family_that_is_counted() -> None:
    counts = Counts()

    assert {*counts.counters, *counts.histograms} == set(families.COUNTED)
