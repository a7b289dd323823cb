"""Days and months by the clocks of a zone."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.accounts.calendar import Calendar, Day

ZONES = [
    *("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"),
    *("America/Santiago", "Asia/Kathmandu", "Pacific/Apia", "America/Havana", "Pacific/Kiritimati"),
    *("America/Toronto", "Africa/Casablanca", "America/St_Johns", "Asia/Beirut"),
]


def day(zone: str, at: str) -> Day:
    return Calendar(ZoneInfo(zone)).day(dt.datetime.fromisoformat(at).timestamp())


@pytest.mark.parametrize(
    ("zone", "at", "name", "hours"),
    [
        ("UTC", "2026-11-28T12:00:00Z", "2026-11-28", 24),
        ("UTC", "2026-11-28T00:00:00Z", "2026-11-28", 24),
        ("UTC", "2026-11-27T23:59:59.999Z", "2026-11-27", 24),
        ("Europe/Berlin", "2026-03-29T12:00:00+02:00", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25T02:30:00+02:00", "2026-10-25", 25),
        ("Europe/Berlin", "2026-10-25T02:30:00+01:00", "2026-10-25", 25),
        ("America/New_York", "2026-11-01T01:30:00-05:00", "2026-11-01", 25),
        ("Asia/Kolkata", "2026-11-28T18:29:59Z", "2026-11-28", 24),
        ("Asia/Kolkata", "2026-11-28T18:30:00Z", "2026-11-29", 24),
        ("Australia/Lord_Howe", "2026-10-04T12:00:00+11:00", "2026-10-04", 23.5),
        ("Australia/Lord_Howe", "2026-04-05T12:00:00+10:30", "2026-04-05", 24.5),
        ("America/Santiago", "2026-09-06T01:00:00-03:00", "2026-09-06", 23),
        ("America/Santiago", "2026-04-04T23:30:00-04:00", "2026-04-04", 25),
        ("America/Havana", "2026-11-01T00:30:00-05:00", "2026-11-01", 25),
        ("Pacific/Apia", "2011-12-31T00:00:00+14:00", "2011-12-31", 24),
        ("Pacific/Apia", "2011-12-29T23:59:59-10:00", "2011-12-29", 24),
    ],
)
def test_a_day_runs_from_midnight_to_midnight(zone: str, at: str, name: str, hours: float) -> None:
    found = day(zone, at)

    assert (found.name, found.end - found.start) == (name, hours * 3600)


@pytest.mark.parametrize(
    ("zone", "at", "start", "end"),
    [
        ("UTC", "2026-11-30T23:59:59Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
        ("UTC", "2026-12-31T12:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("UTC", "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
        ("UTC", "2027-01-31T12:00:00Z", "2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z"),
        (
            *("Europe/Berlin", "2026-03-31T23:59:59+02:00"),
            *("2026-03-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00"),
        ),
        (
            *("Asia/Kolkata", "2026-11-30T18:30:00Z"),
            *("2026-12-01T00:00:00+05:30", "2027-01-01T00:00:00+05:30"),
        ),
    ],
)
def test_a_month_ends_with_its_last_day(zone: str, at: str, start: str, end: str) -> None:
    month = day(zone, at).month

    assert month.start == dt.datetime.fromisoformat(start).timestamp()
    assert month.end == dt.datetime.fromisoformat(end).timestamp()


@given(zone=st.sampled_from(ZONES), at=st.floats(0, 4e9))
def test_every_instant_is_in_one_day_and_one_month(zone: str, at: float) -> None:
    calendar = Calendar(ZoneInfo(zone))
    found = calendar.day(at)

    assert found.start <= at < found.end
    assert found.month.start <= found.start < found.end <= found.month.end
    assert calendar.day(found.start).name == found.name
    assert calendar.day(found.end).start == found.end
    assert 0 < found.end - found.start <= 49 * 3600


def test_within_a_day_and_a_month_the_objects_stay_the_same() -> None:
    calendar = Calendar()
    first = calendar.day(1_795_900_000)
    same, following = calendar.day(1_795_900_100), calendar.day(first.end)

    assert same is first
    assert following is not first
    assert following.month is first.month


def test_a_time_is_written_in_the_zone() -> None:
    assert Calendar(ZoneInfo("Asia/Kolkata")).clock(0) == "1970-01-01T05:30:00+05:30"
