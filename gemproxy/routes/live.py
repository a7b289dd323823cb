"""Live: ``/ws/...BidiGenerateContent`` and every other WebSocket, passed through both ways.

The upstream's handshake is made first, so that its refusal is the answer to the client's: with
its status, and its error. Then nothing is read of what the peers say to each other. A browser's
``Origin`` goes up like any header: there is nothing here that a page could use without a key
of its own.

Under an access key the client's handshake is answered first; see ``routes.sessions``.
"""

import logging

from aiohttp import web

from gemproxy.core.errors import BadRequest, Busy
from gemproxy.core.repair.unanswered import unanswered
from gemproxy.relay.handshake import Dialled
from gemproxy.relay.sockets import CLIENT_LOST, say_farewell
from gemproxy.relay.upstream import AttemptFailed
from gemproxy.routes.calling import fetch
from gemproxy.routes.metered import begin
from gemproxy.routes.parts import DISPATCHER, EXCHANGE, IN_FLIGHT
from gemproxy.routes.sessions import accept, keep, peer_of, serve_access_key, session_of

_PROTOCOLS = "Sec-WebSocket-Protocol"

# aiohttp writes the subprotocols down that a handshake offers, and some clients put keys there.
logging.getLogger("aiohttp.websocket").disabled = True


async def handle(request: web.Request) -> web.StreamResponse:
    """Serve a WebSocket; a GET that asks for none is fetched like any other."""
    upgrade = request.headers.get("Upgrade", "").strip().lower()
    if request.method != "GET" or upgrade != "websocket":
        return await fetch(request)
    if not web.WebSocketResponse().can_prepare(request):
        raise BadRequest("This is no WebSocket handshake: a header of it is missing or wrong.")
    _refuse_while_draining(request)
    exchange = request[EXCHANGE]
    if exchange.account.access:
        return await serve_access_key(request, next(iter(_offered(request)), None))
    await begin(request, None)
    try:
        async with request.app[DISPATCHER].socket(exchange, _offered(request)) as upstream:
            try:
                return await _serve(request, upstream)
            finally:
                await say_farewell(upstream.socket, CLIENT_LOST, 0)
    except AttemptFailed as failure:
        exchange.account.upstream = failure.how
        raise unanswered(failure.how) from failure


def _refuse_while_draining(request: web.Request) -> None:
    if request.app[IN_FLIGHT].draining:
        raise Busy("The proxy is shutting down.")


def _offered(request: web.Request) -> list[str]:
    """Return the subprotocols that the client offers, in its order."""
    names = (name.strip() for name in request.headers.get(_PROTOCOLS, "").split(","))
    return [name for name in names if name]


async def _serve(request: web.Request, upstream: Dialled) -> web.StreamResponse:
    """Open the client's half, and keep the session until it ends."""
    _refuse_while_draining(request)  # the upstream took its time
    client = await accept(request, upstream.socket.protocol)
    session = session_of(request, peer_of(request, client), upstream)
    await keep(request, session, session.run())
    return client
