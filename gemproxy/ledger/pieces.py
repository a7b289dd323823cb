"""Cuts a span of time into pieces, each of which is read where its sums are.

Below the watermark ``folded`` sums come from roll-ups, of whole days where there are any, else of
hours. Above it they come from rows, and so do hours that got a row after they were folded. A span
that begins or ends within an hour takes that part from rows. Where rows were pruned, the part
counts with the hour that it is in: an hour belongs to the span in which it begins. So spans that
meet have no request in common and lose none.

In a zone whose offset is no whole number of hours, hours are kept in parts of 30 or 15 minutes, so
its days have exact sums, too.
"""

import datetime as dt
import enum
import math
from collections.abc import Iterator

import attrs

from gemproxy.accounts.calendar import Calendar

HOUR = 3600
SECOND_MS = 1000


class Source(enum.Enum):
    """Where the sums of a piece are."""

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

    Hours before ``folded`` and days before ``days`` have roll-ups, made for the clock of ``zone``.
    Rows from ``pruned`` on are all there. ``refolds`` are hours between the two that must be
    summed again, in order.
    """

    folded: int = 0
    days: int = 0
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


def cut(span: Span, state: State, calendar: Calendar, *, days: bool = True) -> list[Piece]:
    """Return the pieces of a span, which have no time in common; ``days``: whole days may be."""
    folded = state.folded * SECOND_MS
    pieces: list[Piece] = []
    low, high = span.start, min(span.end, folded)
    if low < high:
        low, high, pieces = _without_parts(low, high, state, calendar)
    for start, end, stale in _stretches(low, high, state):
        if stale:
            pieces.append(Piece(Source.ROWS, start, end))
        else:
            pieces += _folded(start, end, state, calendar) if days else [_hours(start, end)]
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
    for hour in state.refolds:
        start, end = hour * SECOND_MS, (hour + HOUR) * SECOND_MS
        if end <= low or start >= high:
            continue
        if low < start:
            yield low, start, False
        yield max(low, start), min(high, end), True
        low = min(high, end)
    if low < high:
        yield low, high, False


def _hours(start: int, end: int) -> Piece:
    return Piece(Source.HOURS, start, end)


def _folded(start: int, end: int, state: State, calendar: Calendar) -> list[Piece]:
    """Return the pieces of a stretch that has roll-ups: its whole days, and the hours around."""
    known = min(end, state.days * SECOND_MS) if str(calendar.zone) == state.zone else start
    if known <= start:
        return [_hours(start, end)]
    first, last = calendar.day(start / SECOND_MS), calendar.day(known / SECOND_MS)
    low = int(first.start if first.start * SECOND_MS == start else first.end) * SECOND_MS
    high = int(last.start) * SECOND_MS
    if low >= high:
        return [_hours(start, end)]
    pieces = [Piece(Source.DAYS, low, high)]
    if start < low:
        pieces.insert(0, _hours(start, low))
    if high < end:
        pieces.append(_hours(high, end))
    return pieces
