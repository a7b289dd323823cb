"""``/interactions``: Google's own streams with event ids, which are read on when they break.

    POST   .../interactions                     creates one, answered as JSON or as a stream
    GET    .../interactions/{id}?stream=true    tells it again, from last_event_id on

Whether an answer is a stream is seen when it comes, so one handler serves both kinds of
creation. Cancelling, deleting and the plain GET are nothing special and go their usual ways.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from functools import partial

import attrs
from aiohttp import web
from multidict import CIMultiDict

from gemproxy.core.errors import UpstreamFailure
from gemproxy.core.interactions.machine import InteractionMachine
from gemproxy.core.interactions.origin import Origin, Point, target_from
from gemproxy.core.wire.sse import SSEDecoder
from gemproxy.exchange.exchange import Exchange
from gemproxy.generation.connection import connection_reader
from gemproxy.generation.generation import Generation, OpenAttempt, Refused
from gemproxy.generation.kinds import INTERACTION
from gemproxy.relay.bodies import Body
from gemproxy.relay.dispatcher import Dispatcher
from gemproxy.relay.downstream import ClientGone, ClientSink
from gemproxy.relay.upstream import AttemptFailed, Reply
from gemproxy.relay.wants import EVENTS
from gemproxy.relay.watch import Timing
from gemproxy.routes.addressing import move_location, passed_down, with_upstream_uris
from gemproxy.routes.calling import fetch
from gemproxy.routes.forwarding import pass_on
from gemproxy.routes.metered import begun
from gemproxy.routes.parts import CLIENTS, DISPATCHER, EXCHANGE, IN_FLIGHT, LIVE
from gemproxy.routes.refusing import BROKEN_OFF, refusal
from gemproxy.voices.sse import INTERACTIONS, EventVoice


async def create(request: web.Request) -> web.StreamResponse:
    """Answer a request that creates an interaction."""
    whole = bool(request[EXCHANGE].account.access)
    async with request[LIVE].repair.bodies.receive(request, whole=whole) as received:
        origin = attrs.evolve(Origin.of_body(received.kept), again=received.stream is None)
        request[EXCHANGE].account.model = origin.name or None
        body = await begun(request, received, origin.name)
        body = attrs.evolve(body, kept=with_upstream_uris(request, body.kept))
        return await _run(request, body, origin)


async def read(request: web.Request) -> web.StreamResponse:
    """Answer a GET for one interaction."""
    streams = request.query.get("stream", "").lower() in {"true", "1"}
    if request.method != "GET" or request.body_exists or not streams:
        return await fetch(request)
    after = request.query.get("last_event_id") or request.query.get("lastEventId")
    origin = Origin(
        creates=False,
        interaction_id=request.match_info["interaction"],
        last_event_id=after or None,
    )
    return await _run(request, Body(), origin)


async def _run(request: web.Request, body: Body, origin: Origin) -> web.StreamResponse:
    app, exchange = request.app, request[EXCHANGE]
    account, repair, send_timeout = (
        exchange.account,
        request[LIVE].repair,
        app[CLIENTS].send_timeout,
    )
    voice = EventVoice(INTERACTIONS)
    reader = connection_reader(request, voice, send_timeout=send_timeout)
    plain = ClientSink(request, EventVoice(), send_timeout, web.StreamResponse())
    repaired = repair.is_wanted(exchange.headers)
    machine = InteractionMachine(origin, repaired, repair.policy.retry_after_limit)
    timing = repair.timing.within(exchange.deadline)
    generation = Generation(
        INTERACTION,
        exchange,
        INTERACTION.intake(machine, partial(SSEDecoder, repair.max_frame)),
        reader,
        _opener(app[DISPATCHER], exchange, body, origin),
        repair.pacing(exchange, origin.name, lambda: machine.progress),
        timing,
        partial(passed_down, request),
        pass_on=partial(_pass_on, request, exchange, plain, timing),
    )
    if origin.name:
        account.model = origin.name
    try:
        await generation.run()
    except Refused as refused:
        return refusal(refused, exchange, voice)
    except ClientGone:
        account.client_gone = True
    except AttemptFailed as failure:
        account.upstream = failure.how
        if not plain.committed:
            broken = "The upstream closed the connection without a whole answer."
            raise UpstreamFailure(broken) from failure
        await plain.fail(BROKEN_OFF.payload(exchange.id))
    except asyncio.CancelledError:
        reason = app[IN_FLIGHT].reason(account)
        if reason is None or not reader.committed:
            raise
        await reader.fail(reason.payload(exchange.id))
    return plain.response if plain.committed else reader.response


async def _pass_on(
    request: web.Request, exchange: Exchange, sink: ClientSink, timing: Timing, reply: Reply
) -> None:
    """Pass on an answer that is no event stream, as every other one is passed on."""
    reply.allow_silence(timing.first_byte)

    def translate(_: Reply, headers: CIMultiDict[str]) -> None:
        move_location(request, headers)

    resource = exchange.towards(exchange.raw_path)  # no download, whatever its query says
    await pass_on(request, resource, reply, sink, translate)


def _opener(dispatcher: Dispatcher, exchange: Exchange, body: Body, origin: Origin) -> OpenAttempt:
    """Return what makes one attempt, never twice: the client's request, or one that reads on."""

    def open_attempt(point: Point | None) -> AbstractAsyncContextManager[Reply]:
        if point is None:
            return dispatcher.attempt(exchange, body.once, EVENTS)
        target = target_from(exchange.raw_target, point, created=origin.creates)
        reading = exchange.towards(target, "GET")
        return dispatcher.attempt(reading, None, EVENTS)

    return open_attempt
