"""Uploads: ``/upload/{version}/...``, begun and gone on with.

A request that begins an upload, or is all of it (the protocols ``raw`` and ``multipart``,
``uploadType=media``, the PUT of an environment's file), is passed through. A request to a URL
that we gave out is sent to where its session says, with the credential in it, or a key of the pool
that it names: google-genai sends none there. A session is good only for the client that began it.
Commands, offsets and sizes are headers, and pass.

Nothing is ever sent twice: only the client can know, after a ``query``, where to go on. Nor
is a body capped; it is streamed, and Google says when a file is too large.
"""

from aiohttp import web
from multidict import CIMultiDict

from gemproxy.core.errors import BadRequest
from gemproxy.exchange.exchange import Exchange
from gemproxy.relay.sessions import UnknownSession, is_session, upload_id_in
from gemproxy.relay.upstream import Reply
from gemproxy.routes.addressing import addresses_of
from gemproxy.routes.forwarding import forward
from gemproxy.routes.parts import EXCHANGE, UPLOADS


async def handle(request: web.Request) -> web.StreamResponse:
    """Send a piece of an upload, or the start of one, up and the answer down."""
    client_url = _client_url(request)
    exchange = _of_its_session(request)

    def translate(reply: Reply, headers: CIMultiDict[str]) -> None:
        if reply.lease is not None:
            request.app[UPLOADS].translate(
                headers,
                asked=exchange.target.on(reply.lease.base),
                lease=reply.lease,
                access=exchange.account.access,
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
    exchange = request[EXCHANGE]
    upload_id = upload_id_in(exchange.raw_query)
    if not is_session(upload_id):
        return exchange
    reason = "The upload session is unknown or has expired."
    try:
        session = request.app[UPLOADS].open(upload_id)
    except UnknownSession:
        raise web.HTTPNotFound(reason=reason) from None
    if session.access != exchange.account.access:
        raise web.HTTPNotFound(reason=reason)
    return exchange.at(session.url, session.credential, session.key, session.project)
