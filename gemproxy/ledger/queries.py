"""Every figure of the ledger that anybody sees: sums over spans of time, and single requests.

All sums come out of one function, which cuts the span (``ledger.pieces``) and adds up roll-ups and
rows in one snapshot; so views with different groups have the same total. Groups and filters are
names, never looked for among the rows.
"""

import datetime as dt
import enum
import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import attrs
import msgspec
from sqlalchemy import ColumnElement, Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gemproxy.accounts.calendar import Calendar
from gemproxy.ledger.engine import Engines
from gemproxy.ledger.pieces import HOUR, SECOND_MS, Piece, Source, Span, cut
from gemproxy.ledger.rollup import DAYS, DIMENSIONS, HOURS, MONTHS, SHAPES, read_state
from gemproxy.ledger.row import Ending, Row, Try
from gemproxy.ledger.sums import Sums, of_rollups, of_rows
from gemproxy.ledger.tables import (
    ATTEMPTS,
    ENDINGS,
    GENERATIONS,
    NAMES,
    NO_NAME,
    ROLLUPS,
    SUMMED,
    WHOLE,
)

MOST = 1000
"""Rows that one read of requests returns at most."""

_QUARTER = HOUR // 4
_LEVELS = {Source.HOURS: HOURS, Source.DAYS: DAYS, Source.MONTHS: MONTHS}
_ENDING = {number: ending for ending, number in ENDINGS.items()}
_G, _R = GENERATIONS.c, ROLLUPS.c


class By(enum.Enum):
    """How usage is grouped."""

    HOUR = "hour"
    DAY = "day"
    MODEL = "model"
    USER = "user"
    PROJECT = "project"


_LARGEST: Mapping[By | None, Source] = {By.HOUR: Source.HOURS, By.DAY: Source.DAYS}


@attrs.frozen
class Only:
    """A filter by names; None lets all pass."""

    user: str | None = None
    model: str | None = None
    project: str | None = None


ALL = Only()
ALWAYS = Span()


@attrs.frozen
class Wanted:
    """Which requests are wanted.

    ``key`` is the fingerprint of a Gemini key. ``ending`` is an ending, or None for all;
    ``before`` is the serial of the last one that was seen, for the page behind it.
    """

    only: Only = ALL
    key: str | None = None
    ending: Ending | None = None
    span: Span = ALWAYS
    before: int | None = None


ANY = Wanted()


@attrs.frozen
class Group:
    """The sums of a group; ``key`` is a name, a date, or when an hour begins, with its offset."""

    key: str
    sums: Sums


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

    async def total(self, span: Span = ALWAYS, only: Only = ALL) -> Sums:
        """Return the sums over a span."""
        found = await self._sums(span, only, ())
        return found.get((), Sums())

    async def usage(self, by: By, span: Span = ALWAYS, only: Only = ALL) -> list[Group]:
        """Return the sums of each group that has requests, in the order of the keys."""
        if by in {By.HOUR, By.DAY}:
            timed = await self._sums(span, only, (), time=by)
            return [Group(self._clock(by, key[0]), sums) for key, sums in sorted(timed.items())]
        found = await self._sums(span, only, (by.value,))
        return sorted((Group(str(key[0]), sums) for key, sums in found.items()), key=_key)

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
            conditions = await _conditions(connection, wanted)
            if conditions is None:
                return []
            chosen = select(GENERATIONS).where(*conditions)
            newest = chosen.order_by(_G.serial.desc()).limit(min(last, MOST))
            return await _rows(connection, newest)

    async def request(self, request_id: str) -> list[Row]:
        """Return the requests with an id, newest first, with their attempts.

        There can be several: a client may choose its ids.
        """
        async with self.engines.snapshot() as connection:
            rows = await _rows(connection, _BY_ID, {"id": request_id})
            return [await _with_tries(connection, row) for row in rows]

    async def _sums(
        self, span: Span, only: Only, by: Sequence[str], time: By | None = None
    ) -> dict[tuple[Any, ...], Sums]:
        """Return sums by their key: the beginning of the time, if wanted, and names."""
        found: dict[tuple[int, ...], Sums] = {}
        first = 0 if time is None else 1
        async with self.engines.snapshot() as connection:
            filters = await _numbers(connection, only)
            if filters is None:
                return {}
            state, names = await read_state(connection), frozenset(filters)
            for piece in cut(span, state, self.calendar, _LARGEST.get(time, Source.MONTHS)):
                statement = _statement(piece.source, names, by, timed=time is not None)
                for row in await connection.execute(statement, _bounds(piece) | filters):
                    figures = row[-len(SUMMED) :]
                    if not figures[0]:  # a sum over nothing is a row, too
                        continue
                    key = tuple(row[: -len(SUMMED)])
                    if time is not None:
                        key = (self._begin(time, key[0]), *key[1:])
                    found.setdefault(key, Sums()).add(figures)
            texts = await _names(connection, {number for key in found for number in key[first:]})
        return {
            (*key[:first], *(texts[number] for number in key[first:])): sums
            for key, sums in found.items()
        }

    def _begin(self, time: By, at: int) -> int:
        """Return when the day or the hour of a time begins, by the zone's clock.

        Where the clocks change by half an hour, an hour can have 30 or 90 minutes.
        """
        if time is By.DAY:
            return int(self.calendar.day(at).start)
        local = dt.datetime.fromtimestamp(at, self.calendar.zone)
        return int(local.replace(minute=0, second=0).timestamp())

    def _clock(self, time: By, at: int) -> str:
        return self.calendar.day(at).name if time is By.DAY else self.calendar.clock(at)


