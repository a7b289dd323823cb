"""A ledger that tests write in, and what its rows sum up to, counted without SQL."""

import datetime as dt
import itertools
from collections.abc import Callable, Iterable
from typing import Any
from zoneinfo import ZoneInfo

import attrs

from gemproxy.accounts.calendar import Calendar
from gemproxy.ledger.buckets import BUCKETS, bucket_of
from gemproxy.ledger.cleanup import Cleanup
from gemproxy.ledger.engine import Engines
from gemproxy.ledger.queries import Queries
from gemproxy.ledger.rollup import Rollups
from gemproxy.ledger.row import Ending, Row
from gemproxy.ledger.rows import Rows
from gemproxy.ledger.sums import Sums

MS = 1000
_serials = itertools.count(1)


def at(text: str) -> int:
    """Return an ISO time, in UTC if it has no offset, as Unix milliseconds."""
    moment = dt.datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()) * MS


def row(started: int, **fields: Any) -> Row:
    """Return a settled row."""
    serial = next(_serials)
    given: dict[str, Any] = {
        "serial": started << 22 | serial,
        "request_id": f"r{serial}",
        "user": "ann",
        "model": "gemini-x",
        "project": "lab",
        "ending": Ending.DONE,
        "attempts": 1,
        "input_tokens": 10,
        "output_tokens": 3,
        "cost_nano_usd": 1_000 + serial,
        "operator_cost_nano_usd": 0,
        "duration_ms": 900,
    }
    return Row(started=started, **given | fields)


def summed(rows: Iterable[Row]) -> Sums:
    """Return the sums of rows."""
    total = Sums()
    for one in rows:
        total.requests += 1
        if one.ending is not None:
            name = one.ending.value
            setattr(total, name, getattr(total, name) + 1)
            total.unpriced += one.cost_nano_usd is None
        total.estimated += one.estimated
        total.retries += max(0, one.attempts - one.calls)
        if one.first_byte_ms is not None:
            total.first_bytes += 1
            total.count([number == bucket_of(one.first_byte_ms) for number in range(BUCKETS)])
        for name in Row.__struct_fields__:
            figure = getattr(one, name)
            if hasattr(total, name) and name != "estimated":
                setattr(total, name, getattr(total, name) + (figure or 0))
    return total


def grouped(rows: Iterable[Row], key: Callable[[Row], str]) -> dict[str, Sums]:
    """Return the sums of rows by a key."""
    groups: dict[str, list[Row]] = {}
    for one in rows:
        groups.setdefault(key(one), []).append(one)
    return {name: summed(members) for name, members in sorted(groups.items())}


@attrs.define
class Book:
    """A database with the parts that fold, read and prune it, in one time zone."""

    engines: Engines
    zone: dt.tzinfo = dt.UTC
    _rows: Rows = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._rows = Rows(self.engines.write.dialect)

    @property
    def calendar(self) -> Calendar:
        """The calendar of the zone."""
        return Calendar(self.zone)

    @property
    def queries(self) -> Queries:
        """What reads it."""
        return Queries(self.engines, self.calendar)

    @property
    def rollups(self) -> Rollups:
        """What folds it."""
        return Rollups(self.engines, self.calendar)

    async def put(self, *rows: Row, now: float = 4e9) -> None:
        """Write rows at a Unix time in seconds."""
        async with self.engines.writing() as connection:
            names = await self._rows.put(connection, 1, rows, now)
        self._rows.learn(names)

    async def fold(self, now: float) -> int:
        """Fold what can be folded; return the number of steps."""
        steps = 0
        while await self.rollups.fold(now):
            steps += 1
        return steps

    async def clean(self, now: float, days: float) -> int:
        """Delete what can be deleted; return the number of rows."""
        cleanup = Cleanup(self.engines)
        pruned, gone = await cleanup.aim(now, days), 0
        while batch := await cleanup.delete(pruned):
            gone += batch
        return gone


def zone(name: str) -> ZoneInfo:
    """Return a time zone."""
    return ZoneInfo(name)
