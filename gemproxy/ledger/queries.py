"""Every figure of the ledger that anybody sees: sums over spans of time, and single requests.

All sums come out of one function, which cuts the span (``ledger.pieces``) and adds up roll-ups and
rows in one snapshot; so views with different groups have the same total. Groups and filters are
names, never looked for among the rows. Days and hours are those of a time zone that the caller may
choose: the ledger's own one is only the fastest.

A request counts from its start on, in ``requests`` and in ``running`` until it has an ending. Its
tokens and its money count when it has ended.
"""

import datetime as dt
import enum
import functools
import operator
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Self

import attrs
from sqlalchemy import ColumnElement, Select, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gemproxy.accounts.calendar import Calendar
from gemproxy.ledger.engine import Engines
from gemproxy.ledger.naming import ALL, Only, names_of, numbers_of
from gemproxy.ledger.pieces import HOUR, SECOND_MS, Piece, Source, Span, cut
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
from gemproxy.ledger.rollup import DAYS, HOURS, MONTHS, SHAPES, read_state
from gemproxy.ledger.row import Row
from gemproxy.ledger.summing import of_rollups, of_rows
from gemproxy.ledger.sums import SUMMED, Sums
from gemproxy.ledger.tables import ATTEMPTS, ENDINGS, GENERATIONS, ROLLUPS, WHOLE

_QUARTER = HOUR // 4
_LEVELS = {Source.HOURS: HOURS, Source.DAYS: DAYS, Source.MONTHS: MONTHS}
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
        found = await self._sums(span, only, ())
        return found.get((), Sums())

    async def usage(self, by: Sequence[By], span: Span = ALWAYS, only: Only = ALL) -> list[Group]:
        """Return the sums of each group that has requests, in the order of the keys.

        Raises ValueError if groupings are the same, both by time, or too many (``check``).
        """
        check(by)
        first, *rest = sorted(by, key=lambda one: one not in _TIMES)
        time = first if first in _TIMES else None
        names = [one.value for one in (rest if time else (first, *rest))]
        found = await self._sums(span, only, names, time)
        places = [(first, *rest).index(one) for one in by]
        groups = {tuple(key[place] for place in places): sums for key, sums in found.items()}
        return [
            Group(tuple(map(self._word, by, key)), sums)
            for key, sums in sorted(groups.items(), key=operator.itemgetter(0))
        ]

    async def committed(self, since: float) -> list[Committed]:
        """Return what each user used of each model from a Unix time in seconds on."""
        span = Span(int(since * SECOND_MS))
        found = await self._sums(span, ALL, ("user", "model"))
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
        """Return the newest requests, newest first, without their attempts."""
        async with self.engines.snapshot() as connection:
            conditions = await conditions_of(connection, wanted)
            if conditions is None:
                return []
            chosen = select(GENERATIONS).where(*conditions)
            newest = chosen.order_by(order_of(wanted)).limit(min(last, MOST))
            return await rows_of(connection, newest)

    async def total_of(self, wanted: Wanted) -> Sums:
        """Return what all requests of a list sum up to, whatever page of it is read.

        Only requests whose rows are kept count, as in the list.
        """
        wanted = attrs.evolve(wanted, before=None)
        async with self.engines.snapshot() as connection:
            if wanted.is_of_rollups:
                pruned = (await read_state(connection)).pruned * SECOND_MS
                span = attrs.evolve(wanted.span, start=max(wanted.span.start, pruned))
                return (await self._added(connection, span, wanted.only, ())).get((), Sums())
            conditions = await conditions_of(connection, wanted)
            total = Sums()
            if conditions is not None:
                found = await connection.execute(select(*of_rows()).where(*conditions))
                total.add(found.one())
            return total

    async def request(self, request_id: str) -> list[Row]:
        """Return the requests with an id, newest first, with their attempts.

        There can be several: a client may choose its ids.
        """
        async with self.engines.snapshot() as connection:
            rows = await rows_of(connection, BY_ID, {"id": request_id})
            return [await with_tries(connection, row) for row in rows]

    async def interruptions(self, span: Span = ALWAYS, only: Only = ALL) -> list[Interruptions]:
        """Return what interrupted attempts, and how their requests ended, most frequent first.

        Only requests that were tried again and whose rows are kept count.
        """
        async with self.engines.snapshot() as connection:
            conditions = await conditions_of(connection, Wanted(only, span=span, interrupted=True))
            if conditions is None:
                return []
            found = (await connection.execute(_CAUSES.where(*conditions))).all()
            names = await names_of(connection, {row[0] for row in found})
        counted = [
            Interruptions(names[cause], _ENDING.get(ending, ""), int(attempts))
            for cause, ending, attempts in found
            if names[cause]
        ]
        return sorted(counted, key=lambda one: (-one.attempts, one.cause, one.ending))

    async def _sums(
        self, span: Span, only: Only, by: Sequence[str], time: By | None = None
    ) -> dict[tuple[Any, ...], Sums]:
        """Return sums by their key: the beginning of the time, if wanted, and names."""
        async with self.engines.snapshot() as connection:
            found = await self._added(connection, span, only, by, time)
            first = 0 if time is None else 1
            texts = await names_of(connection, {number for key in found for number in key[first:]})
        return {
            (*key[:first], *(texts[number] for number in key[first:])): sums
            for key, sums in found.items()
        }

    async def _added(
        self,
        connection: AsyncConnection,
        span: Span,
        only: Only,
        by: Sequence[str],
        time: By | None = None,
    ) -> dict[tuple[int, ...], Sums]:
        """Return sums by their key: the beginning of the time, if wanted, and numbers of names."""
        found: dict[tuple[int, ...], Sums] = {}
        filters = await numbers_of(connection, only)
        if filters is None:
            return found
        state, names = await read_state(connection), frozenset(filters)
        if time is not None:
            span = await _clipped(connection, span)
        for piece in cut(span, state, self.calendar, _TIMES.get(time) if time else None):
            statement = _statement(piece.source, names, tuple(by), timed=time is not None)
            for row in await connection.execute(statement, _bounds(piece) | filters):
                figures = row[-len(SUMMED) :]
                if not figures[0]:  # a sum over nothing is a row, too
                    continue
                key = tuple(row[: -len(SUMMED)])
                if time is not None:
                    key = (self._begin(time, key[0]), *key[1:])
                found.setdefault(key, Sums()).add(figures)
        return found

    def _begin(self, time: By, at: int) -> int:
        """Return when the month, the day or the hour of a time begins, by the zone's clock.

        Where the clocks change by half an hour, an hour can have 30 or 90 minutes.
        """
        if time is not By.HOUR:
            day = self.calendar.day(at)
            return int(day.start if time is By.DAY else day.month.start)
        local = dt.datetime.fromtimestamp(at, self.calendar.zone)
        return int(local.replace(minute=0, second=0).timestamp())

    def _word(self, by: By, key: Any) -> str:  # noqa: ANN401 (a time or a name)
        """Return the key of a group for people."""
        if by not in _TIMES:
            return str(key)
        if by is By.HOUR:
            return self.calendar.clock(key)
        name = self.calendar.day(key).name
        return name if by is By.DAY else name.rpartition("-")[0]


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


