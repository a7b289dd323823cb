"""``/interactions``: Google's own streams with event ids, which are read on when they break.

    POST   .../interactions                     creates one, answered as JSON or as a stream
    GET    .../interactions/{id}?stream=true    tells it again, from last_event_id on

Whether an answer is a stream is seen when it comes, so one handler serves both kinds of
creation. Cancelling, deleting and the plain GET are nothing special and go their usual ways.
"""

import asyncio
from collections.abc import AsyncIterable
from contextlib import AbstractAsyncContextManager
from functools import partial

import attrs
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from gemproxy.core.errors import Busy, UpstreamFailure
from gemproxy.core.interactions.machine import InteractionMachine
from gemproxy.core.interactions.origin import Origin, Point
from gemproxy.core.interactions.reading import INTERACTION
from gemproxy.core.repair.intake import Intake
from gemproxy.core.wire.sse import SSEDecoder
from gemproxy.observe.logs import request_id_var
from gemproxy.relay import headers as rules
from gemproxy.relay.bodies import Body
from gemproxy.relay.dialects import INTERACTIONS, STANDARD
from gemproxy.relay.downstream import ClientGone, ClientSink, client_sink
from gemproxy.relay.interactions import InteractionRelay, OpenAttempt, target_from
from gemproxy.relay.pages import readable
from gemproxy.relay.parting import cut
from gemproxy.relay.unary import in_slices
from gemproxy.relay.upstream import Attempt, AttemptFailed
from gemproxy.relay.watch import Timing
from gemproxy.routes import passthrough, unary
from gemproxy.routes.addressing import addresses_of, move_location, passed_down, with_upstream_uris
from gemproxy.routes.parts import EXCHANGE, IN_FLIGHT
from gemproxy.routes.stream import STREAMING, Streaming

_OF_A_BODY = ("Content-Type", "Content-Length", "Content-Encoding")


async def create(request: web.Request) -> web.StreamResponse:
    """Answer a request that creates an interaction."""
    async with request.app[STREAMING].bodies.receive(request) as received:
        body = attrs.evolve(received, kept=with_upstream_uris(request, received.kept))
        origin = attrs.evolve(Origin.of_body(body.kept), again=body.stream is None)
        return await _run(request, body, origin)


async def read(request: web.Request) -> web.StreamResponse:
    """Answer a GET for one interaction."""
    streams = request.query.get("stream", "").lower() in {"true", "1"}
    if request.method != "GET" or request.body_exists or not streams:
        return await unary.fetch(request)
    after = request.query.get("last_event_id") or request.query.get("lastEventId")
    origin = Origin(
        creates=False,
        interaction_id=request.match_info["interaction"],
        last_event_id=after or None,
    )
    return await _run(request, Body(), origin)


async def _run(request: web.Request, body: Body, origin: Origin) -> web.StreamResponse:
    streaming = request.app[STREAMING]
    sink = client_sink(request, INTERACTIONS, sse=True, send_timeout=streaming.send_timeout)
    plain = ClientSink(request, STANDARD, streaming.send_timeout, web.StreamResponse())
    machine = InteractionMachine(origin, unary.repairs(request), streaming.policy.retry_after_limit)
    exchange = request[EXCHANGE]
    account, deadline = exchange.account, exchange.deadline
    timing = streaming.timing.within(deadline)
    _, sent = passthrough.aim(request)
    relay = InteractionRelay(
        Intake(machine, partial(SSEDecoder, streaming.max_frame), INTERACTION),
        sink,
        _opener(request, streaming, body, origin, timing),
        partial(_pass_on, request, plain, timing),
        streaming.pacing(origin.name, sent, deadline, lambda: machine.progress),
        timing,
        partial(passed_down, request),
        request_id_var.get(),
    )
    if origin.name:
        account.model = origin.name
    try:
        refusal = await relay.run()
        if refusal is not None:
            told = readable(refusal, request_id_var.get())
            return web.Response(status=told.status, headers=told.headers, body=told.body)
    except ClientGone:
        account.client_gone = True
    except AttemptFailed as failure:
        if not (plain.committed or sink.committed):
            broken = "The upstream closed the connection without a whole answer."
            raise UpstreamFailure(broken) from failure
        if plain.committed:
            await plain.fail(passthrough.BROKEN_OFF.payload(request_id_var.get()))
        else:
            cut(request)
    except asyncio.CancelledError:
        if not request.app[IN_FLIGHT].expired or not sink.committed:
            raise
        shutdown = Busy("The proxy is shutting down.")
        await sink.fail(shutdown.payload(request_id_var.get()))
    finally:
        account.result = relay.report()
    return plain.response if plain.committed else sink.response


async def _pass_on(
    request: web.Request, sink: ClientSink, timing: Timing, attempt: Attempt
) -> None:
    """Pass on an answer that is no event stream, as every other one is passed on."""
    head = rules.downstream_headers(attempt.headers, rewritten=False)
    move_location(request, head)
    attempt.allow_silence(timing.first_byte)
    if passthrough.is_refusal(request, attempt):
        await passthrough.refuse(request, attempt, sink, head)
        return
    addresses = addresses_of(request)
    await passthrough.answer(attempt, sink, head, addresses, timing.silence, path=request.path)


def _opener(
    request: web.Request,
    streaming: Streaming,
    body: Body,
    origin: Origin,
    timing: Timing,
) -> OpenAttempt:
    """Return what makes one attempt, never twice: the client's request, or one that reads on."""
    own, sent = passthrough.aim(request)
    headers = rules.upstream_headers(request.headers, sent, identity=True)
    reading = headers.copy()
    for name in _OF_A_BODY:
        reading.popall(name, None)
    if body.kept:
        headers["Content-Length"] = str(len(body.kept))
    elif body.stream is not None and "Content-Length" in request.headers:
        headers["Content-Length"] = request.headers["Content-Length"]

    def forward(
        method: str, url: URL, sending: CIMultiDict[str], data: AsyncIterable[bytes] | bytes | None
    ) -> AbstractAsyncContextManager[Attempt]:
        stamped = timing.deadline.stamped(sending)
        patience = timing.first_byte
        return streaming.upstream.forward(method, url, stamped, data, patience, watched=True)

    def open_attempt(point: Point | None) -> AbstractAsyncContextManager[Attempt]:
        if point is None:
            return forward(request.method, own, headers, body.stream or in_slices(body.kept))
        raw_target = target_from(request.rel_url.raw_path_qs, point, created=origin.creates)
        goal = request[EXCHANGE].towards(raw_target, "GET").target
        return forward("GET", goal.on(streaming.base), reading, None)

    return open_attempt
