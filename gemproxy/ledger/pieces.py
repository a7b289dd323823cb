"""Cuts a span of time into pieces, each of which is read where its sums are.

Below the watermark ``folded`` sums come from roll-ups: of whole months and whole days where there
are any, else of hours. Above it they come from rows, and so do hours that got a row after they were
folded. A span that begins or ends within an hour takes that part from rows. Where rows were pruned,
the part counts with the hour that it is in: an hour belongs to the span in which it begins. So
spans that meet have no request in common and lose none.

In a zone whose offset is no whole number of hours, hours are kept in parts of 30 or 15 minutes, so
its days have exact sums, too. A caller may ask by the clock of another zone: its days come from
hours, and where one of its days begins within an hour, that hour comes from rows.
"""

import datetime as dt
import enum
import math
from collections.abc import Iterator, Sequence

import attrs

from gemproxy.accounts.calendar import Calendar, Day, Period

HOUR = 3600
SECOND_MS = 1000


class Source(enum.Enum):
    """Where the sums of a piece are."""

    MONTHS = "months"
    DAYS = "days"
    HOURS = "hours"
    ROWS = "rows"


@attrs.frozen
class Piece:
    """A part of a span: from ``start`` up to, but not including, ``end``, in milliseconds."""

    source: Source
    start: int
    end: int


@attrs.frozen
class Span:
    """From ``start`` up to, but not including, ``end``, in Unix milliseconds."""

    start: int = 0
    end: int = 1 << 52


@attrs.frozen
class State:
    """How far the roll-ups are, in Unix seconds.

    Hours before ``folded``, days before ``days`` and months before ``months`` have roll-ups, made
    for the clock of ``zone``. Rows from ``pruned`` on are all there. ``refolds`` are hours between
    ``pruned`` and ``folded`` that must be summed again, in order.
    """

    folded: int = 0
    days: int = 0
    months: int = 0
    zone: str = ""
    pruned: int = 0
    refolds: tuple[int, ...] = ()


def slot_seconds(zone: dt.tzinfo, start: int, end: int) -> int:
    """Return how long the slots of the hours between two times are: 3600, 1800 or 900 seconds."""
    slot = HOUR
    for at in (start, end):
        offset = dt.datetime.fromtimestamp(at, zone).utcoffset() or dt.timedelta()
        slot = math.gcd(slot, int(offset.total_seconds()))
    return max(slot, HOUR // 4)


def cut(span: Span, state: State, calendar: Calendar, grouped: Source | None = None) -> list[Piece]:
    """Return the pieces of a span, which have no time in common.

    ``grouped`` says if sums are wanted for each month, day or hour; no piece has larger sums.
    """
    folded = state.folded * SECOND_MS
    pieces: list[Piece] = []
    low, high = span.start, min(span.end, folded)
    if low < high:
        low, high, pieces = _without_parts(low, high, state, calendar)
    for start, end, stale in _stretches(low, high, state):
        if stale:
            pieces.append(Piece(Source.ROWS, start, end))
        else:
            pieces += _folded(start, end, state, calendar, grouped)
    tail = max(span.start, folded)
    if tail < span.end:
        pieces.append(Piece(Source.ROWS, tail, span.end))
    return pieces


def _without_parts(
    low: int, high: int, state: State, calendar: Calendar
) -> tuple[int, int, list[Piece]]:
    """Return a span without the parts of hours at its ends, and these parts."""
    hour, pruned = HOUR * SECOND_MS, state.pruned * SECOND_MS
    parts: list[Piece] = []
    if low >= pruned and not _begins_a_slot(low, state, calendar):
        after = min(high, low + -low % hour)
        parts.append(Piece(Source.ROWS, low, after))
        low = after
    if low < high and high > pruned and not _begins_a_slot(high, state, calendar):
        before = max(low, high - high % hour)
        parts.append(Piece(Source.ROWS, before, high))
        high = before
    return low, high, parts


def _begins_a_slot(at: int, state: State, calendar: Calendar) -> bool:
    if at % (HOUR * SECOND_MS) == 0:
        return True
    if str(calendar.zone) != state.zone:
        return False
    seconds = at // SECOND_MS
    start = seconds - seconds % HOUR
    return at % (slot_seconds(calendar.zone, start, start + HOUR - 1) * SECOND_MS) == 0


def _stretches(low: int, high: int, state: State) -> Iterator[tuple[int, int, bool]]:
    """Yield a span in stretches; the last word says if its rows count, not its roll-ups."""
    for hour in state.refolds if low < high else ():
        start, end = hour * SECOND_MS, (hour + HOUR) * SECOND_MS
        if end <= low or start >= high:
            continue
        if low < start:
            yield low, start, False
        yield max(low, start), min(high, end), True
        low = min(high, end)
    if low < high:
        yield low, high, False


def _folded(
    start: int, end: int, state: State, calendar: Calendar, grouped: Source | None
) -> list[Piece]:
    """Return the pieces of a stretch that has roll-ups."""
    if str(calendar.zone) == state.zone:
        sources = [Source.MONTHS, Source.DAYS, Source.HOURS]
        sources = sources[sources.index(grouped or Source.MONTHS) :]
        return _divided(start, end, state, calendar, sources)
    pieces: list[Piece] = []
    for low, high in _broken(start, end, calendar, grouped) if grouped else ():
        first, last = max(low, start, state.pruned * SECOND_MS), min(high, end)
        if first < last:
            pieces += [Piece(Source.HOURS, start, first), Piece(Source.ROWS, first, last)]
            start = last
    pieces.append(Piece(Source.HOURS, start, end))
    return [piece for piece in pieces if piece.start < piece.end]


def _broken(start: int, end: int, calendar: Calendar, grouped: Source) -> Iterator[tuple[int, int]]:
    """Yield the stretches of whole hours in which a wanted month, day or hour begins within one."""
    hour = HOUR * SECOND_MS
    at = start
    while at < end:
        period = _period(Source.MONTHS if grouped is Source.MONTHS else Source.DAYS, at, calendar)
        first, at = int(period.start) * SECOND_MS, int(period.end) * SECOND_MS
        low = first - first % hour
        if grouped is Source.HOURS and (first % hour or at % hour):
            yield low, at - at % -hour
        elif first % hour:
            yield low, low + hour


def _divided(
    start: int, end: int, state: State, calendar: Calendar, sources: Sequence[Source]
) -> list[Piece]:
    """Return the pieces of a stretch: its whole periods of the first source, and what is around."""
    if start >= end:
        return []
    source, *smaller = sources
    if not smaller:
        return [Piece(source, start, end)]
    known = min(end, (state.days if source is Source.DAYS else state.months) * SECOND_MS)
    if known <= start:
        return _divided(start, end, state, calendar, smaller)
    first, last = _period(source, start, calendar), _period(source, known, calendar)
    low = int(first.start if first.start * SECOND_MS == start else first.end) * SECOND_MS
    high = int(last.start) * SECOND_MS
    if low >= high:
        return _divided(start, end, state, calendar, smaller)
    return [
        *_divided(start, low, state, calendar, smaller),
        Piece(source, low, high),
        *_divided(high, end, state, calendar, smaller),
    ]


def _period(source: Source, at: int, calendar: Calendar) -> Period | Day:
    day = calendar.day(at / SECOND_MS)
    return day if source is Source.DAYS else day.month
