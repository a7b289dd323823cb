"""Forwarding: bytes in, bytes out, streamed both ways.

Method, path, body, status and headers pass as they come. What changes is what a hop has to
change: the hop-by-hop headers, the place of the credential, redirects of downloads, which
are followed, the URIs of files in small JSON bodies (see ``relay.addresses``), and what the
operator adds (see ``routes.shaped``). Under an access key a body is read whole before it goes up
(see ``owners.binding``). An event stream that breaks off
ends with an error where its reader is known by its path.
"""

import asyncio
from collections.abc import Callable

from aiohttp import web
from multidict import CIMultiDict

from gemproxy.core.answer.bystander import Bystander
from gemproxy.core.errors import GemproxyError
from gemproxy.core.repair.unanswered import unanswered
from gemproxy.exchange.account import Spent
from gemproxy.exchange.exchange import Exchange
from gemproxy.metering.asking import asks_a_model
from gemproxy.owners.binding import carries_names
from gemproxy.relay.addresses import LIMIT, names_files
from gemproxy.relay.bodies import Once, Outgoing
from gemproxy.relay.downstream import ClientSink
from gemproxy.relay.headers import downstream_headers
from gemproxy.relay.incoming import Incoming
from gemproxy.relay.passing import PassedThrough, passed_through
from gemproxy.relay.unary import bystander_of, is_json
from gemproxy.relay.upstream import AttemptFailed, Reply
from gemproxy.relay.wants import BYTES, DOCUMENT
from gemproxy.routes.addressing import addresses_of, move_location, with_upstream_uris
from gemproxy.routes.allowed import check_cache
from gemproxy.routes.metered import begin
from gemproxy.routes.parts import CLIENTS, DISPATCHER, EXCHANGE, IN_FLIGHT, LIVE
from gemproxy.routes.refusing import BROKEN_OFF, beginning, is_refusal, refuse
from gemproxy.routes.shaped import is_shaped, shaped
from gemproxy.voices.mute import MuteVoice

Headers = CIMultiDict[str]
Translate = Callable[[Reply, Headers], None]
"""Edits the headers of an answer for the client."""

_OK = 200
_ERRORS = 400


async def pass_through(request: web.Request) -> web.StreamResponse:
    """Send the request up and the answer down."""
    limit = None if _is_form(request) else request.client_max_size
    return await forward(
        request,
        request[EXCHANGE],
        translate=lambda _, headers: move_location(request, headers),
        limit=limit,
    )


async def forward(
    request: web.Request, exchange: Exchange, *, translate: Translate, limit: int | None
) -> web.StreamResponse:
    """Answer a request with what the upstream answers to ``exchange``.

    ``limit`` caps the request's body (bytes; None: no cap). Raises a GemproxyError while there is
    nothing to pass on.
    """
    _ = exchange.target  # a request that leads nowhere is refused before its body is read
    if not (request.body_exists and _is_read(request, exchange)):
        body = await _begun(request, exchange, await _body(request, exchange, limit))
        return await _send(request, exchange, body, translate)
    async with request[LIVE].repair.bodies.receive(request, whole=True) as received:
        check_cache(request, received.kept)
        adds = is_shaped(request, exchange)
        kept = shaped(request, received).kept if adds else received.kept
        body = Once(with_upstream_uris(request, kept))
        body = await _begun(request, exchange, body)
        return await _send(request, exchange, body, translate)


def _is_read(request: web.Request, exchange: Exchange) -> bool:
    """Return whether the body of a request must be read before it goes up."""
    if exchange.account.access and carries_names(exchange):
        return True
    return is_shaped(request, exchange)


