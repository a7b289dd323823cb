"""The composition of the metrics, and the route that shows them.

Programs of this machine may read ``/metrics``; others need the operator's secret. With a port of
their own the metrics are there alone, for everybody who reaches it: they have no key, no content
and no name of a user, and only this machine reaches it unless ``metrics.host`` says otherwise.
"""

import contextlib
from collections.abc import AsyncIterator, Callable

from aiohttp import hdrs, web

from gemproxy.accounts.prices import Prices
from gemproxy.admin.guard import require_unless_local
from gemproxy.config.settings import Settings
from gemproxy.core.errors import Unrouted, WrongMethod
from gemproxy.metrics import page
from gemproxy.metrics.counts import Counts
from gemproxy.metrics.gathering import PATH, Gathering
from gemproxy.metrics.labels import ModelLabels
from gemproxy.metrics.readings import LoopLag, Process, build
from gemproxy.metrics.recorder import Recorder
from gemproxy.metrics.snapshot import Reading
from gemproxy.routes.parts import PRICES
from gemproxy.store.unusable import Unusable
from gemproxy.web.accounting import calendar_of
from gemproxy.web.neighbours import NEIGHBOURS
from gemproxy.web.totals import of_parts, refreshing

METRICS = web.AppKey("metrics", Recorder)
"""Only there if requests are counted."""
GATHERING = web.AppKey("gathering", Gathering)

_OFF = "Metrics are off: metrics.enabled is false."
_ELSEWHERE = "Metrics are on a port of their own (metrics.port)."


def count_requests(settings: Settings, app: web.Application) -> None:
    """Have the requests of ``app`` counted, if the settings say so."""
    if not settings.metrics.enabled:
        return
    counts = Counts()
    models = ModelLabels(_known(settings, app))
    app[METRICS] = Recorder(counts, models)
    neighbours = app[NEIGHBOURS]
    others = [number for number in range(neighbours.workers) if number != neighbours.number]
    readings: list[Reading] = [build, Process(), of_parts(app, models)]
    gathering = app[GATHERING] = Gathering(counts, readings, neighbours, others)
    neighbours.answerers[PATH] = gathering.answer


def _known(settings: Settings, app: web.Application) -> Callable[[str], str | None]:
    """Return what finds the label of a model: its name in the settings or in the price table."""
    named = {
        settings.openai.default_model,
        settings.images.default_model,
        *settings.openai.aliases.values(),
        *settings.pool.limits,
    }

    def known(name: str) -> str | None:
        if name in named:
            return name
        prices: Prices | None = app.get(PRICES)
        return None if prices is None else prices.name_of(name)

    return known


@contextlib.asynccontextmanager
async def open_metrics(settings: Settings, app: web.Application) -> AsyncIterator[None]:
    """Keep what measures running while entered, and the port of the metrics open.

    Raises Unusable for a port that cannot be listened on.
    """
    if not settings.metrics.enabled:
        yield
        return
    lag, readings = LoopLag(), app[GATHERING].readings
    readings.append(lag)
    lag.start()
    try:
        async with refreshing(app, calendar_of(settings)) as totals, _own_port(settings, app):
            if totals is not None:
                readings.append(totals)
            yield
    finally:
        lag.stop()


@contextlib.asynccontextmanager
async def _own_port(settings: Settings, app: web.Application) -> AsyncIterator[None]:
    """Keep the port open in the first worker, which asks the others."""
    if not settings.metrics.port or app[NEIGHBOURS].number:
        yield
        return
    own = web.Application()
    own[GATHERING] = app[GATHERING]
    own.router.add_get("/metrics", _page)
    runner = web.AppRunner(own, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        host, port = settings.metrics.host, settings.metrics.port
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            why = f"cannot be listened on at {host}: {error.strerror or error}"
            raise Unusable("metrics.port", why) from None
        yield
    finally:
        await runner.cleanup()


def route(settings: Settings) -> web.RouteDef:
    """Return the route of the metrics on the port of the proxy, in all its spellings.

    Nothing at these paths goes up, whatever its method.
    """
    why = _ELSEWHERE if settings.metrics.port else ""
    if not settings.metrics.enabled:
        why = _OFF

    async def handle(request: web.Request) -> web.StreamResponse:
        require_unless_local(request)
        if why:
            raise Unrouted(why)
        if request.method not in (hdrs.METH_GET, hdrs.METH_HEAD):
            raise WrongMethod("Metrics are read with GET.", hdrs.METH_GET, hdrs.METH_HEAD)
        return await _page(request)

    return web.route("*", "/{slash:/*}metrics{end:/*}", handle, name="metrics")


async def _page(request: web.Request) -> web.StreamResponse:
    """Answer with the numbers of all workers."""
    snapshot = await request.app[GATHERING].whole()
    accept = request.headers.get(hdrs.ACCEPT, "")
    if request.query.get("format") == "json" or "application/json" in accept.lower():
        shown = await page.json(snapshot)
    else:
        shown = await page.text(snapshot, accept)
    headers = {hdrs.CONTENT_TYPE: shown.content_type, hdrs.CACHE_CONTROL: "no-store"}
    return web.Response(body=shown.body, headers=headers)
