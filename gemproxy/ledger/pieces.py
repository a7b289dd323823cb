"""Cuts a span of time into pieces, each of which is read where its figures are.

Below the watermark ``folded`` figures come from roll-ups: of whole months and whole days where
there are any, else of hours. Above it they come from rows, and so do hours that got a row after
they were folded. A span that begins or ends within an hour takes that part from quarters of hours
where that fits and they are kept, else from rows. Where rows were pruned, the part counts with the
hour that it is in: an hour belongs to the span in which it begins. So spans that meet have no
request in common and lose none.

In a zone whose offset is no whole number of hours, hours are kept in parts of 30 or 15 minutes, so
its days have exact sums, too. A caller may ask by the clock of *another* zone. Its days are put
together from hours, as many days at once as have one offset; an hour in which one of its days
begins comes from quarters, else from rows. Its months are cut one by one, into days of the
roll-ups' zone and the hours around these.
"""

import datetime as dt
import enum
import functools
import math
from collections.abc import Iterable, Iterator, Sequence
from zoneinfo import ZoneInfo

import attrs

from gemproxy.accounts.calendar import Calendar, Day, Period

HOUR = 3600
QUARTER = HOUR // 4
DAY = 24 * HOUR
SECOND_MS = 1000

_HOUR_MS, _QUARTER_MS = HOUR * SECOND_MS, QUARTER * SECOND_MS


class Source(enum.Enum):
    """Where the figures of a piece are."""

    MONTHS = "months"
    DAYS = "days"
    HOURS = "hours"
    QUARTERS = "quarters"
    ROWS = "rows"


@attrs.frozen
class Local:
    """How roll-ups are put together to the days (or hours) of another zone.

    These have ``unit`` seconds by a clock that is ``offset`` seconds ahead of UTC. Only what is in
    hours that begin ``earliest`` to ``latest`` seconds after the beginning of a unit belongs to it.
    """

    offset: int
    unit: int
    earliest: int = 0
    latest: int = DAY


@attrs.frozen
class Piece:
    """A part of a span: from ``start`` up to, but not including, ``end``, in milliseconds.

    ``month`` is a time in seconds that is in the month of all of it, where that is known.
    """

    source: Source
    start: int
    end: int
    local: Local | None = None
    month: int | None = None


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
    return max(slot, QUARTER)


def cut(
    span: Span,
    state: State,
    calendar: Calendar,
    grouped: Source | None = None,
    finest: Source = Source.ROWS,
) -> list[Piece]:
    """Return the pieces of a span, which have no time in common.

    ``grouped`` says if figures are wanted for each month, day or hour; no piece has larger ones.
    ``finest`` says how an hour is divided in which a day of another zone begins: by ``QUARTERS``,
    by its ``ROWS``, or not at all (``HOURS``), so that it counts as it begins.
    """
    cutter = _Cutter(state, calendar, grouped, finest)
    folded = state.folded * SECOND_MS
    pieces: list[Piece] = []
    if grouped is Source.MONTHS and not cutter.is_at_home:
        for month in _periods(span.start, min(span.end, folded), calendar, Source.MONTHS):
            low, high = int(month.start) * SECOND_MS, int(month.end) * SECOND_MS
            found = cutter.folded(max(low, span.start), min(high, span.end, folded))
            pieces += [attrs.evolve(piece, month=int(month.start)) for piece in found]
    else:
        pieces += cutter.folded(span.start, min(span.end, folded))
    tail = max(span.start, folded)
    if tail < span.end:
        pieces.append(Piece(Source.ROWS, tail, span.end))
    return pieces


