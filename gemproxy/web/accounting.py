"""The composition of the accounts: settings in, the meter of the application out.

A proxy without limits and without a ledger keeps the meter that lets everything pass. Else the
counters of the day and the month are rebuilt from the ledger before the first request comes in, and
meanwhile the holds of running requests are renewed, and the ledger is summed up and pruned.

In passthrough mode a ledger that cannot be opened is a warning: the requests of clients with their
own keys do not depend on it.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from gemproxy.accounts.addresses import Proxies
from gemproxy.accounts.calendar import Calendar
from gemproxy.accounts.hold import Spent
from gemproxy.accounts.limiter import MemoryLimiter
from gemproxy.accounts.prices import Prices
from gemproxy.config.operators import keeps_a_ledger
from gemproxy.config.places import prices_of
from gemproxy.config.settings import Settings
from gemproxy.ledger.engine import place_of
from gemproxy.ledger.ledger import Ledger
from gemproxy.ledger.queries import Committed, Queries
from gemproxy.ledger.rollup import Rollups
from gemproxy.ledger.schema import unusable
from gemproxy.ledger.upkeep import EVERY_SECONDS, Upkeep
from gemproxy.metering.accountant import Accountant
from gemproxy.metering.serials import PROCESSES, Serials
from gemproxy.observe.background import repeat
from gemproxy.routes.parts import METER, PRICES
from gemproxy.store.unusable import Unusable

LEDGER = web.AppKey("ledger", Ledger)
"""The open ledger; only there if requests are written down."""

_RENEWALS = 3
"""Renewals in the life of a hold."""

_log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def open_meter(
    settings: Settings, app: web.Application, *, pooled: bool
) -> AsyncIterator[None]:
    """Keep the meter and the prices of ``app`` while entered. Raises Unusable.

    At the exit what waits for the ledger is written.
    """
    prices = app[PRICES] = prices_of(settings.accounts.prices)
    limited = settings.access.requests_per_minute or settings.access.requests_per_day_per_ip
    wanted = keeps_a_ledger(settings, pooled=pooled)
    ledger = await _open_ledger(settings, pooled=pooled) if wanted else None
    if not (pooled or limited or ledger):
        yield
        return
    if ledger is not None:
        app[LEDGER] = ledger
    try:
        meter = app[METER] = _accountant(settings, prices, ledger)
        if ledger is not None and pooled:
            await _restore(meter, ledger, settings)
        async with _running(meter, ledger, settings):
            yield
    finally:
        if ledger is not None:
            await ledger.close()


@contextlib.asynccontextmanager
async def _running(
    meter: Accountant, ledger: Ledger | None, settings: Settings
) -> AsyncIterator[None]:
    """Run what goes on in the background while entered."""
    pause = settings.accounts.hold_seconds / _RENEWALS
    tasks = [asyncio.create_task(repeat(meter.renew, lambda: pause))]
    if ledger is not None:
        rollups = Rollups(ledger.engines, calendar_of(settings))
        upkeep = Upkeep(rollups, settings.ledger.retention_days)
        tasks.append(asyncio.create_task(repeat(upkeep.tend, lambda: EVERY_SECONDS)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _open_ledger(settings: Settings, *, pooled: bool) -> Ledger | None:
    try:
        place = place_of(settings.ledger.database_url, Path(settings.server.data_dir))
        return await Ledger.open(place, settings.ledger.queue)
    except Unusable as error:
        if pooled:
            raise
        _log.warning("requests are not written to a ledger: %s: %s", error.setting, error)
        return None


def _accountant(settings: Settings, prices: Prices, ledger: Ledger | None) -> Accountant:
    access, accounts = settings.access, settings.accounts
    process = ledger.process if ledger is not None else 0
    limiter = MemoryLimiter(
        calendar_of(settings),
        access.requests_per_minute,
        access.requests_per_day_per_ip,
        accounts.hold_seconds,
        accounts.unpriced == "allow",
    )
    return Accountant(
        limiter,
        prices,
        Serials(process or secrets.randbelow(PROCESSES)).next,
        ledger,
        everywhere=bool(access.requests_per_minute or access.requests_per_day_per_ip),
        per_address=bool(access.requests_per_day_per_ip),
        proxies=Proxies(settings.server.trusted_proxies),
        max_output=accounts.max_output_tokens,
    )


def calendar_of(settings: Settings) -> Calendar:
    """Return the calendar of limits and figures."""
    return Calendar(ZoneInfo(settings.accounts.timezone))


async def _restore(meter: Accountant, ledger: Ledger, settings: Settings) -> None:
    """Have the limiter count what the ledger has of this day and this month."""
    calendar, now = calendar_of(settings), meter.clock()
    today, queries = calendar.day(now), Queries(ledger.engines, calendar)
    try:
        day = await queries.committed(today.start)
        month = await queries.committed(today.month.start)
    except (SQLAlchemyError, OSError) as error:
        raise unusable(ledger.engines.place, error) from None
    meter.limiter.restore(map(_spent, day), map(_spent, month), now)


def _spent(committed: Committed) -> Spent:
    return Spent(
        committed.user, committed.model, committed.requests, committed.tokens, committed.nano_usd
    )
