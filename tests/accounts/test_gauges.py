"""Limits with their counters: what is taken, and when there is room."""

import pytest

from gemproxy.accounts.calendar import Calendar
from gemproxy.accounts.gauges import HELD_SECONDS, PER_ADDRESS, Gauge, State
from gemproxy.accounts.hold import Asked
from gemproxy.accounts.state import Kept, Place, Tally
from gemproxy.accounts.user import Kind, Limit, User

NOON = 1_795_867_200.0
CALENDAR = Calendar()
USER = User("123456789012", "ann")


def asked(tokens: int = 0, nano_usd: int | None = 0) -> Asked:
    return Asked(1, USER, "gemini-x", "", tokens, nano_usd)


def full(spent: int, held: int, asks: int = 1, room: float | None = NOON + 30) -> State:
    return State(Limit(Kind.RPM, 10), spent, held, asks, room, room, room)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in PER_ADDRESS])
def test_each_kind_counts_what_it_is_about(kind: Kind) -> None:
    tally = Tally(CALENDAR.day(NOON))
    gauge = Gauge.of(Limit(kind, 10), tally)
    place = Place.take(tally, 4, 4, NOON)
    if kind is not Kind.CONCURRENCY:
        place.release(4, 4)
        place.add(3, 3, NOON)

    state = gauge.state(asked(5, 5), NOON)

    counts = kind in {Kind.RPM, Kind.RPD, Kind.CONCURRENCY}
    assert state.spent + state.held == (1 if counts else 3)
    assert state.asked == (1 if counts else 5)
    assert gauge.fits(asked(7, 7), NOON)
    assert gauge.fits(asked(8, 8), NOON) is counts


def test_a_request_without_a_price_asks_no_money() -> None:
    gauge = Gauge.of(Limit(Kind.USD_PER_DAY, 10), Tally(CALENDAR.day(NOON)))

    assert gauge.state(asked(0, None), NOON).asked == 0


def test_the_wait_is_short_where_only_holds_are_in_the_way() -> None:
    state = full(spent=3, held=7)

    assert state.behind_holds
    assert state.wait(NOON) == HELD_SECONDS


def test_the_wait_is_until_there_is_room_where_it_is_spent() -> None:
    assert full(spent=10, held=0).wait(NOON) == 30
    assert full(spent=10, held=0).wait(NOON + 29.9) == 1


def test_no_wait_helps_a_request_that_asks_for_more_than_the_limit() -> None:
    assert full(spent=0, held=0, asks=11).wait(NOON) is None
    assert full(spent=0, held=0, asks=10).never is False


def test_a_limit_that_time_does_not_change_has_a_wait_of_a_second() -> None:
    assert full(spent=0, held=10, room=None).wait(NOON) == 1


def test_what_remains_is_never_negative() -> None:
    assert [full(20, 0).remaining, full(4, 5).remaining] == [0, 1]


def test_a_hold_of_yesterday_does_not_grow_in_the_limits_of_today() -> None:
    day = CALENDAR.day(NOON)
    tally = Tally(day)
    kept = Kept((Place.take(tally, 1, 1, NOON),), 1, 1)
    daily = Gauge.of(Limit(Kind.TOKENS_PER_DAY, 9), tally)
    monthly = Gauge.of(Limit(Kind.USD_PER_MONTH, 9), tally)
    minute = Gauge.of(Limit(Kind.TPM, 9), tally)
    requests = Gauge.of(Limit(Kind.RPD, 9), tally)
    gauges = (daily, monthly, minute, requests)

    before = [gauge.grows(kept) for gauge in gauges]
    tally.turn(CALENDAR.day(day.end))
    after = [gauge.grows(kept) for gauge in gauges]

    assert before == [True, True, True, False]
    assert after == [False, True, True, False]
