"""Days and months by the calendar of a time zone.

A day begins at midnight of the zone's own clock. It has 23 or 25 hours where the clocks change, and
begins with the change itself where midnight is skipped. Every instant is in exactly one day and one
month.
"""

import datetime as dt

import attrs


@attrs.frozen(eq=False)
class Period:
    """A span of time: from ``start`` up to, but not including, ``end``, in Unix seconds."""

    start: float
    end: float


@attrs.frozen(eq=False)
class Day:
    """A day, its ``name`` (``2026-11-28``), and the month that it is in."""

    name: str
    start: float
    end: float
    month: Period


@attrs.define(eq=False)
class Calendar:
    """Finds the day of a time; within a day, and within a month, it returns the same objects."""

    zone: dt.tzinfo = dt.UTC
    _day: Day | None = None

    def day(self, now: float) -> Day:
        """Return the day of ``now``, in Unix seconds."""
        day = self._day
        if day is None or not day.start <= now < day.end:
            self._day = day = self._find(now)
        return day

    def clock(self, at: float) -> str:
        """Return a time as people of the zone write it: ``2026-11-29T00:00:00+00:00``."""
        return dt.datetime.fromtimestamp(at, self.zone).isoformat(timespec="seconds")

    def _find(self, now: float) -> Day:
        date = dt.datetime.fromtimestamp(now, self.zone).date()
        # Where the clocks go back over midnight, the date of a moment may be its neighbour's.
        while now < self._midnight(date):
            date -= dt.timedelta(days=1)
        while now >= self._midnight(date + dt.timedelta(days=1)):
            date += dt.timedelta(days=1)
        end = self._midnight(date + dt.timedelta(days=1))
        return Day(date.isoformat(), self._midnight(date), end, self._month(date))

    def _month(self, date: dt.date) -> Period:
        first = date.replace(day=1)
        start = self._midnight(first)
        if self._day is not None and self._day.month.start == start:
            return self._day.month
        following = (first + dt.timedelta(days=31)).replace(day=1)
        return Period(start, self._midnight(following))

    def _midnight(self, date: dt.date) -> float:
        """Return when a day begins.

        A midnight that the clocks skip is read with the offset before the change, so it is the
        change itself; of two midnights the first one counts.
        """
        return dt.datetime.combine(date, dt.time(), self.zone).timestamp()
