"""The composition root: settings in, a wired application out, and nothing else."""

import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial

from aiohttp import web, web_response
from yarl import URL

from gemproxy.access.door import Door, Mode
from gemproxy.access.keys import AccessKeys
from gemproxy.admin.guard import GUARD
from gemproxy.config.operators import mode_of
from gemproxy.config.outbound import resolve_proxy
from gemproxy.config.settings import Loaded, Settings, values_of
from gemproxy.config.starting import access_keys
from gemproxy.exchange.exchange import Exchange
from gemproxy.metering.meter import UNMETERED
from gemproxy.openai.catalogue import Shelf
from gemproxy.openai.drawn import Drawn
from gemproxy.pages.rendering import set_up
from gemproxy.relay import octets
from gemproxy.relay.dispatcher import Dispatcher
from gemproxy.relay.handshake import open_sockets
from gemproxy.relay.inflight import InFlight
from gemproxy.relay.leases import ClientsOwn, CredentialSource
from gemproxy.relay.sessions import UploadSessions, new_key
from gemproxy.relay.upstream import Upstream, open_upstream
from gemproxy.routes import OTHERS, USUAL
from gemproxy.routes.parts import (
    ADMIN_SECRET,
    CATALOGUE,
    CLIENTS,
    DISPATCHER,
    DOOR,
    DRAWN,
    IN_FLIGHT,
    METER,
    PRESENT,
    UPLOADS,
    Clients,
    Present,
)
from gemproxy.web.accounting import open_meter
from gemproxy.web.admin import OPERATING, guard_of, open_admin, operator_of
from gemproxy.web.checks import answering_expectations
from gemproxy.web.cors import Cors
from gemproxy.web.dialect import fetching
from gemproxy.web.keeping import keep_streams
from gemproxy.web.live import Learnt, live_of
from gemproxy.web.metrics import count_requests, open_metrics, route
from gemproxy.web.middlewares import MIDDLEWARES, stamp
from gemproxy.web.neighbours import NEIGHBOURS, Neighbours
from gemproxy.web.pictures import open_pictures
from gemproxy.web.playground import staged
from gemproxy.web.pooling import needs_pool, open_pool
from gemproxy.web.status import ROUTES as STATUS
from gemproxy.web.status import show_status
from gemproxy.web.streams import STREAMS, show_streams
from gemproxy.web.tracing import open_tracing
from gemproxy.web.tuning import TUNER, Tuner, following
from gemproxy.web.waking import keep_awake

SERVER = "gemproxy"
"""What an answer without a Server header of the upstream's says that it comes from.

aiohttp tells its release and Python's instead, also where its parser refuses a request, which
nothing of an application sees.
"""

Lender = Callable[[Upstream, URL, web.Application], AbstractAsyncContextManager[CredentialSource]]
"""Opens the source of credentials."""


def create_app(
    settings: Settings,
    upload_key: bytes | None = None,
    source: Callable[[URL], CredentialSource] | None = None,
    neighbours: Neighbours | None = None,
    origins: Mapping[str, str] | None = None,
) -> web.Application:
    """Return the application that serves ``settings``; it connects nowhere before startup.

    ``source`` makes what gives the credentials for the upstream at a base URL; None: the settings
    say whose they are. Raises Unusable for a data directory that cannot be used, as its startup
    does.

    Applications with one ``upload_key`` go on with each other's uploads; None: a key of its own.
    ``neighbours`` are the other workers; None: there are none. ``origins`` says where the settings
    come from (``Loaded.origins``); None: nobody has set one.
    """
    web_response.SERVER_SOFTWARE = SERVER  # type: ignore[attr-defined]  # there is no setting
    octets.install()
    app = web.Application(client_max_size=settings.server.max_body_bytes, middlewares=MIDDLEWARES)
    app[NEIGHBOURS] = neighbours or Neighbours()
    app[IN_FLIGHT] = InFlight(settings.server.max_connections)
    app[STREAMS] = show_streams(app)
    show_status(app)
    app[CLIENTS] = Clients(
        public_url=settings.server.public_url,
        send_timeout=settings.client.send_timeout_seconds,
        heartbeat=settings.client.heartbeat_seconds,
        body_timeout=settings.server.request_body_timeout,
        body_rate=settings.server.request_body_rate,
        server_timing=settings.server.server_timing,
    )
    count_requests(settings, app)
    app[METER] = UNMETERED
    learnt = Learnt.of(settings)
    app[PRESENT] = Present(live_of(settings, learnt))
    app[TUNER] = Tuner(Loaded(settings, origins or dict.fromkeys(values_of(settings), "default")))
    app[TUNER].takers.append(partial(_renew, app, learnt))
    app[CATALOGUE] = Shelf()
    app[DRAWN] = Drawn()
    app[ADMIN_SECRET] = settings.admin.secret
    app[UPLOADS] = UploadSessions(key=upload_key or new_key())
    pooled = source is None and needs_pool(settings)
    app[DOOR] = _door(settings, app, stored=pooled)
    lender = partial(open_pool, settings) if pooled else _lending(source or ClientsOwn)
    app.cleanup_ctx.append(partial(open_tracing, settings))
    app.cleanup_ctx.append(partial(_account, settings, pooled=pooled))
    app.cleanup_ctx.append(partial(_keep_pictures, settings))
    app.cleanup_ctx.append(partial(_connect, settings, lender))
    app.cleanup_ctx.append(partial(_measure, settings))
    app.cleanup_ctx.append(partial(keep_streams, settings))
    if settings.openai.fetch_images:
        app.cleanup_ctx.append(partial(fetching, settings))
    app.cleanup_ctx.append(following)
    app[GUARD] = guard_of(settings, app)
    set_up(app)
    app.cleanup_ctx.append(partial(open_admin, settings))
    app.cleanup_ctx.append(_answer_neighbours)
    app.cleanup_ctx.append(partial(keep_awake, settings))
    app.on_response_prepare.append(stamp)
    Cors(settings.server.cors_origins).apply_to(app)
    routes = [*USUAL, *OPERATING, route(settings), *STATUS, *OTHERS]
    app.add_routes(answering_expectations(routes))
    return app


