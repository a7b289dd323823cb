"""Times that people write: ISO 8601, with or without an offset, and Unix seconds."""

import datetime as dt
import math

import attrs

from gemproxy.accounts.calendar import Calendar
from gemproxy.ledger.pieces import SECOND_MS, Span

_DATE_DIGITS = 8
_LONGEST = 40


@attrs.frozen
class Moment:
    """A time in Unix milliseconds; ``end`` is when a date ends, and the same time otherwise."""

    at: int
    end: int


def read_moment(words: str, calendar: Calendar) -> Moment:
    """Return the time that words mean; without an offset it is of the calendar's zone.

    A date is its beginning. Raises ValueError and OverflowError.
    """
    text = words.strip()[:_LONGEST]
    if text.isascii() and text.isdecimal() and len(text) > _DATE_DIGITS:
        at = int(text) * SECOND_MS
        dt.datetime.fromtimestamp(int(text), dt.UTC)  # refuses what is no time
        return Moment(at, at)
    try:
        date = dt.date.fromisoformat(text)
    except ValueError:
        moment = dt.datetime.fromisoformat(text)
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=calendar.zone)
        at = _milliseconds(aware)
        return Moment(at, at)
    if date == dt.date.max:
        return Moment(_midnight(date, calendar), Span().end)
    return Moment(_midnight(date, calendar), _midnight(date + dt.timedelta(days=1), calendar))


def _midnight(date: dt.date, calendar: Calendar) -> int:
    return _milliseconds(dt.datetime.combine(date, dt.time(), calendar.zone))


def _milliseconds(moment: dt.datetime) -> int:
    return max(0, math.ceil(moment.timestamp() * SECOND_MS))