async def _send(
    request: web.Request, exchange: Exchange, body: Outgoing, translate: Translate
) -> web.StreamResponse:
    """Send a request up and its answer down."""
    app = request.app
    read = names_files(exchange.raw_target) or exchange.account.metered is not None
    want = DOCUMENT if read else BYTES
    sink = ClientSink(request, MuteVoice(), app[CLIENTS].send_timeout, web.StreamResponse())
    try:
        async with app[DISPATCHER].attempt(exchange, body, want) as reply:
            await pass_on(request, exchange, reply, sink, translate)
    except AttemptFailed as failure:
        exchange.account.upstream = failure.how
        if not sink.committed:
            raise unanswered(failure.how) from failure
        await sink.fail(BROKEN_OFF.payload(exchange.id))
    except GemproxyError as error:  # the client's own: its body broke while it was answered
        if not sink.committed:
            raise
        await sink.fail(error.payload(exchange.id))
    except asyncio.CancelledError:
        reason = app[IN_FLIGHT].reason(exchange.account)
        if reason is None or not sink.committed:
            raise
        await sink.fail(reason.payload(exchange.id))
    return sink.response


async def pass_on(
    request: web.Request,
    exchange: Exchange,
    reply: Reply,
    sink: ClientSink,
    translate: Translate,
) -> None:
    """Pass an answer on, in a small JSON answer with our URIs for files."""
    headers = downstream_headers(reply.headers, rewritten=False)
    translate(reply, headers)
    if is_refusal(exchange, reply):
        await refuse(request, exchange, reply, sink, headers)
        return
    begun = b""
    if names_files(exchange.raw_target) and _may_name_files(reply):
        begun = await beginning(reply, LIMIT)
        edited = addresses_of(request).outward(begun) if len(begun) <= LIMIT else None
        if edited is not None:
            begun = edited
            headers["Content-Length"] = str(len(edited))
    passed = passed_through(exchange.path, reply.status, headers)
    sink.voice = passed.voice
    await sink.open(reply.status, headers)
    data = begun or await reply.read()
    reply.allow_silence(request.app[DISPATCHER].silence(exchange))
    if exchange.account.metered is None or reply.status >= _ERRORS:
        await _stream(reply, sink, passed, data)
        return
    bystander = bystander_of(reply.headers)
    try:
        await _stream(reply, sink, passed, data, bystander)
    finally:
        bystander.close()
        exchange.account.passed = Spent.told(bystander.usage, bystander.output)


async def _stream(
    reply: Reply,
    sink: ClientSink,
    passed: PassedThrough,
    data: bytes,
    bystander: Bystander | None = None,
) -> None:
    """Pass on a body that begins with ``data``; the bystander sees it."""
    while data:
        if bystander is not None:
            bystander.take(data)
        if passed.ends_in(data):
            sink.voice = MuteVoice()  # its reader does not look at anything behind it
        await sink.emit(data)
        data = await reply.read()
    await sink.finish()


async def _begun(request: web.Request, exchange: Exchange, body: Outgoing) -> Outgoing:
    """Admit a request if it asks a model; return the body that goes up."""
    if not asks_a_model(exchange):
        return body
    if not isinstance(body, Once) or body.file:
        await begin(request, None)
        return body
    data = await begin(request, body.data)
    return body if data is None or data is body.data else Once(data)


async def _body(request: web.Request, exchange: Exchange, limit: int | None) -> Outgoing:
    """Return what goes up as the body of a request that is not read for names.

    A small file of an access key is kept, so that it can go up with another key when the first one
    is refused.
    """
    if not request.body_exists:
        return None
    file, clients = bool(exchange.account.access), request.app[CLIENTS]
    incoming = Incoming(request, limit, clients.body_timeout, clients.body_rate)
    if not (_is_small(request) if file else _may_hold_uris(request)):
        return incoming
    whole = b"".join([piece async for piece in incoming])
    return Once(whole, file=True) if file else Once(with_upstream_uris(request, whole))


def _is_small(request: web.Request) -> bool:
    length = request.content_length
    return length is not None and length <= LIMIT


def _may_hold_uris(request: web.Request) -> bool:
    return (
        _is_small(request)
        and is_json(request.headers)
        and "Content-Encoding" not in request.headers
    )


def _may_name_files(reply: Reply) -> bool:
    named = reply.headers.get("Content-Length", "0")
    small = named.isdecimal() and int(named) <= LIMIT
    plain = "Content-Encoding" not in reply.headers
    return reply.status == _OK and small and plain and is_json(reply.headers)


def _is_form(request: web.Request) -> bool:
    """Tell a body that holds a file, as OpenAI's clients upload it."""
    return request.content_type == "multipart/form-data"
