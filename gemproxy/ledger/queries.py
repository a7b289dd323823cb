"""Every figure of the ledger that anybody sees: sums over spans of time, and single requests.

All sums come out of one function, which cuts the span (``ledger.pieces``) and adds up roll-ups and
rows in one snapshot; so views with different groups have the same total. Groups and filters are
names, never looked for among the rows. Days and hours are those of a time zone that the caller may
choose: the ledger's own one is only the fastest.

A request counts from its start on, in ``requests`` and in ``running`` until it has an ending. Its
tokens and its money count when it has ended. Requests that were interrupted are counted by cause
and ending from the same pieces, so they outlive their rows, too.
"""

import datetime as dt
import enum
import operator
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Self

import attrs
from sqlalchemy import Row as Found
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gemproxy.accounts.calendar import Calendar
from gemproxy.ledger.asking import Timed, batches, statement
from gemproxy.ledger.engine import Engines
from gemproxy.ledger.levels import DIMENSIONS, HOURS, SPREAD_SHAPES, shape_of
from gemproxy.ledger.naming import ALL, Only, names_of, numbers_of
from gemproxy.ledger.pieces import HOUR, SECOND_MS, Source, Span, State, cut
from gemproxy.ledger.requests import (
    ALWAYS,
    ANY,
    BY_ID,
    MOST,
    Wanted,
    conditions_of,
    order_of,
    rows_of,
    with_tries,
)
from gemproxy.ledger.rollup import read_state
from gemproxy.ledger.row import Row
from gemproxy.ledger.summing import BROKEN, SPREAD, SUMS, Kind
from gemproxy.ledger.sums import SUMMED, Sums
from gemproxy.ledger.tables import ENDINGS, GENERATIONS, NAMES, ROLLUPS

MOST_GROUPS = 10_000
"""Groups that one answer has at most."""

_UNBOUNDED = 1 << 62
_PARTS = 100
_ENDING = {number: ending.value for ending, number in ENDINGS.items()}
_G, _R = GENERATIONS.c, ROLLUPS.c


