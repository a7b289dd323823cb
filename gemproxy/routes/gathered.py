"""``:generateContent`` run upstream as a stream, for those who switch it on.

A unary answer that is cut is lost, however long it took; a stream is resumed. So the call
goes up as ``:streamGenerateContent``, with all the repair of a stream, and the client gets
one JSON response, as it expects.

Nothing is gained where a cut could not be resumed (images, audio, several candidates), so
those calls stay what they are; so does one that turns out to be of that kind, and one whose
model does not stream.
"""

import re
from functools import partial

from aiohttp import web

from gemproxy.core.errors import UpstreamFailure
from gemproxy.core.repair.engine import State
from gemproxy.core.repair.machine import StreamMachine
from gemproxy.core.repair.request import StreamRequest
from gemproxy.core.repair.unary import gains_by_streaming
from gemproxy.core.wire.sse import SSEDecoder
from gemproxy.exchange.exchange import Exchange
from gemproxy.generation.collecting import CollectingReader, Waiting, json_headers
from gemproxy.generation.generation import Generation, Refused
from gemproxy.generation.kinds import STREAM
from gemproxy.relay.bodies import Body
from gemproxy.relay.downstream import ClientSink
from gemproxy.routes.addressing import passed_down
from gemproxy.routes.parts import CLIENTS, DISPATCHER, LIVE, Repairing
from gemproxy.routes.refusing import refusal
from gemproxy.voices.document import DocumentVoice

_NOT_FOUND = 404
_METHOD = re.compile(r"(:|%3[Aa])generateContent$")


async def gather(request: web.Request, exchange: Exchange, body: Body) -> web.StreamResponse | None:
    """Return the answer to a generation, or None where it is to be a plain unary call."""
    generation = StreamRequest(body.kept)
    target = stream_target(exchange.raw_target)
    masked = "X-Goog-FieldMask" in exchange.headers
    if target is None or masked or not gains_by_streaming(generation):
        return None
    repair = request[LIVE].repair
    model = exchange.model
    first_form = repair.lessons.first_form(model)
    policy = repair.policy.for_request(repair=True, first_form=first_form)
    machine = StreamMachine(generation, policy)
    try:
        return await _run(request, repair, machine, exchange.towards(target))
    except Refused as refused:
        if refused.refusal.status != _NOT_FOUND:
            return refusal(refused, exchange, DocumentVoice())
    except UpstreamFailure:
        if not machine.transcript.opaque:
            raise
    finally:
        if machine.state is State.FAILED:
            exchange.account.give_up()
        if machine.lesson is not None:
            repair.lessons.learn(model, machine.lesson)
    exchange.account.passed = exchange.account.spent
    exchange.account.result = None  # the plain call has one of its own
    return None


async def _run(
    request: web.Request,
    repair: Repairing,
    machine: StreamMachine,
    exchange: Exchange,
) -> web.StreamResponse:
    timing = repair.timing.within(exchange.deadline)
    client = ClientSink(
        request, DocumentVoice(), request.app[CLIENTS].send_timeout, web.StreamResponse()
    )
    waiting = Waiting(client)
    generation = Generation(
        STREAM,
        exchange,
        STREAM.intake(machine, partial(SSEDecoder, repair.max_frame)),
        CollectingReader(waiting),
        partial(request.app[DISPATCHER].attempt, exchange),
        repair.pacing(exchange, exchange.model, lambda: machine.progress),
        timing,
        lambda headers: json_headers(passed_down(request, headers)),
        repair.max_stream,
    )
    async with waiting.kept_warm(timing.headers_after, timing.heartbeat):
        await generation.run()
    return client.response


def stream_target(raw_target: str) -> str | None:
    """Return the target of the stream that says what this call says.

    None where there is none: a call whose query asks for another form, or for some fields.
    """
    path, _, query = raw_target.partition("?")
    pairs = [pair for pair in query.split("&") if pair and pair != "alt=json"]
    names = {pair.partition("=")[0].removeprefix("$").removeprefix("%24") for pair in pairs}
    if names & {"alt", "fields"} or not _METHOD.search(path):
        return None
    path = _METHOD.sub(r"\1streamGenerateContent", path)
    return f"{path}?{'&'.join([*pairs, 'alt=sse'])}"