def _key(group: Group) -> str:
    return group.key


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


async def _numbers(connection: AsyncConnection, only: Only) -> dict[str, int] | None:
    """Return the numbers of the names of a filter; None if one of them has no rows."""
    wanted = {name: getattr(only, name) for name in DIMENSIONS if getattr(only, name) is not None}
    found: dict[str, int] = {}
    for dimension, name in wanted.items():
        number = await _number(connection, name)
        if number is None:
            return None
        found[dimension] = number
    return found


async def _number(connection: AsyncConnection, name: str) -> int | None:
    if not name:
        return NO_NAME
    found: int | None = await connection.scalar(_NUMBER, {"name": name})
    return found


async def _names(connection: AsyncConnection, numbers: Iterable[int]) -> dict[int, str]:
    """Return the names of numbers."""
    known = {NO_NAME: ""}
    wanted = sorted({number for number in numbers if number != NO_NAME})
    for start in range(0, len(wanted), MOST):
        part = wanted[start : start + MOST]
        found = await connection.execute(_NAMES, {"numbers": part})
        known |= {row.id: row.name for row in found}
    return known


async def _conditions(
    connection: AsyncConnection, wanted: Wanted
) -> list[ColumnElement[bool]] | None:
    """Return what rows that are wanted fulfil; None if there are none."""
    numbers = await _numbers(connection, wanted.only)
    if numbers is None:
        return None
    conditions = [_G[name] == number for name, number in numbers.items()]
    if wanted.key is not None:
        key = await _number(connection, wanted.key)
        if key is None:
            return None
        conditions.append(_G.key == key)
    if wanted.ending is not None:
        conditions.append(_G.ending == ENDINGS[wanted.ending])
    if wanted.before is not None:
        conditions.append(_G.serial < wanted.before)
    if wanted.span != ALWAYS:
        conditions += [_G.started >= wanted.span.start, _G.started < wanted.span.end]
    return conditions


async def _rows(
    connection: AsyncConnection, statement: Select[Any], values: Mapping[str, Any] | None = None
) -> list[Row]:
    found = (await connection.execute(statement, values or {})).mappings().all()
    names = await _names(connection, {row[name] for row in found for name in _NAMED})
    rows: list[Row] = []
    for row in found:
        fields: dict[str, Any] = {name: row[name] for name in _PLAIN}
        fields |= {name: names[row[name]] for name in _NAMED}
        fields |= {name: bool(row[name]) for name in _FLAGS}
        rows.append(Row(**fields, ending=_ENDING.get(row["ending"])))
    return rows


async def _with_tries(connection: AsyncConnection, row: Row) -> Row:
    found = (await connection.execute(_TRIES, {"serial": row.serial})).mappings().all()
    names = await _names(connection, {one[name] for one in found for name in _NAMED_OF_TRIES})
    tries: list[Try] = []
    for one in found:
        fields: dict[str, Any] = {field.name: one[field.name] for field in attrs.fields(Try)}
        tries.append(Try(**fields | {name: names[one[name]] for name in _NAMED_OF_TRIES}))
    return msgspec.structs.replace(row, tries=tuple(tries))


_NAMED = ("user", "model", "route", "dialect", "project", "key")
_NAMED_OF_TRIES = ("key", "cause", "form", "joint")
_FLAGS = ("estimated", "injected")
_PLAIN = [
    name for name in Row.__struct_fields__ if name not in {*_NAMED, *_FLAGS, "ending", "tries"}
]
_LOW, _HIGH = bindparam("low", type_=WHOLE), bindparam("high", type_=WHOLE)
_NUMBER = select(NAMES.c.id).where(NAMES.c.name == bindparam("name"))
_NAMES = select(NAMES.c.id, NAMES.c.name).where(
    NAMES.c.id.in_(bindparam("numbers", expanding=True))
)
_BY_ID = (
    select(GENERATIONS)
    .where(_G.request_id == bindparam("id"))
    .order_by(_G.serial.desc())
    .limit(MOST)
)
_TRIES = (
    select(ATTEMPTS)
    .where(ATTEMPTS.c.serial == bindparam("serial", type_=WHOLE))
    .order_by(ATTEMPTS.c.number)
)
