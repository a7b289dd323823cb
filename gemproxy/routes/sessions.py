"""Sessions of WebSockets: the client's half, and how a session of an access key gets its upstream.

What binds a session to a project stands in its first message: a cached content, files, the handle
of an earlier session, and the model for which a key is wanted. So under an access key the client's
handshake is answered first and the message is read, within bounds of time and size. Then a key is
leased, the upstream is dialled, and the message goes up as it came. What goes wrong is said in the
close frame.

Later messages are read for names, too: one that belongs to another project or another access key
ends the session. Handles that the upstream gives out are recorded before the client gets them.

Gemini refuses a bad key, and one without quota, behind its handshake, in a close frame
(``core.repair.closes``). Where that is all that came from it, and no more than the first message
went up, another key is asked for. Subprotocols are not offered to the upstream: some clients put
keys there, and Gemini has none.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from functools import partial
from typing import Any, Literal

import attrs
from aiohttp import web

from gemproxy.core.answer.turns import Turns
from gemproxy.core.errors import BadRequest, Busy, GemproxyError
from gemproxy.core.repair.closes import error_of_close
from gemproxy.core.repair.unanswered import unanswered
from gemproxy.exchange.setup import model_of_setup
from gemproxy.owners.witness import handles_in
from gemproxy.relay.downstream import ClientGone
from gemproxy.relay.handshake import Dialled
from gemproxy.relay.leases import Lease
from gemproxy.relay.sockets import (
    CLIENT_LOST,
    SHUTDOWN,
    ClientSocket,
    First,
    Peer,
    Session,
    SessionEnd,
    SessionEnding,
    dismiss,
    first_of,
    refusal,
    report,
    say_farewell,
)
from gemproxy.relay.upstream import AttemptFailed
from gemproxy.routes.metered import begin
from gemproxy.routes.parts import CLIENTS, DISPATCHER, EXCHANGE, IN_FLIGHT, LIVE, METER, POOLED

_LARGEST_SETUP = 4 << 20
_HANDLE = b"andle"
"""In every message that gives out a handle, in either spelling."""


async def accept(request: web.Request, protocol: str | None) -> ClientSocket:
    """Answer the client's handshake with 101 and the subprotocol that was chosen."""
    client: ClientSocket = web.WebSocketResponse[Literal[False]](
        timeout=request.app[CLIENTS].send_timeout,
        autoclose=False,
        autoping=False,
        protocols=[protocol] if protocol else [],
        compress=False,
        max_msg_size=request[LIVE].repair.max_frame,
        decode_text=False,
    )
    try:
        await client.prepare(request)
    except ConnectionError:
        raise ClientGone("the client closed the connection") from None
    return client


def peer_of(request: web.Request, client: ClientSocket) -> Peer:
    """Return the client as one end of a session."""
    if request.transport is None:
        raise ClientGone("the client closed the connection")
    return Peer("client", client, request.transport)


def session_of(request: web.Request, client: Peer, upstream: Dialled) -> Session:
    """Return the session of a client and an upstream."""
    clients = request.app[CLIENTS]
    above = Peer("upstream", upstream.socket, upstream.transport)
    session = Session(client, above, clients.heartbeat, clients.send_timeout)
    if request[EXCHANGE].account.metered is not None:
        session.turns = Turns()
    return session


async def keep(request: web.Request, session: Session, running: Awaitable[None]) -> None:
    """Keep a session until it ends, also by a cancellation."""
    account = request[EXCHANGE].account
    account.glance = session.glimpse
    try:
        await running
    except asyncio.CancelledError:
        # Also how a session is left whose last step, closing the client's connection, is done.
        over, ending = session.ending is not None, _ending_of(request)
        await session.end(ending)
        if not over and ending is CLIENT_LOST:
            raise
    finally:
        account.glance, account.result = None, session.report()


def _ending_of(request: web.Request) -> SessionEnding:
    """Return how a session ends whose handler was cancelled."""
    in_flight = request.app[IN_FLIGHT]
    reason = in_flight.reason(request[EXCHANGE].account)
    if reason is None:
        return CLIENT_LOST
    return SHUTDOWN if in_flight.expired else refusal(reason)


