"""Days in California: Google counts a day's requests from midnight to midnight Pacific time.

The rules of the time zone decide, whatever the machine's own zone is. A day has 23 or 25 hours when
the clocks change. Pacific time differs from UTC by whole hours, so a day begins with an hour of the
Unix clock, and the day of an hour is computed once.
"""

import datetime as dt
import functools
import zoneinfo

import attrs

_ZONE = zoneinfo.ZoneInfo("America/Los_Angeles")
_SECONDS = 3600


@attrs.frozen
class Day:
    """A day: its date (``2026-11-28``), and its end in seconds of the Unix clock."""

    name: str
    end: float


def day_of(now: float) -> Day:
    """Return the Pacific day of a time in seconds of the Unix clock."""
    return _day_of_hour(int(now // _SECONDS))


@functools.lru_cache(maxsize=64)
def _day_of_hour(hour: int) -> Day:
    date = dt.datetime.fromtimestamp(hour * _SECONDS, _ZONE).date()
    tomorrow = date + dt.timedelta(days=1)
    midnight = dt.datetime.combine(tomorrow, dt.time(), _ZONE)
    return Day(date.isoformat(), midnight.timestamp())
