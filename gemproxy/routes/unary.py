"""Unary methods of models, and every GET: asked again while the client has nothing yet.

Only what changes nothing upstream is asked again: GET and HEAD, and the POSTs that compute
an answer. Uploads, creations, deletions, batches and long-running operations are none of
these, and go through once.
"""

from contextlib import AbstractAsyncContextManager
from functools import partial

import attrs
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from gemproxy.core.repair.request import StreamRequest
from gemproxy.core.repair.unary import Judge, Look
from gemproxy.observe.logs import request_id_var
from gemproxy.relay import headers as rules
from gemproxy.relay.addresses import names_files
from gemproxy.relay.bodies import Body
from gemproxy.relay.dialects import STANDARD
from gemproxy.relay.downstream import ClientSink
from gemproxy.relay.pages import is_of_gemini, readable
from gemproxy.relay.parting import cut
from gemproxy.relay.redirects import Hop, followed
from gemproxy.relay.unary import Call, OpenAttempt, Rewrite, Shelf, in_slices
from gemproxy.relay.upstream import Attempt, AttemptFailed
from gemproxy.relay.watch import Timing
from gemproxy.routes import passthrough
from gemproxy.routes.addressing import addresses_of, move_location, with_upstream_uris
from gemproxy.routes.gathered import gather
from gemproxy.routes.parts import EXCHANGE
from gemproxy.routes.stream import REPAIR_HEADER, STREAMING


@attrs.frozen
class Unary:
    """What unary calls share beyond what they share with streams.

    ``keep_answer`` is the largest answer (bytes) that is read to its end before it is passed
    on; ``via_stream`` runs a generation upstream as a stream.
    """

    keep_answer: int = 8 << 20
    via_stream: bool = False


UNARY = web.AppKey("unary", Unary)


async def generate(request: web.Request) -> web.StreamResponse:
    """Answer ``:generateContent``."""
    if not repairs(request):
        return await passthrough.handle(request)
    async with request.app[STREAMING].bodies.receive(request) as received:
        body = _of_a_model(request, received)
        if request.app[UNARY].via_stream and body.stream is None:
            gathered = await gather(request, body)
            if gathered is not None:
                return gathered
        look = Look.DOCUMENT if _is_masked(request) else Look.GENERATION
        return await call(request, body, look)


async def compute(request: web.Request) -> web.StreamResponse:
    """Answer a POST that only computes: a count, an embedding, a prediction."""
    if not repairs(request):
        return await passthrough.handle(request)
    async with request.app[STREAMING].bodies.receive(request) as received:
        return await call(request, _of_a_model(request, received), Look.DOCUMENT)


async def fetch(request: web.Request) -> web.StreamResponse:
    """Answer a GET or a HEAD."""
    if request.body_exists or "Upgrade" in request.headers or not repairs(request):
        return await passthrough.handle(request)
    naming = names_files(request.rel_url.raw_path_qs)
    rewrite = addresses_of(request).outward if naming else None
    return await call(request, Body(), Look.STATUS, rewrite=rewrite)


def repairs(request: web.Request) -> bool:
    """Tell whether anything may be asked again for this request."""
    off = request.headers.get(REPAIR_HEADER, "").strip().lower() == "off"
    return request.app[STREAMING].policy.repair and not off


async def call(
    request: web.Request,
    body: Body,
    look: Look,
    *,
    rewrite: Rewrite | None = None,
    target: str | None = None,
) -> web.StreamResponse:
    """Run one unary call; see ``relay.unary.Call`` for ``rewrite``.

    ``target`` replaces the path and query that the client sent.
    """
    streaming = request.app[STREAMING]
    policy = streaming.policy.for_request(repair=repairs(request) and body.stream is None)
    exchange = request[EXCHANGE]
    account, deadline = exchange.account, exchange.deadline
    timing = streaming.timing.within(deadline)
    if target is not None:
        exchange = exchange.towards(target)
    url, sent = exchange.target.on(streaming.base), exchange.caller
    sent = sent and sent.for_path(url.raw_path)
    sink = ClientSink(request, STANDARD, streaming.send_timeout, web.StreamResponse())
    reads = look is not Look.STATUS or rewrite is not None
    identity = reads and "Accept-Encoding" in request.headers
    headers = rules.upstream_headers(request.headers, sent, identity=identity)
    run = Call(
        Judge(StreamRequest(body.kept), policy, look),
        _opener(request, body, timing, url, headers),
        streaming.pacing(account.model or "", sent, deadline, lambda: 0),
        sink,
        Shelf(streaming.bodies, request.app[UNARY].keep_answer),
        deadline,
        timing.silence,
        rewrite,
        partial(move_location, request),
        partial(readable, request_id=request_id_var.get()) if is_of_gemini(request.path) else None,
    )
    try:
        await run.run()
    except AttemptFailed:
        cut(request)
    finally:
        account.result = run.report()
    return sink.response


def _of_a_model(request: web.Request, body: Body) -> Body:
    """Return the body of a call to a model, with the upstream's URIs for files."""
    exchange = request[EXCHANGE]
    exchange.account.model = exchange.model
    kept = with_upstream_uris(request, body.kept)
    return body if kept is body.kept else attrs.evolve(body, kept=kept)


def _opener(
    request: web.Request, body: Body, timing: Timing, url: URL, headers: CIMultiDict[str]
) -> OpenAttempt:
    """Return what makes one attempt: the client's request, with the ``headers`` that go up."""
    streaming = request.app[STREAMING]
    if body.kept:
        headers["Content-Length"] = str(len(body.kept))
    elif body.stream is not None and "Content-Length" in request.headers:
        headers["Content-Length"] = request.headers["Content-Length"]

    def send(hop: Hop) -> AbstractAsyncContextManager[Attempt]:
        data, patience = body.stream or in_slices(body.kept), timing.first_byte
        return streaming.upstream.forward(request.method, hop.url, hop.headers, data, patience)

    def open_attempt() -> AbstractAsyncContextManager[Attempt]:
        hop = Hop(url, timing.deadline.stamped(headers))
        if request.method == "POST":
            return send(hop)
        return followed(send, streaming.base, request.method, hop)

    return open_attempt


def _is_masked(request: web.Request) -> bool:
    """Tell an answer that is shown in part: what it does not say may have been left out."""
    masks = (request.query.get("fields"), request.query.get("$fields"))
    return any((*masks, request.headers.get("X-Goog-FieldMask")))
