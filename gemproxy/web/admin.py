"""The composition of the admin API: settings and the parts of the application in, an API out.

By default it is on the proxy's port. There the middlewares hand it every request whose path means
it, before any route is asked. With ``admin.port`` it is an application of its own, and the main
port answers such paths with 404.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import attrs
import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware
from yarl import URL

from gemproxy.access.operator import Operator
from gemproxy.accounts.addresses import Proxies
from gemproxy.admin.application import API, Api, places_of
from gemproxy.admin.database import STATE, Database
from gemproxy.admin.desk import Desk, Figures
from gemproxy.admin.document import document, for_viewer
from gemproxy.admin.guard import GUARD, Guard
from gemproxy.admin.images import Gallery
from gemproxy.admin.page import DOCS, FAMILY, PAGE, Page, show
from gemproxy.admin.paths import ADMIN
from gemproxy.admin.table import ROUTES
from gemproxy.admin.users import CHANGED, Holders
from gemproxy.config.models import models_of
from gemproxy.config.settings import Settings
from gemproxy.config.starting import OPEN, SHARED
from gemproxy.ledger.audit import Audit
from gemproxy.ledger.queries import Queries
from gemproxy.metering.accountant import Accountant
from gemproxy.metering.roster import Roster
from gemproxy.pages.application import PAGES, Pages, administer
from gemproxy.pages.rendering import set_up
from gemproxy.routes.parts import (
    CLIENTS,
    DOOR,
    IN_FLIGHT,
    METER,
    PICTURE_STORE,
    PRESENT,
    PRICES,
    USERS,
)
from gemproxy.web.accounting import LEDGER, calendar_of
from gemproxy.web.checks import answering_expectations
from gemproxy.web.middlewares import stamp
from gemproxy.web.neighbours import NEIGHBOURS
from gemproxy.web.pages import pages_of
from gemproxy.web.pictures import kept_in_memory
from gemproxy.web.pooling import RING
from gemproxy.web.status import Machine
from gemproxy.web.streams import STREAMS
from gemproxy.web.tuning import TUNER

OPERATING = [web.route("*", DOCS + "{file:(?:/(?s:.*))?}", show, name=FAMILY)]
"""The routes outside of the API's base that are the operator's, on whichever port the API is."""


def guard_of(settings: Settings, app: web.Application) -> Guard:
    """Return the guard of the application, whose door it asks for access keys."""
    return Guard(
        operator=app[DOOR].operator,
        keys=app[DOOR].keys,
        hosts=frozenset(_hosts(settings)),
        proxies=Proxies(settings.server.trusted_proxies),
    )


def operator_of(settings: Settings) -> Operator | None:
    """Return who knows the operator's secret, None where none is set."""
    return Operator.of(settings.admin.secret)


async def open_admin(settings: Settings, app: web.Application) -> AsyncIterator[None]:
    """Keep the admin API while the application serves; the parts that it asks are there before."""
    described = document(ROUTES)
    database = _database(settings, app)
    desk = _desk(settings, app, msgspec.json.encode(described), database)
    api = Api(
        app[GUARD],
        desk,
        places_of(ROUTES),
        settings.server.request_body_timeout,
        settings.server.request_body_rate,
    )
    page = Page(app[GUARD], msgspec.json.encode(for_viewer(described)))
    pages = pages_of(settings, app, desk)
    app[OFFICE] = Office(api, page, pages)
    if not settings.admin.port:
        app[API], app[PAGE], app[PAGES] = api, page, pages
    try:
        yield
    finally:
        if database is not None:
            await database.close()


def _database(settings: Settings, app: web.Application) -> Database | None:
    """Return the ledger's database, and have ``app`` answer the other workers about its rows."""
    if LEDGER not in app:
        return None
    folder = Path(settings.server.data_dir, "backups")
    number = app[NEIGHBOURS].number
    database = Database(app[LEDGER], calendar_of(settings), folder, number)
    app[NEIGHBOURS].answerers[STATE] = database.state
    return database


def _desk(
    settings: Settings, app: web.Application, described: bytes, database: Database | None
) -> Desk:
    """Return what the handlers may use of the application."""
    ledger = app.get(LEDGER)
    queries = Queries(ledger.engines, calendar_of(settings)) if ledger else None
    return Desk(
        document=described,
        neighbours=app[NEIGHBOURS],
        streams=app[STREAMS],
        audit=Audit(ledger.engines) if ledger else None,
        figures=Figures(queries, lambda: _models(app)) if queries else None,
        settings=app[TUNER],
        database=database,
        users=_holders(settings, app),
        prices=app[PRICES],
        ring=app.get(RING),
        images=_gallery(settings, app),
        machine=Machine(app),
    )


def _gallery(settings: Settings, app: web.Application) -> Gallery | None:
    """Return the pictures that are kept; None without a storage."""
    store = app.get(PICTURE_STORE)
    if store is None:
        return None
    return Gallery(store, settings.images.storage, kept_in_memory(settings) or None)


def _models(app: web.Application) -> Iterable[str]:
    """Return the models that have a price, or that a setting names."""
    return {*app[PRICES].names, *models_of(app[TUNER].settings)}


def _holders(settings: Settings, app: web.Application) -> Holders | None:
    """Return the access keys, which the other workers ask it to look at; None without a pool."""
    directory, meter = app.get(USERS), app[METER]
    if directory is None:
        return None
    taken = {*directory.keys.given, SHARED, OPEN}
    roster = Roster(directory.users, directory.pepper, taken, settings.server.workers)
    assert isinstance(meter, Accountant)  # noqa: S101 (there is one wherever there is a pool)
    zone = ZoneInfo(settings.accounts.timezone)
    holders = Holders(roster, directory, meter.states, zone)
    app[NEIGHBOURS].answerers[CHANGED] = holders.look
    return holders


@attrs.frozen(eq=False)
class Office:
    """The API, its page and the pages, for the application of their own port."""

    api: Api
    page: Page
    pages: Pages


OFFICE = web.AppKey("office", Office)


def own_app(app: web.Application, middlewares: Sequence[Middleware]) -> web.Application:
    """Return the application of the admin API's own port, beside ``app``, which has started."""
    own = web.Application(middlewares=middlewares)
    own[IN_FLIGHT], own[CLIENTS], own[METER] = app[IN_FLIGHT], app[CLIENTS], app[METER]
    own[GUARD], own[DOOR], own[PRESENT] = app[GUARD], app[DOOR], app[PRESENT]
    own[API], own[PAGE], own[PAGES] = app[OFFICE].api, app[OFFICE].page, app[OFFICE].pages
    set_up(own)
    own.on_response_prepare.append(stamp)
    rest = web.route("*", "/{path:(?s:.*)}", administer, name=ADMIN)
    own.add_routes(answering_expectations([*OPERATING, rest]))
    return own


def _hosts(settings: Settings) -> Sequence[str]:
    """Return the names by which the proxy is known."""
    public = URL(settings.server.public_url).host if settings.server.public_url else ""
    named = [settings.server.host, settings.admin.host, public or "", *settings.admin.hosts]
    return [name.lower() for name in named if name]
