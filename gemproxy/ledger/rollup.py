"""Roll-ups: the sums of all rows by hour, day and month, which stay when rows are pruned.

A pass *folds* hours that are over into roll-ups and moves the watermark ``folded`` on; readers take
sums below it from roll-ups, and those above it from rows. A slice is some whole hours: its roll-ups
are deleted and inserted again in the transaction that moves the watermark, so a pass may die
anywhere, and a slice may be folded twice. An hour with rows that are not settled waits for them,
for an hour at most. A row that comes, or is settled, after its hour was folded marks the hour, and
the next pass folds it again.

Each hour has roll-ups of several *shapes* (``ledger.levels``): sums over all; by user, by model, by
project, by key; by two of these; and by all four. A key is of one project, so the last ones are few
more than they would be without keys. The same of a day are summed up from its hours, and those of a
month from its days, as soon as all of these are there; so a year takes few rows for each user. So
are the spread of the times to the first byte, and the interruptions (``ledger.summing``).

Days and months are those of one time zone. Where its offset is no whole number of hours, hours are
split into slots of 30 or 15 minutes. A change of the time zone has days summed anew from the hours,
and if it needs other slots, all hours whose rows are there. The sums of small shapes are kept by
quarters of hours, too, for questions about the days of such a zone.

Locks: in SQLite one transaction writes at a time. In PostgreSQL a fold takes the row of the
watermark FOR UPDATE before it reads, and a writer of rows takes it FOR SHARE before it commits. So
a row is in the fold, or its writer sees the new watermark and marks the hour.
"""

import attrs
from sqlalchemy import Text, cast, delete, func, literal, null, select, text, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from gemproxy.accounts.calendar import Calendar, Day, Period
from gemproxy.ledger.engine import Engines
from gemproxy.ledger.folding import FOLDINGS, whole
from gemproxy.ledger.levels import DAYS, HOURS, MONTHS, QUARTERS
from gemproxy.ledger.pieces import HOUR, QUARTER, SECOND_MS, State, slot_seconds
from gemproxy.ledger.summing import KINDS
from gemproxy.ledger.tables import GENERATIONS, META, REFOLDS, ROLLUPS, WHOLE

GRACE_SECONDS = 60
"""How long after its end an hour is folded: rows wait in a queue, and clocks differ."""

UNSETTLED_SECONDS = 3600
"""How long after its end an hour waits for rows that are not settled."""

ROWS_A_SLICE = 5_000
PERIODS_A_STEP = 4

_R, _G = ROLLUPS.c, GENERATIONS.c


@attrs.frozen
class Rollups:
    """Keeps the roll-ups of one database, with the days of one time zone."""

    engines: Engines
    calendar: Calendar

    async def fold(self, now: float) -> bool:
        """Take a step: fold a slice of hours, sum up days or months; return whether there was one.

        ``now`` is a Unix time in seconds.
        """
        async with self.engines.writing() as connection:
            state = await self._locked(connection)
            if state.zone != self._zone:
                await self._move_to_zone(connection, state)
                return True
            return (
                await self._fold_again(connection, state)
                or await self._fold_slice(connection, state, now)
                or await self._sum_up(connection, DAYS, state.days, state.folded)
                or await self._sum_up(connection, MONTHS, state.months, state.days)
            )

    async def _locked(self, connection: AsyncConnection) -> State:
        await connection.execute(_MADE)
        if not self.engines.is_sqlite:
            await connection.execute(_LOCKED)
        return await read_state(connection)

    @property
    def _zone(self) -> str:
        return str(self.calendar.zone)

    async def _move_to_zone(self, connection: AsyncConnection, state: State) -> None:
        """Forget the days of another zone and, where its slots differ, what has rows."""
        for kind in KINDS:
            levels = kind.table.c.level
            await connection.execute(delete(kind.table).where(levels.in_([DAYS, MONTHS])))
        await put_meta(connection, "days", 0, self._zone)
        await put_meta(connection, "months", 0)
        if state.zone and await self._has_parts(connection, state):
            await put_meta(connection, "folded", state.pruned)
            await connection.execute(delete(REFOLDS))

    async def _has_parts(self, connection: AsyncConnection, state: State) -> bool:
        """Return whether hours are split, in the old zone or in this one."""
        split = select(_R.start).where(
            _R.level == HOURS, _R.shape == 0, _R.start >= state.pruned, _R.start % HOUR != 0
        )
        if (await connection.execute(split.limit(1))).first() is not None:
            return True
        return slot_seconds(self.calendar.zone, state.pruned, state.folded) < HOUR

    async def _fold_again(self, connection: AsyncConnection, state: State) -> bool:
        """Fold an hour that got a row since."""
        if not state.refolds:
            return False
        hour = state.refolds[0]
        await self._rewrite(connection, hour, hour + HOUR)
        for level, known in ((DAYS, state.days), (MONTHS, state.months)):
            period = self._period(level, hour)
            while period.start < min(hour + HOUR, known):
                await self._rewrite_period(connection, level, period)
                period = self._period(level, period.end)
        await connection.execute(delete(REFOLDS).where(REFOLDS.c.hour == hour))
        return True

    async def _fold_slice(self, connection: AsyncConnection, state: State, now: float) -> bool:
        found = (await connection.execute(_FIRST, {"start": state.folded * SECOND_MS})).first()
        if found is None:
            return False
        first = _hour_of(found[0])
        limit = min(_hour(now - GRACE_SECONDS), await self._settled(connection, now))
        if first >= limit:
            return False
        further = await connection.execute(_FURTHER, {"start": first * SECOND_MS})
        beyond = further.scalar()
        end = limit if beyond is None else min(limit, max(first + HOUR, _hour_of(beyond)))
        await self._rewrite(connection, first, end, state.folded)
        await put_meta(connection, "folded", end)
        return True

    async def _settled(self, connection: AsyncConnection, now: float) -> int:
        """Return the hour up to which all rows are settled, or too old to be waited for."""
        oldest = await connection.scalar(OLDEST_UNFINISHED)
        too_old = _hour(now - UNSETTLED_SECONDS)
        return _hour(now) if oldest is None else max(_hour_of(oldest), too_old)

    async def _rewrite(
        self, connection: AsyncConnection, start: int, end: int, since: int | None = None
    ) -> None:
        """Sum the rows of some hours; what was there since ``since`` (None: start) is deleted."""
        times = {"start": start, "end": end}
        gone = {"start": start if since is None else since, "end": end}
        slot = slot_seconds(self.calendar.zone, start, end - 1)
        for folding in FOLDINGS:
            for level in (QUARTERS, HOURS):
                await connection.execute(folding.forget, {"level": level, **gone})
            for statement in folding.quarters:
                await connection.execute(statement, _of_rows(start, end, QUARTER))
            for statement in folding.hours:
                await connection.execute(statement, _of_rows(start, end, slot))
            for statement in folding.rest:
                await connection.execute(statement, times)

    async def _sum_up(self, connection: AsyncConnection, level: int, done: int, below: int) -> bool:
        """Sum up days, or months, from ``done`` on whose parts are all known up to ``below``."""
        end = done
        for _ in range(PERIODS_A_STEP):
            first = await connection.scalar(_FIRST_PART, {"level": level - 1, "start": end})
            if first is None or first >= below:
                break
            period = self._period(level, first)
            if period.end > below:
                break
            await self._rewrite_period(connection, level, period)
            end = int(period.end)
        if end == done:
            return False
        await put_meta(connection, _WATERMARKS[level], end, self._zone)
        return True

    def _period(self, level: int, at: float) -> Period | Day:
        day = self.calendar.day(at)
        return day if level == DAYS else day.month

    async def _rewrite_period(
        self, connection: AsyncConnection, level: int, period: Period | Day
    ) -> None:
        start, end = int(period.start), int(period.end)
        times = {"start": start, "end": end}
        for folding in FOLDINGS:
            await connection.execute(folding.forget, {"level": level, **times})
            for statement in folding.days if level == DAYS else folding.months:
                await connection.execute(statement, times)