class By(enum.Enum):
    """How usage is grouped."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    MODEL = "model"
    USER = "user"
    PROJECT = "project"
    KEY = "key"


_TIMES: Mapping[By, Source] = {
    By.HOUR: Source.HOURS,
    By.DAY: Source.DAYS,
    By.MONTH: Source.MONTHS,
}
"""The groupings by time; the largest roll-up of each is its source."""

MOST_GROUPINGS = 2
"""Groupings of one question; at most one of them is by time."""


class TooManyGroups(ValueError):
    """A question whose answer has more than ``MOST_GROUPS`` groups."""

    def __str__(self) -> str:
        return (
            f"the answer would have more than {MOST_GROUPS} groups: choose a shorter period, "
            "a larger grouping, or a filter"
        )


@attrs.frozen
class Group:
    """The sums of a group.

    ``keys`` has one for each grouping: a name, a date, a month (``2026-11``), or when an hour
    begins, with its offset.
    """

    keys: tuple[str, ...]
    sums: Sums


@attrs.frozen
class Interruptions:
    """How many attempts were interrupted by a cause, in requests with an ending; "" if they run."""

    cause: str
    ending: str
    attempts: int


@attrs.frozen
class Committed:
    """What a user has used of a model, as limits count it.

    ``requests`` has those that run, too. ``tokens`` are the user's input, output and thoughts.
    """

    user: str
    model: str
    requests: int
    tokens: int
    nano_usd: int


@attrs.frozen
class Queries:
    """Reads the ledger; days and hours are those of the calendar's zone.

    All methods raise SQLAlchemyError and OSError when the database fails.
    """

    engines: Engines
    calendar: Calendar

    def by_clock(self, zone: dt.tzinfo) -> Self:
        """Return the same queries with the days and hours of another zone."""
        return attrs.evolve(self, calendar=Calendar(zone))

    async def total(self, span: Span = ALWAYS, only: Only = ALL) -> Sums:
        """Return the sums over a span."""
        async with self.engines.snapshot() as connection:
            return (await self._added(connection, _Asked(span, only))).get((), Sums())

    async def usage(self, by: Sequence[By], span: Span = ALWAYS, only: Only = ALL) -> list[Group]:
        """Return the sums of each group that has requests, in the order of the keys.

        Raises ValueError if groupings are the same, both by time, or too many (``check``), and
        TooManyGroups.
        """
        check(by)
        first, *rest = sorted(by, key=lambda one: one not in _TIMES)
        time = first if first in _TIMES else None
        names = [one.value for one in (rest if time else (first, *rest))]
        found = await self._named(_Asked(span, only, tuple(names), time, MOST_GROUPS))
        places = [(first, *rest).index(one) for one in by]
        groups = {tuple(key[place] for place in places): sums for key, sums in found.items()}
        words = {key: self._word(time, key) for key in {it[0] for it in found}} if time else {}
        return [
            Group(tuple(words.get(part, part) for part in key), sums)
            for key, sums in sorted(groups.items(), key=operator.itemgetter(0))
        ]

    async def committed(self, since: float) -> list[Committed]:
        """Return what each user used of each model from a Unix time in seconds on."""
        span = Span(int(since * SECOND_MS))
        found = await self._named(_Asked(span, by=("user", "model"), spread=False))
        return [
            Committed(
                user,
                model,
                sums.requests,
                sums.input_tokens + sums.output_tokens + sums.thought_tokens,
                sums.cost_nano_usd,
            )
            for (user, model), sums in sorted(found.items())
        ]

    async def requests(self, last: int, wanted: Wanted = ANY) -> list[Row]:
        """Return the newest requests, or those next to ``after``, newest first, without tries."""
        async with self.engines.snapshot() as connection:
            conditions = await conditions_of(connection, wanted)
            if conditions is None:
                return []
            chosen = select(GENERATIONS).where(*conditions)
            newest = chosen.order_by(order_of(wanted)).limit(min(last, MOST))
            rows = await rows_of(connection, newest)
        return rows if wanted.after is None else rows[::-1]

    async def total_of(self, wanted: Wanted) -> Sums:
        """Return what all requests of a list sum up to, whatever page of it is read.

        Only requests whose rows are kept count, as in the list.
        """
        wanted = attrs.evolve(wanted, before=None, after=None)
        async with self.engines.snapshot() as connection:
            if wanted.is_of_rollups:
                pruned = (await read_state(connection)).pruned * SECOND_MS
                span = attrs.evolve(wanted.span, start=max(wanted.span.start, pruned))
                asked = _Asked(span, wanted.only)
                return (await self._added(connection, asked)).get((), Sums())
            conditions = await conditions_of(connection, wanted)
            total = Sums()
            if conditions is not None:
                for kind, add in ((SUMS, total.add), (SPREAD, total.count)):
                    statement = select(*kind.of_rows()).where(*conditions)
                    add((await connection.execute(statement)).one())
            return total

    async def request(self, request_id: str) -> list[Row]:
        """Return the requests with an id, newest first, with their attempts.

        There can be several: a client may choose its ids.
        """
        async with self.engines.snapshot() as connection:
            rows = await rows_of(connection, BY_ID, {"id": request_id})
            return [await with_tries(connection, row) for row in rows]

    async def last_starts(self, users: Iterable[str]) -> Mapping[str, float]:
        """Return when the newest request of each user began (Unix seconds), if one is kept."""
        async with self.engines.snapshot() as connection:
            found = await connection.execute(_LAST_STARTS, {"users": [*users]})
            return {name: at / SECOND_MS for name, at in found if at is not None}

    async def interruptions(self, span: Span = ALWAYS, only: Only = ALL) -> list[Interruptions]:
        """Return what interrupted attempts, and how their requests ended, most frequent first."""
        async with self.engines.snapshot() as connection:
            counted: dict[tuple[int, int], int] = {}
            asked = _Asked(span, only)
            base = await self._base(connection, asked)
            async for _, row in self._read(connection, BROKEN, asked, base):
                cause, ending, attempts = tuple(row)
                counted[cause, ending] = counted.get((cause, ending), 0) + attempts
            names = await names_of(connection, {cause for cause, _ in counted})
        listed = [
            Interruptions(names[cause], _ENDING.get(ending, ""), attempts)
            for (cause, ending), attempts in counted.items()
        ]
        return sorted(listed, key=lambda one: (-one.attempts, one.cause, one.ending))

    async def _named(self, asked: "_Asked") -> dict[tuple[Any, ...], Sums]:
        """Return sums by their key: the beginning of the time, if wanted, and names."""
        async with self.engines.snapshot() as connection:
            found = await self._added(connection, asked)
            first = 0 if asked.time is None else 1
            texts = await names_of(connection, {number for key in found for number in key[first:]})
        return {
            (*key[:first], *(texts[number] for number in key[first:])): sums
            for key, sums in found.items()
        }

    async def _added(
        self, connection: AsyncConnection, asked: "_Asked"
    ) -> dict[tuple[int, ...], Sums]:
        """Return sums by their key: the beginning of the time, if wanted, and numbers of names."""
        found: dict[tuple[int, ...], Sums] = {}
        base, width = await self._base(connection, asked), len(SUMMED)
        async for key, row in self._read(connection, SUMS, asked, base):
            figures = row[-width:]
            if not figures[0]:  # a sum over nothing is a row, too
                continue
            if key in found:
                found[key].add(figures)
            elif len(found) < asked.most:
                found[key] = Sums(*figures)
            else:
                raise TooManyGroups
        if found and asked.spread:
            await self._spread(connection, asked, base, found)
        return found

    async def _spread(
        self,
        connection: AsyncConnection,
        asked: "_Asked",
        base: "_Base | None",
        found: Mapping[tuple[int, ...], Sums],
    ) -> None:
        """Add how the times to the first byte are spread, as far as that is kept."""
        if asked.shape not in SPREAD_SHAPES:
            for sums in found.values():
                sums.spread = ()
            return
        width, tallies = len(SPREAD.figures), dict[tuple[int, ...], list[int]]()
        async for found_key, row in self._read(connection, SPREAD, asked, base):
            key = found_key
            if key not in found and asked.time in {By.DAY, By.HOUR}:
                # An hour all of whose requests are in the day of another zone that begins in it.
                key = (self._begin(asked.time, row[0] + HOUR), *key[1:])
            if key not in found:
                continue
            if len(row) >= width:
                found[key].count(row[-width:])
            else:  # a bucket of rows
                *_, bucket, count = tuple(row)
                tallies.setdefault(key, [0] * width)[bucket] += count
        for key, counts in tallies.items():
            found[key].count(counts)

    async def _base(self, connection: AsyncConnection, asked: "_Asked") -> "_Base | None":
        """Return what all figures of an answer are read by; None if there are none."""
        filters = await numbers_of(connection, asked.only)
        if filters is None:
            return None
        state, span = await read_state(connection), asked.span
        if asked.time is not None and span.start == ALWAYS.start:
            span = await _clipped(connection, span)
        return _Base(filters, state, span)

    async def _read(
        self, connection: AsyncConnection, kind: Kind, asked: "_Asked", base: "_Base | None"
    ) -> AsyncIterator[tuple[tuple[int, ...], Found[Any]]]:
        """Yield the rows of all pieces, each with its key."""
        if base is None:
            return
        names, time = frozenset(base.filters), asked.time
        finest = _finest(kind, asked.shape)
        source = None if time is None else _TIMES[time]
        given = {**base.filters, "most": asked.most_rows}
        begun: dict[int, int] = {}
        groups = slice(0, len(asked.by)) if time is None else slice(1, 1 + len(asked.by))
        pieces = cut(base.span, base.state, self.calendar, source, finest)
        for batch in batches(pieces, grouped=time is not None):
            question = statement(kind, names, asked.by, batch.timed, rows=batch.rows)
            for row in await connection.execute(question, {**given, **batch.parameters}):
                if time is None:
                    yield tuple(row[groups]), row
                    continue
                at = row[0]
                if at not in begun:
                    begun[at] = at if batch.timed is Timed.KNOWN else self._begin(time, at)
                yield (begun[at], *row[groups]), row

    def _begin(self, time: By, at: int) -> int:
        """Return when the month, the day or the hour of a time begins, by the zone's clock.

        Where the clocks change by half an hour, an hour can have 30 or 90 minutes.
        """
        if time is not By.HOUR:
            day = self.calendar.day(at)
            return int(day.start if time is By.DAY else day.month.start)
        local = dt.datetime.fromtimestamp(at, self.calendar.zone)
        return int(local.replace(minute=0, second=0).timestamp())

    def _word(self, time: By, begin: int) -> str:
        """Return a time for people."""
        if time is By.HOUR:
            return self.calendar.clock(begin)
        name = dt.datetime.fromtimestamp(begin, self.calendar.zone).date().isoformat()
        return name if time is By.DAY else name.rpartition("-")[0]


@attrs.frozen
class _Asked:
    """A question: a span, a filter, groupings by names and by time, how many groups at most.

    ``spread``: whether the spread of the times to the first byte is wanted, too.
    """

    span: Span
    only: Only = ALL
    by: tuple[str, ...] = ()
    time: By | None = None
    most: int = _UNBOUNDED // _PARTS
    spread: bool = True

    @property
    def most_rows(self) -> int:
        """The most rows that a statement returns; a day may be in several."""
        return (self.most + 1) * (1 if self.time in {None, By.HOUR} else _PARTS)

    @property
    def shape(self) -> int:
        """The shape of the roll-ups that have the answer."""
        filters = {name for name in DIMENSIONS if getattr(self.only, name) is not None}
        return shape_of({*self.by, *filters})


@attrs.frozen
class _Base:
    """What the figures of an answer are read by: numbers of names, how far roll-ups are, a span."""

    filters: Mapping[str, int]
    state: State
    span: Span


def check(by: Sequence[By]) -> None:
    """Raise ValueError, in words for people, if usage cannot be grouped so."""
    if not by or len(by) > MOST_GROUPINGS or len({*by}) < len(by):
        raise ValueError(f"usage is grouped by one to {MOST_GROUPINGS} different groupings")
    if len({*by} & _TIMES.keys()) > 1:
        raise ValueError("usage is grouped by one of hour, day and month")


async def _clipped(connection: AsyncConnection, span: Span) -> Span:
    """Return a span without the time before the first request, which has no days to look at."""
    hour = (await connection.execute(_FIRST_HOUR)).scalar()
    row = (await connection.execute(_FIRST_ROW)).scalar()
    starts = [] if hour is None else [hour * SECOND_MS]
    first = min(starts if row is None else [*starts, row], default=0)
    return attrs.evolve(span, start=min(max(span.start, first), span.end))


def _finest(kind: Kind, shape: int) -> Source:
    """Return how a kind of figures divides an hour in which a day of another zone begins."""
    if kind is SPREAD:
        return Source.HOURS
    return Source.QUARTERS if shape in kind.quarters else Source.ROWS


_FIRST_HOUR = select(_R.start).where(_R.level == HOURS, _R.shape == 0).order_by(_R.start).limit(1)
_FIRST_ROW = select(_G.started).order_by(_G.started).limit(1)
_NEWEST = (
    select(_G.started)
    .where(_G.user == NAMES.c.id)
    .order_by(_G.serial.desc())
    .limit(1)
    .correlate(NAMES)
    .scalar_subquery()
)
_LAST_STARTS = select(NAMES.c.name, _NEWEST).where(
    NAMES.c.name.in_(bindparam("users", expanding=True))
)
