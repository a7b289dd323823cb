"""Unary methods of models: ``:generateContent``, and the POSTs that only compute an answer."""

import attrs
from aiohttp import web

from gemproxy.core.repair.unary import Look
from gemproxy.exchange.exchange import Exchange
from gemproxy.relay.bodies import Body
from gemproxy.routes.addressing import with_upstream_uris
from gemproxy.routes.calling import call
from gemproxy.routes.forwarding import pass_through
from gemproxy.routes.gathered import gather
from gemproxy.routes.metered import begun
from gemproxy.routes.parts import EXCHANGE, LIVE
from gemproxy.routes.shaped import is_shaped, shaped


async def generate(request: web.Request) -> web.StreamResponse:
    """Answer ``:generateContent``."""
    repair, exchange = request[LIVE].repair, request[EXCHANGE]
    if not repair.is_wanted(exchange.headers):
        return await pass_through(request)
    adds = is_shaped(request, exchange)
    whole = adds or bool(exchange.account.access)
    async with repair.bodies.receive(request, whole=whole) as received:
        body = shaped(request, received) if adds else received
        body = await _of_a_model(request, exchange, body)
        if repair.via_stream and body.stream is None:
            gathered = await gather(request, exchange, body)
            if gathered is not None:
                return gathered
        look = Look.DOCUMENT if _is_masked(request) else Look.GENERATION
        return await call(request, exchange, body, look)


async def compute(request: web.Request) -> web.StreamResponse:
    """Answer a POST that only computes: a count, an embedding, a prediction."""
    repair, exchange = request[LIVE].repair, request[EXCHANGE]
    if not repair.is_wanted(exchange.headers):
        return await pass_through(request)
    async with repair.bodies.receive(request, whole=bool(exchange.account.access)) as received:
        body = await _of_a_model(request, exchange, received)
        return await call(request, exchange, body, Look.DOCUMENT)


async def _of_a_model(request: web.Request, exchange: Exchange, body: Body) -> Body:
    """Admit a call to a model; return its body, with the upstream's URIs for files."""
    exchange.account.model = exchange.model
    body = await begun(request, body)
    kept = with_upstream_uris(request, body.kept)
    return body if kept is body.kept else attrs.evolve(body, kept=kept)


def _is_masked(request: web.Request) -> bool:
    """Tell an answer that is shown in part: what it does not say may have been left out."""
    masks = (request.query.get("fields"), request.query.get("$fields"))
    return any((*masks, request.headers.get("X-Goog-FieldMask")))
