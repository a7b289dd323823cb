"""Unary calls: asked again while the client has nothing yet.

Only what changes nothing upstream is asked again: GET and HEAD, and the POSTs that compute
an answer. Uploads, creations, deletions, batches and long-running operations are none of
these, and go through once.
"""

from functools import partial

from aiohttp import web

from gemproxy.core.repair.request import StreamRequest
from gemproxy.core.repair.unary import Judge, Look
from gemproxy.exchange.exchange import Exchange
from gemproxy.owners.lists import listing_of
from gemproxy.relay.addresses import names_files
from gemproxy.relay.bodies import Body
from gemproxy.relay.downstream import ClientSink
from gemproxy.relay.pages import is_of_gemini, readable
from gemproxy.relay.parting import cut
from gemproxy.relay.unary import Call, Rewrite, Shelf
from gemproxy.relay.upstream import AttemptFailed
from gemproxy.relay.wants import BYTES, DOCUMENT
from gemproxy.routes.addressing import addresses_of, move_location
from gemproxy.routes.allowed import only_allowed
from gemproxy.routes.foreign import refuse_foreign
from gemproxy.routes.forwarding import pass_through
from gemproxy.routes.lists import listed
from gemproxy.routes.parts import CLIENTS, DISPATCHER, EXCHANGE, LIVE
from gemproxy.voices.sse import EventVoice


async def fetch(request: web.Request) -> web.StreamResponse:
    """Answer a GET or a HEAD."""
    refuse_foreign(request)
    exchange = request[EXCHANGE]
    listing = listing_of(exchange.path) if exchange.account.access else None
    if listing is not None:
        return await listed(request, listing)
    shown = only_allowed(request)
    if shown is not None:
        return await call(request, exchange, Body(), Look.STATUS, shown)
    repaired = request[LIVE].repair.is_wanted(exchange.headers)
    if request.body_exists or "Upgrade" in exchange.headers or not repaired:
        return await pass_through(request)
    rewrite = addresses_of(request).outward if names_files(exchange.raw_target) else None
    return await call(request, exchange, Body(), Look.STATUS, rewrite)


async def call(
    request: web.Request,
    exchange: Exchange,
    body: Body,
    look: Look,
    rewrite: Rewrite | None = None,
) -> web.StreamResponse:
    """Run one unary call; see ``relay.unary.Call`` for ``rewrite``."""
    repair, dispatcher, account = request[LIVE].repair, request.app[DISPATCHER], exchange.account
    repaired = repair.is_wanted(exchange.headers) and body.stream is None
    policy = repair.policy.for_request(repair=repaired)
    want = BYTES if look is Look.STATUS and rewrite is None else DOCUMENT
    sink = ClientSink(
        request, EventVoice(), request.app[CLIENTS].send_timeout, web.StreamResponse()
    )
    retell = partial(readable, request_id=exchange.id, voice=sink.voice)
    run = Call(
        Judge(StreamRequest(body.kept), policy, look),
        partial(dispatcher.attempt, exchange, body.once, want),
        repair.pacing(exchange, account.model or "", lambda: 0),
        sink,
        Shelf(repair.bodies, repair.keep_answer),
        exchange.deadline,
        dispatcher.silence(exchange),
        rewrite,
        partial(move_location, request),
        retell if is_of_gemini(exchange.path) else None,
    )
    try:
        await run.run()
    except AttemptFailed:
        cut(request)
    finally:
        account.result = run.report()
    return sink.response
