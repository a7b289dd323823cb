"""Times that people write."""

import pytest

from gemproxy.accounts.calendar import Calendar
from gemproxy.ledger.times import Moment, read_moment
from tests.ledger.book import at, zone

BERLIN = Calendar(zone("Europe/Berlin"))


@pytest.mark.parametrize(
    ("words", "start", "end"),
    [
        ("2026-10-25", "2026-10-24T22:00", "2026-10-25T23:00"),
        ("2026-03-29", "2026-03-28T23:00", "2026-03-29T22:00"),
        ("2026-11-28T09:30", "2026-11-28T08:30", "2026-11-28T08:30"),
        ("2026-11-28T09:30Z", "2026-11-28T09:30", "2026-11-28T09:30"),
        ("2026-11-28T09:30:00+05:45", "2026-11-28T03:45", "2026-11-28T03:45"),
        ("1795858200", "2026-11-28T09:30", "2026-11-28T09:30"),
    ],
)
def test_a_time_is_read(words: str, start: str, end: str) -> None:
    assert read_moment(words, BERLIN) == Moment(at(start), at(end))


@pytest.mark.parametrize("words", ["", "today", "2026-13-01", "9" * 30])
def test_what_is_no_time_is_refused(words: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        read_moment(words, BERLIN)
