"""The fixed set of cuts."""

from collections import Counter

from bench.seams.real.conversations import AHEAD, PLACES, load


def test_each_case_is_cut_at_its_place_with_enough_on_both_sides() -> None:
    cases = load()

    assert len({case.name for case in cases}) == len(cases) >= 40
    for case in cases:
        text = case.delivered + case.ahead
        boundary = PLACES[case.place].search(text, len(case.delivered))
        assert boundary is not None
        assert boundary.start() == len(case.delivered) > 0
        assert len(case.ahead) >= AHEAD


def test_half_of_the_streams_end_with_a_reset() -> None:
    endings = Counter(case.reset for case in load())

    assert abs(endings[True] - endings[False]) <= 1
