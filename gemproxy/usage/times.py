"""Times on the command line: ISO 8601, a date or a date with a time, with or without an offset."""

from gemproxy.accounts.calendar import Calendar
from gemproxy.config.arguments import Misused
from gemproxy.ledger.pieces import Span
from gemproxy.ledger.times import read_moment


def span_of(since: str | None, until: str | None, calendar: Calendar) -> Span:
    """Return the span from ``since``, inclusive, up to ``until``, exclusive. Raises Misused.

    A date is its beginning; without an offset both are of the calendar's zone.
    """
    always = Span()
    span = Span(
        always.start if since is None else _milliseconds("--since", since, calendar),
        always.end if until is None else _milliseconds("--until", until, calendar),
    )
    if span.start > span.end:
        raise Misused("--since is later than --until")
    return span


def _milliseconds(flag: str, words: str, calendar: Calendar) -> int:
    try:
        return read_moment(words, calendar).at
    except (ValueError, OverflowError):
        raise Misused(
            f"{flag} is no time: give a date (2026-11-28) or a date and a time "
            "(2026-11-28T09:30, 2026-11-28T09:30:00+01:00, 2026-11-28T08:30:00Z)"
        ) from None
