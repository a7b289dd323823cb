"""Uploads: ``/upload/{version}/...``, begun and gone on with.

A request that begins an upload, or is all of it (the protocols ``raw`` and ``multipart``,
``uploadType=media``, the PUT of an environment's file), is passed through. A request to a URL
that we gave out is sent to where its session says, with the credential in it: google-genai
sends none there. Commands, offsets and sizes are headers, and pass.

Nothing is ever sent twice: only the client can know, after a ``query``, where to go on. Nor
is a body capped; it is streamed, and Google says when a file is too large.
"""

from aiohttp import web
from multidict import CIMultiDict

from gemproxy.core.errors import BadRequest
from gemproxy.exchange.exchange import Exchange
from gemproxy.relay.sessions import UPLOAD_ID, UnknownSession, is_session
from gemproxy.relay.upstream import Reply
from gemproxy.routes.addressing import addresses_of
from gemproxy.routes.forwarding import forward
from gemproxy.routes.parts import DISPATCHER, EXCHANGE, UPLOADS


async def handle(request: web.Request) -> web.StreamResponse:
    """Send a piece of an upload, or the start of one, up and the answer down."""
    client_url = _client_url(request)
    exchange = _of_its_session(request)

    def translate(reply: Reply, headers: CIMultiDict[str]) -> None:
        base = request.app[DISPATCHER].base
        request.app[UPLOADS].translate(
            headers,
            base=base,
            asked=exchange.target.on(base),
            sent=reply.credential,
            client_url=client_url,
        )

    return await forward(request, exchange, translate=translate, limit=None)


def _client_url(request: web.Request) -> str:
    """Return the URL by which the client asked, without its query."""
    ours = addresses_of(request).ours
    if ours is None:
        raise BadRequest("The Host header names no host.")
    return ours + request.rel_url.raw_path


def _of_its_session(request: web.Request) -> Exchange:
    """Return the exchange: where its session says, or where it would go without one."""
    exchange, upload_id = request[EXCHANGE], request.query.get(UPLOAD_ID, "")
    if not is_session(upload_id):
        return exchange
    try:
        session = request.app[UPLOADS].open(upload_id)
    except UnknownSession:
        reason = "The upload session is unknown or has expired."
        raise web.HTTPNotFound(reason=reason) from None
    return exchange.at(session.url, session.credential)
