"""Requests per client address: what ``limits`` counts in a storage of ours."""

import threading

import pytest

from gemproxy.accounts.calendar import Calendar
from gemproxy.accounts.user import Kind, Limit
from gemproxy.accounts.visits import Memory, Rate, Visits

NOON = 1_795_867_200.0
DAY = Calendar().day(NOON)
MINUTE = Rate(Limit(Kind.PER_IP_RPM, 2), "ann")
DAILY = Rate(Limit(Kind.PER_IP_RPD, 2), "ann")


def count(visits: Visits, rate: Rate, address: str, now: float) -> int:
    """Return how many requests of an address come in."""
    day, admitted = Calendar().day(now), 0
    while visits.fits(rate, address, day, now):
        visits.count(rate, address, day, now)
        admitted += 1
    return admitted


@pytest.mark.parametrize("rate", [MINUTE, DAILY])
def test_each_address_has_its_own_count(rate: Rate) -> None:
    visits = Visits.of()

    assert count(visits, rate, "192.0.2.1", NOON) == 2
    assert count(visits, rate, "192.0.2.2", NOON) == 2
    assert count(visits, rate, "::ffff:192.0.2.2", NOON) == 0


def test_a_network_of_one_ipv6_subscriber_is_one_address() -> None:
    visits = Visits.of()

    assert count(visits, MINUTE, "2001:db8::1", NOON) == 2
    assert count(visits, MINUTE, "2001:db8::ffff:1", NOON) == 0
    assert count(visits, MINUTE, "2001:db8:0:1::1", NOON) == 2


def test_a_minute_slides_and_a_day_ends_at_midnight() -> None:
    visits = Visits.of()
    count(visits, MINUTE, "192.0.2.1", NOON)
    count(visits, DAILY, "192.0.2.1", NOON)

    assert count(visits, MINUTE, "192.0.2.1", NOON + 59.9) == 0
    assert count(visits, MINUTE, "192.0.2.1", NOON + 60) == 2
    assert count(visits, DAILY, "192.0.2.1", DAY.end - 0.1) == 0
    assert count(visits, DAILY, "192.0.2.1", DAY.end) == 2


def test_a_request_that_is_refused_counts_nothing() -> None:
    visits = Visits.of()
    count(visits, DAILY, "192.0.2.1", NOON)
    for _ in range(5):
        visits.fits(DAILY, "192.0.2.1", DAY, NOON)

    assert visits.state(DAILY, "192.0.2.1", DAY, NOON).spent == 2


def test_users_and_shadow_limits_have_counts_of_their_own() -> None:
    visits = Visits.of()
    count(visits, DAILY, "192.0.2.1", NOON)

    assert count(visits, Rate(Limit(Kind.PER_IP_RPD, 3), "bob"), "192.0.2.1", NOON) == 3
    shadow = Rate(Limit(Kind.PER_IP_RPD, 1, shadow=True), "ann")
    assert count(visits, shadow, "192.0.2.1", NOON) == 1


def test_a_limit_that_changes_keeps_its_count() -> None:
    visits = Visits.of()
    count(visits, MINUTE, "192.0.2.1", NOON)
    count(visits, DAILY, "192.0.2.1", NOON)

    assert count(visits, Rate(Limit(Kind.PER_IP_RPM, 5), "ann"), "192.0.2.1", NOON) == 3
    assert count(visits, Rate(Limit(Kind.PER_IP_RPD, 5), "ann"), "192.0.2.1", NOON) == 3


def test_the_state_says_when_there_is_room() -> None:
    visits = Visits.of()
    visits.count(MINUTE, "192.0.2.1", DAY, NOON)
    visits.count(MINUTE, "192.0.2.1", DAY, NOON + 10)
    visits.count(DAILY, "192.0.2.1", DAY, NOON)

    minute = visits.state(MINUTE, "192.0.2.1", DAY, NOON + 20)
    daily = visits.state(DAILY, "192.0.2.1", DAY, NOON + 20)

    assert (minute.spent, minute.remaining, minute.wait(NOON + 20)) == (2, 0, 40)
    assert (daily.spent, daily.remaining, daily.room) == (1, 1, DAY.end)


def test_addresses_without_end_do_not_fill_the_memory() -> None:
    memory = Memory(most=100)
    for number in range(1000):
        memory.now = NOON + number * 0.01
        memory.incr(f"day {number}", 86_400)
        memory.acquire_entry(f"minute {number}", 5, 60)

    assert memory.reset() == 200


def test_addresses_that_have_expired_are_forgotten() -> None:
    memory = Memory()
    for number in range(50):
        memory.now = NOON
        memory.incr(f"day {number}", 100)
        memory.acquire_entry(f"minute {number}", 5, 60)
    for _ in range(50):
        memory.now = NOON + 100
        memory.incr("day", 100)
        memory.acquire_entry("minute", 100, 60)

    assert memory.reset() == 2


def test_no_thread_is_started() -> None:
    before = threading.active_count()
    visits = Visits.of()
    count(visits, MINUTE, "192.0.2.1", NOON)

    assert threading.active_count() == before
