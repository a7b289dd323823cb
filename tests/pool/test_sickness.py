"""The book of sick keys."""

from gemproxy.pool.sickness import FIRST_PAUSE, LONGEST_PAUSE, Sicknesses
from gemproxy.pool.state import Sickness, Why

NOW = 1_783_713_600.0


def test_the_pause_before_a_check_doubles_up_to_a_bound() -> None:
    book, now, pauses = Sicknesses(), NOW, []
    for _ in range(12):
        sickness = book.fell("k", Why.INVALID, now)
        pauses.append(sickness.again_at - now)
        now = sickness.again_at

    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE


def test_a_key_that_passed_a_check_is_well_but_its_count_goes_on() -> None:
    book = Sicknesses()

    passed = book.passed(book.fell("k", Why.BILLING, NOW), NOW + 60)

    assert passed.why is None
    assert not book.is_sick("k")
    assert book.fell("k", Why.BILLING, NOW + 61).again_at == NOW + 61 + 2 * FIRST_PAUSE


def test_an_end_forgets_the_count() -> None:
    book = Sicknesses()
    book.fell("k", Why.INVALID, NOW)

    assert book.end("k", NOW + 1) == Sickness("k", None, NOW + 1)
    assert book.get("k") is None


def test_a_check_that_came_to_nothing_is_made_again() -> None:
    book = Sicknesses()

    later = book.put_off(book.fell("k", Why.INVALID, NOW), NOW + 60)

    assert (later.why, later.times, later.again_at) == (Why.INVALID, 1, NOW + 60 + FIRST_PAUSE)


def test_the_later_of_two_changes_counts() -> None:
    book = Sicknesses()
    book.fell("k", Why.INVALID, NOW)

    assert not book.put(Sickness("k", None, NOW))
    assert book.is_sick("k")
    assert book.put(Sickness("k", None, NOW + 1))
    assert list(book.sick()) == []
