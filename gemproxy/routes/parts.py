"""The typed keys under which the application hands its parts to the routes.

The composition root fills them; a route takes from them what it needs, and nothing of the
settings beyond that.
"""

from aiohttp import web
from yarl import URL

from gemproxy.exchange.exchange import Exchange
from gemproxy.relay.inflight import InFlight
from gemproxy.relay.sessions import UploadSessions
from gemproxy.relay.upstream import Upstream

IN_FLIGHT = web.AppKey("in_flight", InFlight)
UPSTREAM = web.AppKey("upstream", Upstream)
BASE_URL = web.AppKey("base_url", URL)
PUBLIC_URL = web.AppKey("public_url", str)
UPLOADS = web.AppKey("uploads", UploadSessions)
FIRST_BYTE_TIMEOUT = web.AppKey("first_byte_timeout", float)
BODY_RATE = web.AppKey("body_rate", float)
BODY_TIMEOUT = web.AppKey("body_timeout", float)
SEND_TIMEOUT = web.AppKey("send_timeout", float)

EXCHANGE = web.RequestKey("exchange", Exchange)
"""The request as the inside sees it; made before any handler runs."""
