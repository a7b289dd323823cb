"""Every cut of a text."""

from bench.seams.boundaries import MODELS, measure, report


def test_every_cut_is_joined_once_for_each_model() -> None:
    found = measure(1, ["English prose"], 60)

    assert list(found) == list(MODELS)
    assert found["goes on"].joins == 59
    assert report(found)[-1].startswith("exact: ")
