"""The counters of one user: what a hold does to them, and what a new day does."""

import attrs

from gemproxy.accounts.calendar import Calendar
from gemproxy.accounts.state import Kept, Place, Tally
from gemproxy.accounts.window import Window

NOON = 1_795_867_200.0
CALENDAR = Calendar()


def test_a_hold_is_released_and_leaves_what_was_used() -> None:
    tally = Tally(CALENDAR.day(NOON))
    kept = Kept((Place.take(tally, 50, 7, NOON),), 50, 7)
    held = (tally.running, attrs.astuple(tally.today), tally.held_tokens)
    kept.release()
    kept.release()
    kept.places[0].add(30, 5, NOON)

    assert held == (1, (1, 0, 0, 50, 7), 50)
    assert (tally.running, tally.held_tokens) == (0, 0)
    assert attrs.astuple(tally.today) == attrs.astuple(tally.month) == (1, 30, 5, 0, 0)


def test_a_hold_that_grows_is_released_whole() -> None:
    tally = Tally(CALENDAR.day(NOON))
    kept = Kept((Place.take(tally, 50, 7, NOON),), 50, 7)
    kept.grow(80, 9)
    grown = (tally.held_tokens, tally.today.held_tokens, tally.month.held_nano_usd)
    kept.release()

    assert grown == (80, 80, 9)
    assert (tally.held_tokens, tally.month.held_tokens, tally.today.held_nano_usd) == (0, 0, 0)


def test_a_new_day_keeps_the_month_and_no_hold_of_the_day_before() -> None:
    day = CALENDAR.day(NOON)
    tally = Tally(day)
    place = Place.take(tally, 50, 7, NOON)
    tally.turn(CALENDAR.day(day.end))
    turned = attrs.astuple(tally.today), attrs.astuple(tally.month)
    place.release(50, 7)
    place.add(30, 5, day.end)

    assert turned == ((0, 0, 0, 0, 0), (1, 0, 0, 50, 7))
    assert attrs.astuple(tally.today) == (0, 0, 0, 0, 0)
    assert attrs.astuple(tally.month) == (1, 30, 5, 0, 0)


def test_a_tally_is_idle_when_its_month_and_its_minute_are_empty_and_nothing_runs() -> None:
    day = CALENDAR.day(NOON)
    tally = Tally(day)
    place = Place.take(tally, 1, 1, NOON)
    following = CALENDAR.day(day.month.end)
    tally.minute_tokens = Window()
    busy = tally.idle(NOON)
    tally.turn(following)
    running = tally.idle(following.start)
    place.release(1, 1)
    place.add(1, 0, following.start)

    assert (busy, running) == (False, False)
    assert [tally.idle(following.start + after) for after in (59, 60)] == [False, True]
