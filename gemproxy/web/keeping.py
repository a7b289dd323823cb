"""The composition of streams that outlive their connections: settings in, their keeper out.

What a middleware does at the end of a request is done here at the end of a generation that no
request holds: its row, its line in the log, its metrics and its spans.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator

import attrs
from aiohttp import web

from gemproxy.config.settings import Settings
from gemproxy.core.errors import Cancelled
from gemproxy.exchange.exchange import Exchange
from gemproxy.metering.ending import ending_of
from gemproxy.metrics.recorder import End
from gemproxy.observe.background import repeat
from gemproxy.observe.logs import unsaid
from gemproxy.resume.keeper import Keeper, Over, Rules
from gemproxy.resume.shelf import Bounds, Shelf
from gemproxy.routes.parts import IN_FLIGHT, KEEPER, METER
from gemproxy.tracing.attempts import Served
from gemproxy.web.lines import write_line
from gemproxy.web.metrics import METRICS
from gemproxy.web.tracing import TRACER

_TEND_SECONDS = 0.5

_log = logging.getLogger(__name__)


@attrs.frozen(eq=False)
class AppRecords:
    """The records of an application; see ``Records``. ``scheme`` is that of its clients' URLs."""

    app: web.Application
    scheme: str = "http"

    def begin(self, exchange: Exchange) -> None:
        """Give the request its trace, if requests are traced."""
        tracer = self.app.get(TRACER)
        if tracer is not None:
            tracer.begin(exchange)

    def end(self, exchange: Exchange, over: Over) -> None:
        """Settle the request, and write its line, its metrics and its spans."""
        try:
            self._end(exchange, over)
        except Exception as error:  # noqa: BLE001 (the answer is made; only records are missing)
            _log.error("unexpected error at the end of a stream", exc_info=unsaid(error))

    def _end(self, exchange: Exchange, over: Over) -> None:
        app, account, ended = self.app, exchange.account, time.monotonic()
        status = Cancelled.status if account.cancelled else over.status
        gone = over.shutdown
        app[METER].end(exchange, status, cancelled=gone, expired=gone)
        write_line(exchange, over.status, over.size, ended - over.began)
        ending = ending_of(account, status, cancelled=gone, expired=gone).value
        recorder, tracer = app.get(METRICS), app.get(TRACER)
        if recorder is not None:
            recorder.ended(exchange, End(over.status, ending, over.began, ended, over.size))
        if tracer is not None and account.trace is not None:
            size = over.size
            tracer.end(Served(exchange, over.status, size, over.began, ended, ending, self.scheme))


async def keep_streams(settings: Settings, app: web.Application) -> AsyncIterator[None]:
    """Keep the keeper of ``app`` between startup and cleanup, if the settings want one."""
    if not wanted(settings):
        yield
        return
    scheme = "https" if settings.server.tls_cert else "http"
    keeper = app[KEEPER] = Keeper(
        Shelf(bounds_of(settings)),
        app[IN_FLIGHT],
        AppRecords(app, scheme),
        rules_of(settings),
    )
    task = asyncio.create_task(repeat(keeper.tend, lambda: _TEND_SECONDS))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await keeper.close()


def wanted(settings: Settings) -> bool:
    """Return whether streams are kept: as the settings say, else with one worker."""
    enabled = settings.resume.enabled
    return settings.server.workers == 1 if enabled is None else enabled


def bounds_of(settings: Settings) -> Bounds:
    """Return what may be kept."""
    resume = settings.resume
    return Bounds(
        resume.max_stream_bytes,
        resume.max_total_bytes,
        resume.max_streams,
        resume.max_streams_per_user,
        resume.ttl_seconds,
    )


def rules_of(settings: Settings) -> Rules:
    """Return who may follow, and how long an answer goes on alone."""
    resume = settings.resume
    return Rules(
        detach_seconds=resume.detach_max_seconds,
        detach_tokens=resume.detach_max_output_tokens,
        on_disconnect=resume.on_disconnect,
        followers=resume.max_followers,
        heartbeat=settings.client.heartbeat_seconds,
    )
