"""The beginning of a request that asks a model: it is admitted before anything goes up."""

import attrs
from aiohttp import web

from gemproxy.accounts.user import OWN
from gemproxy.exchange.exchange import Exchange
from gemproxy.metering.meter import UNMETERED
from gemproxy.relay.bodies import Body
from gemproxy.routes.parts import ADDRESS, EXCHANGE, METER, USER


async def begin(
    request: web.Request,
    body: bytes | None,
    model: str | None = None,
    exchange: Exchange | None = None,
) -> bytes | None:
    """Admit a request, and return the body that goes up; see ``Meter.begin``.

    ``exchange`` is that of a generation which outlives the request, else it is the request's.
    """
    meter = request.app[METER]
    if meter is UNMETERED:  # for which nothing is looked up
        return body
    user, address = request.get(USER, OWN), request.get(ADDRESS, "")
    return await meter.begin(exchange or request[EXCHANGE], user, address, body, model)


async def begun(request: web.Request, body: Body, model: str | None = None) -> Body:
    """Admit a request with a body that may be kept; return the one that goes up."""
    kept = await begin(request, None if body.stream is not None else body.kept, model)
    return body if kept is None or kept is body.kept else attrs.evolve(body, kept=kept)