@functools.cache
def _statement(
    source: Source, filters: Collection[str], by: Sequence[str], *, timed: bool
) -> Select[Any]:
    """Return the SELECT over a piece: the time if wanted, the groups, the sums.

    There are few of them, and making one takes longer than asking it.
    """
    if source is Source.ROWS:
        at = _G.started // (_QUARTER * SECOND_MS) * _QUARTER
        groups = [_G[name] for name in by]
        # The 0 keeps SQLite from going through all rows of a user, in place of those of the time.
        chosen = [_G[name] + 0 == bindparam(name) for name in filters]
        within = [_G.started >= _LOW, _G.started < _HIGH]
        sums = of_rows()
    else:
        at = _R.start
        shape = next(i for i, dims in enumerate(SHAPES) if dims >= {*by, *filters})
        level = _LEVELS[source]
        groups = [_R[name] for name in by]
        chosen = [_R[name] == bindparam(name) for name in filters]
        within = [_R.level == level, _R.shape == shape, _R.start >= _LOW, _R.start < _HIGH]
        sums = of_rollups()
    keys: list[ColumnElement[Any]] = [at.label("at"), *groups] if timed else [*groups]
    return select(*keys, *sums).where(*within, *chosen).group_by(*keys)


def _bounds(piece: Piece) -> dict[str, int]:
    if piece.source is Source.ROWS:
        return {"low": piece.start, "high": piece.end}
    return {"low": -(-piece.start // SECOND_MS), "high": -(-piece.end // SECOND_MS)}


_LOW, _HIGH = bindparam("low", type_=WHOLE), bindparam("high", type_=WHOLE)
_FIRST_HOUR = select(_R.start).where(_R.level == HOURS, _R.shape == 0).order_by(_R.start).limit(1)
_FIRST_ROW = select(_G.started).order_by(_G.started).limit(1)
_CAUSES = (
    select(ATTEMPTS.c.cause, _G.ending, func.count())
    .join(GENERATIONS, ATTEMPTS.c.serial == _G.serial)
    .group_by(ATTEMPTS.c.cause, _G.ending)
)