def _renew(app: web.Application, learnt: Learnt, settings: Settings) -> None:
    """Have the next request begin with other settings."""
    learnt.adopt(settings)
    app[PRESENT].live = live_of(settings, learnt)
    app[DISPATCHER].patience = settings.upstream.first_byte_timeout_seconds


def _lending(source: Callable[[URL], CredentialSource]) -> Lender:
    """Return what opens a source that needs nothing but the base URL."""
    return lambda _upstream, base, _app: contextlib.nullcontext(source(base))


async def _account(
    settings: Settings, app: web.Application, *, pooled: bool
) -> AsyncIterator[None]:
    """Keep the meter between startup and cleanup: it ends behind all that uses it."""
    async with open_meter(settings, app, pooled=pooled):
        yield


async def _answer_neighbours(app: web.Application) -> AsyncIterator[None]:
    """Answer the other workers as long as all that they ask about is there."""
    async with app[NEIGHBOURS].listening():
        yield


async def _measure(settings: Settings, app: web.Application) -> AsyncIterator[None]:
    """Keep what the metrics read running between startup and cleanup."""
    async with open_metrics(settings, app):
        yield


async def _keep_pictures(settings: Settings, app: web.Application) -> AsyncIterator[None]:
    """Keep the store of pictures open between startup and cleanup."""
    async with open_pictures(settings, app):
        yield


async def _connect(settings: Settings, lender: Lender, app: web.Application) -> AsyncIterator[None]:
    """Keep the way to the upstream open between startup and cleanup."""
    base = URL(settings.upstream.url_base)
    proxy = resolve_proxy(settings.upstream.proxy, base, os.environ)
    patience = settings.upstream.connect_timeout_seconds
    largest, direct = settings.repair.max_frame_bytes, settings.upstream.direct
    async with (
        open_upstream(connect_timeout=patience, proxy=proxy, direct=direct) as upstream,
        open_sockets(connect_timeout=patience, proxy=proxy, max_message=largest) as sockets,
        lender(upstream, base, app) as source,
        staged(app, source) as stage,
    ):
        app[DISPATCHER] = Dispatcher(
            upstream,
            sockets,
            stage,
            base,
            settings.upstream.first_byte_timeout_seconds,
        )
        yield


def _door(settings: Settings, app: web.Application, *, stored: bool) -> Door:
    """Return the door of ``app``; ``stored``: whether the data directory has keys."""
    given = access_keys(settings.access.keys, settings.access.password)
    mode = Mode(mode_of(settings, stored=stored))

    def vouch(exchange: Exchange) -> str | None:
        if exchange.family != "upload":
            return None
        return app[UPLOADS].maker_of(exchange)  # a pool brings its own

    origins = settings.server.cors_origins
    return Door(
        mode,
        AccessKeys.of(given),
        settings.pool.open,
        vouch,
        origins,
        operator=operator_of(settings),
    )
