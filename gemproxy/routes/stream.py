"""``POST ...:streamGenerateContent``: the route that the proxy exists for.

The handler only gathers what one stream needs, and hands it to the relay. Answers that
cannot be judged (a field mask that hides finishReason, a binary ``alt``) are passed through.

With an ``Idempotency-Key`` the client follows the stream that its key stands for
(``routes.keyed``).
"""

import asyncio
from collections.abc import Callable
from functools import partial

import attrs
from aiohttp import web

from gemproxy.core.repair.machine import StreamMachine
from gemproxy.core.repair.request import StreamRequest, hides_the_end
from gemproxy.core.wire.frame import Decoder
from gemproxy.core.wire.jsonarray import JSONArrayDecoder
from gemproxy.core.wire.sse import SSEDecoder
from gemproxy.exchange.exchange import Exchange
from gemproxy.generation.connection import connection_reader
from gemproxy.generation.generation import Generation, OpenAttempt, Refused
from gemproxy.generation.kinds import STREAM
from gemproxy.generation.reader import Reader
from gemproxy.relay.bodies import Body
from gemproxy.relay.dispatcher import Dispatcher
from gemproxy.relay.downstream import ClientGone
from gemproxy.resume.cursor import KEY, Wish, wish_of
from gemproxy.resume.keeper import Work
from gemproxy.resume.stream import Stream
from gemproxy.resume.writing import LogReader
from gemproxy.routes.addressing import passed_down, with_upstream_uris
from gemproxy.routes.forwarding import pass_through
from gemproxy.routes.keyed import (
    RESUME,
    Beginning,
    Joining,
    fingerprint_of,
    follow,
    found,
    keeps,
    opened,
    refuse_resuming,
)
from gemproxy.routes.metered import begin, begun
from gemproxy.routes.parts import CLIENTS, DISPATCHER, EXCHANGE, IN_FLIGHT, LIVE, VOICE, Repairing
from gemproxy.routes.refusing import refusal
from gemproxy.routes.shaped import is_shaped, shaped
from gemproxy.routes.telling import ARRAY, SSE
from gemproxy.voices.sse import EventVoice
from gemproxy.voices.table import voice_of
from gemproxy.voices.voice import Voice


async def handle(request: web.Request) -> web.StreamResponse:
    """Answer one streaming request."""
    framings = _framings(request)
    mask = request.query.get("fields") or request.query.get("$fields") or ""
    mask = mask or request.headers.get("X-Goog-FieldMask", "")
    keyed = KEY in request.headers
    if hides_the_end(mask) or framings - {"sse", "json", ""}:
        if keyed:
            refuse_resuming(wish_of(request.headers))
        return await pass_through(request)
    app, exchange = request.app, request[EXCHANGE]
    voice = voice_for(request)
    try:
        if keyed:
            wish = wish_of(request.headers)
            if keeps(request):
                return await _keyed(request, exchange, wish, voice)
            refuse_resuming(wish)
        adds = is_shaped(request, exchange)
        whole = adds or bool(exchange.account.access)
        async with request[LIVE].repair.bodies.receive(request, whole=whole) as received:
            exchange.account.model = exchange.model
            body = await begun(request, shaped(request, received) if adds else received)
            return await _stream(request, app, exchange, voice, body)
    except Refused as refused:
        return refusal(refused, exchange, voice)
    except Exception:
        request[VOICE] = voice  # which the error is worded for
        raise


def voice_for(request: web.Request) -> Voice:
    """Return the voice for an answer to ``request``."""
    return voice_of(request[EXCHANGE].headers, sse="sse" in _framings(request))


def _framings(request: web.Request) -> set[str]:
    """Return the framings that the query asks for, without their options.

    Where it asks for several, a client that names events at all is one that reads events.
    """
    given = [*request.query.getall("alt", ()), *request.query.getall("$alt", ())]
    return {alt.partition(";")[0].strip().lower() for alt in given}


