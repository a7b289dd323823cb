"""The window of a minute, and what an upstream counts that is not where we are."""

from hypothesis import given
from hypothesis import strategies as st

from gemproxy.pool.window import LENGTH, Slot, Window

NOW = 1_783_713_600.0


def test_a_slot_is_held_until_a_minute_after_the_head_of_the_answer() -> None:
    window = Window(1, 0)
    slot = window.take(0)

    assert window.free_at(0, NOW + 300) == NOW + 300 + LENGTH
    window.timed(slot, NOW + 300)
    assert window.free_at(0, NOW + 330) == NOW + 300 + LENGTH
    assert window.free_at(0, NOW + 360) == NOW + 360


def test_tokens_are_corrected_when_the_answer_says_them() -> None:
    window = Window(0, 100)
    slot = window.take(90)
    window.timed(slot, NOW)

    assert window.free_at(20, NOW + 1) == NOW + LENGTH
    window.correct(slot, 50, NOW + 1)
    assert window.free_at(50, NOW + 1) == NOW + 1
    assert window.free_at(51, NOW + 1) == NOW + LENGTH


def test_a_correction_after_the_minute_changes_nothing() -> None:
    window = Window(0, 100)
    slot = window.take(90)
    window.timed(slot, NOW)
    window.correct(slot, 500, NOW + LENGTH)

    assert window.free_at(100, NOW + LENGTH) == NOW + LENGTH


def test_more_tokens_than_the_limit_have_room_in_an_empty_window() -> None:
    window = Window(0, 100)

    assert window.free_at(5000, NOW) == NOW
    window.timed(window.take(5000), NOW)
    assert window.free_at(1, NOW) == NOW + LENGTH


def test_both_limits_count() -> None:
    window = Window(2, 100)
    window.timed(window.take(10), NOW)
    window.timed(window.take(90), NOW + 10)

    assert window.free_at(0, NOW + 20) == NOW + LENGTH
    assert window.free_at(50, NOW + 20) == NOW + 10 + LENGTH


requests = st.tuples(st.floats(0, 50), st.floats(0, 90), st.floats(0, 1))


@given(st.integers(1, 4), st.lists(requests, max_size=40))
def test_no_upstream_sees_more_in_any_minute(
    limit: int, calls: list[tuple[float, float, float]]
) -> None:
    """A call: the pause before it, how long its answer takes, when it is counted in that time."""
    window, now = Window(limit, 0), NOW
    counted: list[float] = []
    flying: list[tuple[float, Slot]] = []
    for pause, takes, share in calls:
        now += pause
        for done, slot in sorted(flying, key=lambda flight: flight[0]):
            if done <= now:
                window.timed(slot, done)
                flying.remove((done, slot))
        if window.free_at(0, now) <= now:
            flying.append((now + takes, window.take(0)))
            counted.append(now + takes * share)

    counted.sort()
    assert all(
        later - earlier >= LENGTH - 1e-6
        for earlier, later in zip(counted, counted[limit:], strict=False)
    )