async def read_state(connection: AsyncConnection) -> State:
    """Return how far the roll-ups are; all statements of the connection must see one state.

    An hour whose rows were pruned is never folded again.
    """
    numbers: dict[str, int] = {}
    refolds: list[int] = []
    zone = ""
    for name, number, words in await connection.execute(_STATE):
        if name == _REFOLD:
            refolds.append(number)
        else:
            numbers[name], zone = number, words or zone
    pruned = numbers.get("pruned", 0)
    kept = sorted(hour for hour in refolds if hour >= pruned)
    return State(zone=zone, refolds=tuple(kept), **numbers)


async def put_meta(
    connection: AsyncConnection, name: str, number: int, words: str | None = None
) -> None:
    """Write a single value."""
    await connection.execute(_PUT, {"name": name, "number": number, "words": words})


def _of_rows(start: int, end: int, slot: int) -> dict[str, int]:
    """Return the parameters of a statement that reads rows, for times in seconds."""
    return {
        "start": start * SECOND_MS,
        "end": end * SECOND_MS,
        "slot": slot,
        "slot_ms": slot * SECOND_MS,
    }


def _hour(seconds: float) -> int:
    return int(seconds // HOUR) * HOUR


def _hour_of(milliseconds: int) -> int:
    return _hour(milliseconds // SECOND_MS)


_WATERMARKS = {DAYS: "days", MONTHS: "months"}
_PUT = text(
    "INSERT INTO meta (name, number, words) VALUES (:name, :number, :words) "
    "ON CONFLICT (name) DO UPDATE SET number = excluded.number, words = excluded.words"
)
_MADE = text("INSERT INTO meta (name, number) VALUES ('folded', 0) ON CONFLICT (name) DO NOTHING")
_LOCKED = select(META.c.number).where(META.c.name == "folded").with_for_update()
_REFOLD = "refold"
_STATE = union_all(
    select(META.c.name, META.c.number, META.c.words).where(
        META.c.name.in_(["folded", "days", "months", "pruned"])
    ),
    select(literal(_REFOLD), cast(REFOLDS.c.hour, WHOLE), cast(null(), Text)),
)
_STARTED = select(_G.started).order_by(_G.started).limit(1)
_FIRST = _STARTED.where(_G.started >= whole("start"))
_FURTHER = _FIRST.offset(ROWS_A_SLICE)
OLDEST_UNFINISHED = select(func.min(_G.started + 0)).where(_G.ending.is_(None))
"""The start of the oldest row that runs. Without the 0, SQLite would go through all rows in the
order of ``started``, and not through the few in the index of unfinished ones."""
_FIRST_PART = (
    select(_R.start)
    .where(_R.level == whole("level"), _R.shape == 0, _R.start >= whole("start"))
    .order_by(_R.start)
    .limit(1)
)