@attrs.frozen
class _Cutter:
    """Cuts what is folded."""

    state: State
    calendar: Calendar
    grouped: Source | None
    finest: Source

    @property
    def is_at_home(self) -> bool:
        """Whether days are those of the roll-ups."""
        return str(self.calendar.zone) == self.state.zone

    def folded(self, low: int, high: int) -> list[Piece]:
        """Return the pieces of a span whose hours are all folded."""
        pieces: list[Piece] = []
        if low < high:
            low, high, pieces = self._without_parts(low, high)
        for start, end, stale in _stretches(low, high, self.state):
            if stale:
                pieces.append(Piece(Source.ROWS, start, end))
            else:
                pieces += self._stretch(start, end)
        return pieces

    def _without_parts(self, low: int, high: int) -> tuple[int, int, list[Piece]]:
        """Return a span without the parts of hours at its ends, and these parts."""
        parts: list[Piece] = []
        if not self._begins_a_slot(low):
            after = min(high, low + -low % _HOUR_MS)
            part = self._part(low, after)
            if part is not None:
                parts.append(part)
                low = after
        if low < high and not self._begins_a_slot(high):
            before = max(low, high - high % _HOUR_MS)
            part = self._part(before, high)
            if part is not None:
                parts.append(part)
                high = before
        return low, high, parts

    def _part(self, start: int, end: int) -> Piece | None:
        """Return the piece of a part of an hour; None if it counts with its hour."""
        if end <= start:
            return None
        hour = start // _HOUR_MS * HOUR
        if hour < self.state.pruned:
            return None
        quarters = start % _QUARTER_MS == 0 == end % _QUARTER_MS
        if quarters and self.finest is Source.QUARTERS and hour not in self.state.refolds:
            return Piece(Source.QUARTERS, start, end)
        return Piece(Source.ROWS, start, end)

    def _begins_a_slot(self, at: int) -> bool:
        if at % _HOUR_MS == 0:
            return True
        if not self.is_at_home:
            return False
        seconds = at // SECOND_MS
        start = seconds - seconds % HOUR
        slot = slot_seconds(self.calendar.zone, start, start + HOUR - 1)
        return at % (slot * SECOND_MS) == 0

    def _stretch(self, start: int, end: int) -> list[Piece]:
        """Return the pieces of a stretch of whole hours that has roll-ups."""
        grouped = self.grouped
        if self.is_at_home or grouped not in {Source.DAYS, Source.HOURS}:
            smallest = grouped if self.is_at_home and grouped else Source.MONTHS
            sources = [Source.MONTHS, Source.DAYS, Source.HOURS]
            sources = sources[sources.index(smallest) :]
            home = self.calendar if self.is_at_home else _calendar(self.state.zone)
            if home is None:
                return [Piece(Source.HOURS, start, end)]
            return _divided(start, end, self.state, home, sources)
        pieces: list[Piece] = []
        for low, high, offset in _clocks(start, end, self.calendar.zone):
            pieces += self._mixed(low, high) if offset is None else self._clocked(low, high, offset)
        return pieces

    def _mixed(self, start: int, end: int) -> list[Piece]:
        """Return the pieces of an hour within which the clocks change."""
        part = self._part(start, end)
        return [part or Piece(Source.HOURS, start, end)]

    def _clocked(self, start: int, end: int, offset: int) -> list[Piece]:
        """Return the pieces of a stretch that has one offset: days or hours of its clock."""
        unit = DAY if self.grouped is Source.DAYS else HOUR
        every = Local(offset, unit)
        if offset % HOUR == 0 or self.finest is Source.HOURS:
            return [Piece(Source.HOURS, start, end, every)]
        kept = min(max(start, self.state.pruned * SECOND_MS), end)
        before = [Piece(Source.HOURS, start, kept, every)] if start < kept else []
        return before + self._divided_hours(kept, end, every) if kept < end else before

    def _divided_hours(self, start: int, end: int, every: Local) -> list[Piece]:
        """Return the pieces of a stretch in which units begin within hours; its rows are kept."""
        offset, unit = every.offset, every.unit
        if self.finest is Source.QUARTERS and offset % QUARTER == 0:
            if unit == HOUR:
                return [Piece(Source.QUARTERS, start, end, every)]
            last = DAY - HOUR
            return [
                Piece(Source.HOURS, start, end, attrs.evolve(every, latest=last)),
                Piece(Source.QUARTERS, start, end, attrs.evolve(every, earliest=last + 1)),
            ]
        pieces: list[Piece] = []
        for low, high in _broken(start, end, offset, unit):
            pieces += [Piece(Source.HOURS, start, low, every), Piece(Source.ROWS, low, high)]
            start = high
        pieces.append(Piece(Source.HOURS, start, end, every))
        return [piece for piece in pieces if piece.start < piece.end]


def _broken(start: int, end: int, offset: int, unit: int) -> Iterator[tuple[int, int]]:
    """Yield the hours of a stretch within which a day begins, or all of it for hours."""
    if unit == HOUR:
        yield start, end
        return
    first = start // SECOND_MS
    midnight = first + -(first + offset) % DAY
    for at in range(midnight, end // SECOND_MS, DAY):
        low = at - at % HOUR
        if start <= low * SECOND_MS:
            yield low * SECOND_MS, (low + HOUR) * SECOND_MS


def _clocks(start: int, end: int, zone: dt.tzinfo) -> Iterator[tuple[int, int, int | None]]:
    """Yield stretches of whole hours with the offset of a zone's clock in seconds.

    It is None for an hour within which the clocks change.
    """
    at, last = start // SECOND_MS, end // SECOND_MS
    while at < last:
        offset = _offset(at, zone)
        change = _change(at, last, zone)
        before, after = max(at, change - change % HOUR), change + -change % HOUR
        if at < before:
            yield max(at * SECOND_MS, start), before * SECOND_MS, offset
        if before < after:
            yield before * SECOND_MS, after * SECOND_MS, None
        at = after


def _change(start: int, end: int, zone: dt.tzinfo) -> int:
    """Return when the clocks change first between two times in seconds; ``end`` if never."""
    offset, low, high = _offset(start, zone), start, end
    for day in [*range(start + DAY, end, DAY), end - 1]:
        if _offset(day, zone) != offset:
            high = day
            break
        low = day
    if high == end:
        return end
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(middle, zone) == offset:
            low = middle
        else:
            high = middle
    return high


def _offset(at: int, zone: dt.tzinfo) -> int:
    offset = dt.datetime.fromtimestamp(at, zone).utcoffset() or dt.timedelta()
    return int(offset.total_seconds())


@functools.lru_cache(maxsize=4)
def _calendar(zone: str) -> Calendar | None:
    """Return the calendar of the zone of the roll-ups; None if there is no such zone here."""
    try:
        return Calendar(ZoneInfo(zone))
    except (ValueError, KeyError, OSError):
        return None


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


def _periods(start: int, end: int, calendar: Calendar, source: Source) -> Iterable[Period | Day]:
    """Yield the months, or days, that have a part of a span."""
    at = start
    while at < end:
        period = _period(source, at, calendar)
        yield period
        at = int(period.end) * SECOND_MS


def _period(source: Source, at: int, calendar: Calendar) -> Period | Day:
    day = calendar.day(at / SECOND_MS)
    return day if source is Source.DAYS else day.month
