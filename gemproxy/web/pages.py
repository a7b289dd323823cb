"""The composition of the pages: settings and the API's desk in, the pages out."""

from aiohttp import web

from gemproxy.admin.desk import Desk
from gemproxy.admin.guard import GUARD
from gemproxy.config.settings import Settings
from gemproxy.pages.application import Pages, Places
from gemproxy.pages.entrance import ENDED, Entrance
from gemproxy.pages.forms import Forms
from gemproxy.pages.live import Live
from gemproxy.pages.session import Sessions
from gemproxy.pages.table import CHANGES, PAGES
from gemproxy.routes.parts import IN_FLIGHT
from gemproxy.web.neighbours import NEIGHBOURS


def pages_of(settings: Settings, app: web.Application, desk: Desk) -> Pages:
    """Return the pages of ``app``; it answers the other workers about ended sessions."""
    guard, server, secret = app[GUARD], settings.server, settings.admin.secret
    entrance = Entrance(guard, desk, Sessions.of(secret)) if secret else None
    if entrance is not None:
        app[NEIGHBOURS].answerers[ENDED] = entrance.heard
    return Pages(
        guard=guard,
        desk=desk,
        entrance=entrance,
        live=Live(lambda: app[IN_FLIGHT].draining),
        pages=Places.of(PAGES),
        changes=Places.of(CHANGES),
        menu=[page for page in PAGES if page.in_menu],
        forms=Forms(server.request_body_timeout, server.request_body_rate),
    )