async def _stream(
    request: web.Request, app: web.Application, exchange: Exchange, voice: Voice, body: Body
) -> web.StreamResponse:
    sse = isinstance(voice, EventVoice)
    reader = connection_reader(request, voice, send_timeout=app[CLIENTS].send_timeout)
    if KEY in request.headers:
        reader.response.headers[RESUME] = "off"
    generation = _generation(request, exchange, reader, body, sse=sse)
    try:
        await generation.run()
    except ClientGone:
        exchange.account.client_gone = True
    except asyncio.CancelledError:
        reason = app[IN_FLIGHT].reason(exchange.account)
        if reason is None or not reader.committed:
            raise
        await reader.fail(reason.payload(exchange.id))
    finally:
        _learn(request, exchange, generation.machine)
    return reader.response


async def _keyed(
    request: web.Request, exchange: Exchange, wish: Wish, voice: Voice
) -> web.StreamResponse:
    """Have the client follow the stream of its key, which this request may begin."""
    dialect, resumes = SSE if isinstance(voice, EventVoice) else ARRAY, True
    async with request[LIVE].repair.bodies.receive(request, whole=True) as received:
        fingerprint = fingerprint_of(exchange, received.kept)
        stream = await found(request, wish, fingerprint)
        if stream is None:
            body = shaped(request, received) if is_shaped(request, exchange) else received
            work = partial(_work, request, body, sse=dialect is SSE)
            beginning = Beginning(fingerprint, work)
            stream, resumes = await opened(request, wish, dialect, beginning)
    return await follow(request, stream, dialect, Joining(wish.after, wish.ids, resumes))


def _work(request: web.Request, body: Body, stream: Stream, *, sse: bool) -> Work:
    """Return what makes the answer of a stream; it runs in a task of its own."""

    async def work(reader: LogReader) -> None:
        exchange = stream.exchange
        exchange.account.model = exchange.model
        kept = await begin(request, body.kept, exchange=exchange)
        asked = body if kept is None or kept is body.kept else attrs.evolve(body, kept=kept)
        generation = _generation(request, exchange, reader, asked, sse=sse)
        try:
            with request[LIVE].repair.bodies.outliving(len(asked.kept)):
                await generation.run()
        finally:
            _learn(request, exchange, generation.machine)

    return work


def _generation(
    request: web.Request, exchange: Exchange, reader: Reader, body: Body, *, sse: bool
) -> Generation[StreamMachine]:
    repair = request[LIVE].repair
    machine = _machine(request, repair, exchange, body)
    return Generation(
        STREAM,
        exchange,
        STREAM.intake(machine, _decoders(repair.max_frame, sse=sse)),
        reader,
        _opener(request.app[DISPATCHER], exchange, body),
        repair.pacing(exchange, exchange.model, lambda: machine.progress),
        repair.timing.within(exchange.deadline),
        partial(passed_down, request),
        repair.max_stream,
        body.arriving,
    )


def _learn(request: web.Request, exchange: Exchange, machine: StreamMachine) -> None:
    if machine.lesson is not None:
        request[LIVE].repair.lessons.learn(exchange.model, machine.lesson)


def _machine(
    request: web.Request, repair: Repairing, exchange: Exchange, body: Body
) -> StreamMachine:
    policy = repair.policy.for_request(
        repair=repair.is_wanted(exchange.headers) and body.stream is None,
        first_form=repair.lessons.first_form(exchange.model),
    )
    return StreamMachine(StreamRequest(with_upstream_uris(request, body.kept)), policy)


def _decoders(max_frame: int, *, sse: bool) -> Callable[[], Decoder]:
    kind = SSEDecoder if sse else JSONArrayDecoder
    return lambda: kind(max_frame)


def _opener(dispatcher: Dispatcher, exchange: Exchange, body: Body) -> OpenAttempt:
    """Return what makes one attempt; a body that is not kept goes up in place of what is asked."""
    attempt = partial(dispatcher.attempt, exchange)
    if body.stream is None:
        return attempt
    return lambda _: attempt(body.stream)
