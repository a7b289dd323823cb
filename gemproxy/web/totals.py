"""What the metrics read of the running parts of an application, when somebody scrapes.

The totals of the ledger come from the one query layer (``ledger.queries``). They are read once a
minute, so a scrape never waits for the database.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator

import attrs
from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from gemproxy.accounts.calendar import Calendar
from gemproxy.accounts.user import NANO
from gemproxy.images.memory import Memory
from gemproxy.ledger.ledger import Ledger
from gemproxy.ledger.pieces import Span
from gemproxy.ledger.queries import Queries
from gemproxy.ledger.row import Ending
from gemproxy.ledger.sums import Sums
from gemproxy.metrics import families
from gemproxy.metrics.labels import NONE, ModelLabels
from gemproxy.metrics.snapshot import Value
from gemproxy.observe.background import repeat
from gemproxy.pool.pool import Pool
from gemproxy.pool.state import Why
from gemproxy.routes.parts import IN_FLIGHT, PICTURE_STORE
from gemproxy.web.accounting import LEDGER
from gemproxy.web.pooling import POOL

REFRESH_SECONDS = 60.0
_OF_KEYS = (Why.INVALID, Why.SUSPENDED, Why.LEAKED, Why.DISABLED, Why.BILLING, Why.DENIED)


def of_parts(app: web.Application, models: ModelLabels) -> Callable[[], Iterator[Value]]:
    """Return what reads the parts that ``app`` has at that moment."""

    def read() -> Iterator[Value]:
        yield families.INFLIGHT_REQUESTS, (), len(app[IN_FLIGHT])
        accounts = [run.exchange.account for run in app[IN_FLIGHT].running]
        streams = sum(one.glance is not None or bool(one.parts) for one in accounts)
        yield families.INFLIGHT_STREAMS, (), streams
        yield families.INFLIGHT_LIMIT, (), app[IN_FLIGHT].limit
        if POOL in app:
            yield from _of_pool(app[POOL], models, time.time())
        if LEDGER in app:
            yield from _of_ledger(app[LEDGER])
        if PICTURE_STORE in app:
            store = app[PICTURE_STORE]
            yield families.PICTURES_KEPT, (), store.tally.kept
            failures = store.writing.failures + store.reading.failures
            yield families.PICTURE_FAILURES, (), failures
            if isinstance(store.shelf, Memory):
                pictures, size = store.shelf.kept
                yield families.PICTURES, (), pictures
                yield families.PICTURE_BYTES, (), size

    return read


def _of_pool(pool: Pool, models: ModelLabels, now: float) -> Iterator[Value]:
    states, sick, rests = Counter[str](), Counter[Why](), Counter[tuple[str, str]]()
    seen: set[str] = set()
    for standing in pool.standings(now):
        states[standing.kind] += 1
        if standing.why is not None and standing.enabled:
            sick[standing.why] += 1
        if standing.project not in seen:
            seen.add(standing.project)
            rests.update((models.of(rest.model), rest.why.value) for rest in standing.rests)
    for state in ("ready", "resting", "sick", "disabled"):
        yield families.KEYS, (state,), states[state]
    for why in _OF_KEYS:
        yield families.KEYS_SICK, (why.value,), sick[why]
    for labels, number in rests.items():
        yield families.RESTS, labels, number
    for why in Why:
        yield families.COOLDOWNS, (why.value,), pool.falls[why]


def _of_ledger(ledger: Ledger) -> Iterator[Value]:
    health = ledger.health
    since = health.failing_since
    yield families.QUEUE_DEPTH, (), ledger.waiting
    yield families.USAGE_FAILURES, (), health.lost
    yield families.USAGE_FAILING, (), 0 if since is None else max(health.now() - since, 0)
    lost = (NONE, NONE, NONE, Ending.LOST.value)
    yield families.REQUESTS, lost, ledger.orphans


@attrs.define(eq=False)
class Totals:
    """The totals of the ledger for the running day and month, as of the last refresh."""

    queries: Queries
    calendar: Calendar
    clock: Callable[[], float] = time.time
    _values: list[Value] = attrs.field(factory=list)

    async def refresh(self) -> None:
        """Read the ledger. Raises SQLAlchemyError and OSError when the database fails."""
        today = self.calendar.day(self.clock())
        starts = {"day": today.start, "month": today.month.start}
        found = {
            period: await self.queries.total(Span(round(start * 1000)))
            for period, start in starts.items()
        }
        self._values = [value for period, sums in found.items() for value in _of_sums(period, sums)]

    def __call__(self) -> Iterator[Value]:
        """Yield what the last refresh found."""
        yield from self._values


def _of_sums(period: str, sums: Sums) -> Iterator[Value]:
    for ending in Ending:
        number = getattr(sums, ending.value)
        yield families.LEDGER_REQUESTS, (period, ending.value), number
    yield families.LEDGER_REQUESTS, (period, "running"), sums.running
    for kind in ("input", "output", "thought"):
        number = getattr(sums, f"{kind}_tokens")
        yield families.LEDGER_TOKENS, (period, kind), number
    yield families.LEDGER_USD, (period, "user"), sums.cost_nano_usd / NANO
    yield families.LEDGER_USD, (period, "operator"), sums.operator_cost_nano_usd / NANO


@contextlib.asynccontextmanager
async def refreshing(app: web.Application, calendar: Calendar) -> AsyncIterator[Totals | None]:
    """Yield the totals of the ledger, refreshed while entered; None without a ledger."""
    if LEDGER not in app:
        yield None
        return
    totals = Totals(Queries(app[LEDGER].engines, calendar), calendar)
    first = asyncio.create_task(_first(totals))
    rest = asyncio.create_task(repeat(totals.refresh, lambda: REFRESH_SECONDS))
    try:
        yield totals
    finally:
        for task in (first, rest):
            task.cancel()
        await asyncio.gather(first, rest, return_exceptions=True)


async def _first(totals: Totals) -> None:
    """Read the ledger at the start; later refreshes make good for a failure."""
    with contextlib.suppress(SQLAlchemyError, OSError):
        await totals.refresh()