async def serve_access_key(request: web.Request, protocol: str | None) -> web.StreamResponse:
    """Serve a WebSocket of an access key, whose client gets the subprotocol ``protocol``."""
    response = await accept(request, protocol)
    client = peer_of(request, response)
    over = partial(_dismissed, request, client)
    try:
        first = await first_of(client, request.app[CLIENTS].body_timeout, _LARGEST_SETUP)
        if isinstance(first, First):
            ending = await _run(request, client, first)
        else:
            ending = first
    except asyncio.CancelledError:
        ending = _ending_of(request)
        if not response.closed:  # else the session has closed it
            await over(ending)
        if ending is CLIENT_LOST:
            raise
    else:
        if ending is not None:
            await over(ending)
    return response


async def _dismissed(request: web.Request, client: Peer, ending: SessionEnding) -> None:
    """Close a client that has no upstream, and note it."""
    request[EXCHANGE].account.result = report(client, None, ending)
    await dismiss(client, ending, request.app[CLIENTS].send_timeout)


async def _run(request: web.Request, client: Peer, first: First) -> SessionEnding | None:
    """Keep the session until it ends; return what the client is still to be told."""
    exchange = request[EXCHANGE]
    exchange.account.model = model_of_setup(first.data) or None
    try:
        data = await begin(request, first.data, exchange.account.model or "")
    except GemproxyError as error:
        return refusal(error)
    first = attrs.evolve(first, data=data or b"")
    while True:
        dialling = request.app[DISPATCHER].socket(exchange, (), first.data)
        try:
            async with dialling as upstream:
                try:
                    again = await _talk(request, client, upstream, first)
                finally:
                    await say_farewell(upstream.socket, CLIENT_LOST, 0)
        except AttemptFailed as failure:
            exchange.account.upstream = failure.how
            return refusal(unanswered(failure.how))
        except GemproxyError as error:
            return refusal(error)
        if not again:
            return None


async def _talk(request: web.Request, client: Peer, upstream: Dialled, first: First) -> bool:
    """Keep a session with one upstream; return whether another one shall take over."""
    if request.app[IN_FLIGHT].draining:
        raise Busy("The proxy is shutting down.")
    lease, session = upstream.lease, session_of(request, client, upstream)
    assert lease is not None  # noqa: S101 (the dispatcher's sockets have one)
    request.app[METER].watch(request[EXCHANGE], session.report)
    client.look = partial(_read_up, request, lease)
    session.upstream.look = partial(_read_down, lease)

    def spares(ending: SessionEnding) -> bool:
        untouched = session.upstream.frames == 0 and client.frames == 1
        return untouched and lease.another and _error_of(ending) is not None

    session.spares = spares
    await keep(request, session, session.run(first))
    ending = session.ending
    if ending is None:
        return False
    upstream.error = _error_of(ending)
    return spares(ending)


def _error_of(ending: SessionEnding) -> Mapping[str, Any] | None:
    """Return the error about the key in the upstream's close frame, None if there is none."""
    if ending.by != "upstream" or ending.end is not SessionEnd.CLOSED:
        return None
    return error_of_close(ending.code, ending.reason)


async def _read_up(request: web.Request, lease: Lease, message: bytes) -> SessionEnding | None:
    """Return the end of a session whose client names, or uses, what this session cannot have."""
    exceeded = request.app[METER].exceeded(request[EXCHANGE])
    if exceeded is not None:
        return refusal(exceeded)
    try:
        project = await request.app[POOLED].binding.bind(request[EXCHANGE], message)
    except GemproxyError as error:
        return refusal(error)
    if project in (None, lease.project):
        return None
    return refusal(BadRequest("A message names what belongs to another Google project."))


async def _read_down(lease: Lease, message: bytes) -> None:
    """Record the handles in a message of the upstream's."""
    if _HANDLE in message:
        await lease.named(handles_in(message))
