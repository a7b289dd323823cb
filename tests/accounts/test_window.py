"""The window of a minute: exact, and cheap with many entries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.accounts.window import LENGTH, Window

STEPS = st.lists(st.tuples(st.sampled_from([0.0, 0.5, 7.0, 59.5, 60.0]), st.integers(0, 50)))


def test_an_amount_is_gone_a_minute_after_it_was_added() -> None:
    window = Window()
    window.add(3, 100.0)

    assert [window.total(at) for at in (100.0, 159.999, 160.0)] == [3, 3, 0]


@given(STEPS)
def test_the_total_is_the_sum_of_the_last_minute(steps: list[tuple[float, int]]) -> None:
    window, now, added = Window(), 1000.0, list[tuple[float, int]]()
    for seconds, amount in steps:
        now += seconds
        window.add(amount, now)
        added.append((now, amount))

        assert window.total(now) == sum(amount for at, amount in added if now < at + LENGTH)


@given(STEPS, st.integers(1, 200))
def test_it_says_when_an_amount_has_left(steps: list[tuple[float, int]], amount: int) -> None:
    window, now, added = Window(), 1000.0, list[tuple[float, int]]()
    for seconds, step in steps:
        now += seconds
        window.add(step, now)
        added.append((now, step))
    most = max(0, window.total(now) - amount)

    at = window.less(amount, now)

    assert sum(step for begun, step in added if at < begun + LENGTH) <= most
    if now < at and window.total(now):
        assert sum(step for begun, step in added if at - 0.25 < begun + LENGTH) > most


@pytest.mark.parametrize("amount", [0, -5])
def test_nothing_has_to_leave_for_nothing(amount: int) -> None:
    window = Window()
    window.add(3, 100.0)

    assert window.less(amount, 101.0) == 101.0


def test_it_is_empty_when_the_last_amount_has_left() -> None:
    window = Window()
    assert window.emptied(5.0) == 5.0
    window.add(3, 100.0)
    window.add(3, 130.0)

    assert window.emptied(131.0) == 190.0


def test_a_clock_that_is_set_back_keeps_nothing_longer_than_a_minute() -> None:
    window = Window()
    window.add(1, 50.0)
    window.add(2, 70.0)
    window.add(4, 80.0)

    assert [window.total(at) for at in (20.0, 79.9, 80.0)] == [7, 7, 0]


def test_entries_that_are_gone_take_no_memory() -> None:
    window = Window()
    for number in range(100_000):
        window.add(1, number * 0.5)

    assert window.total(49_999.5) == 120
    assert len(window._leaving) < 1000
