"""``POST ...:streamGenerateContent``: the route that the proxy exists for.

The handler only gathers what one stream needs, and hands it to the relay. Answers that
cannot be judged (a field mask that hides finishReason, a binary ``alt``) are passed through.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

import attrs
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from gemproxy.core.errors import Busy, GemproxyError, UpstreamRejection
from gemproxy.core.repair.intake import Intake
from gemproxy.core.repair.machine import StreamMachine
from gemproxy.core.repair.policy import Policy
from gemproxy.core.repair.request import StreamRequest, hides_the_end
from gemproxy.core.wire.frame import Decoder
from gemproxy.core.wire.jsonarray import JSONArrayDecoder
from gemproxy.core.wire.sse import SSEDecoder
from gemproxy.exchange.credential import Credential
from gemproxy.exchange.deadline import Deadline
from gemproxy.generation.generation import OpenAttempt, Refused, Relay
from gemproxy.observe.logs import request_id_var
from gemproxy.relay import headers as rules
from gemproxy.relay.bodies import Bodies, Body
from gemproxy.relay.dialects import dialect_of
from gemproxy.relay.downstream import ClientGone, client_sink
from gemproxy.relay.incoming import told
from gemproxy.relay.lessons import Lessons
from gemproxy.relay.pacing import Budget, Pacing
from gemproxy.relay.pages import Refusal, readable
from gemproxy.relay.retries import RetryBudget
from gemproxy.relay.upstream import Attempt, Upstream
from gemproxy.relay.watch import Timing
from gemproxy.routes import passthrough
from gemproxy.routes.addressing import passed_down, with_upstream_uris
from gemproxy.routes.parts import EXCHANGE, IN_FLIGHT
from gemproxy.voices.array import ArrayVoice
from gemproxy.voices.sse import EventVoice

REPAIR_HEADER = "X-Gemproxy-Repair"


@attrs.frozen
class Streaming:
    """What every stream shares; plain values, made by the composition root."""

    upstream: Upstream
    base: URL
    bodies: Bodies
    timing: Timing
    policy: Policy = attrs.field(factory=Policy)
    budget: Budget = attrs.field(factory=Budget)
    retries: RetryBudget = attrs.field(factory=RetryBudget)
    lessons: Lessons = attrs.field(factory=Lessons)
    send_timeout: float = 120.0
    max_frame: int = 64 << 20
    max_stream: int = 256 << 20

    def pacing(
        self,
        model: str,
        sent: Credential | None,
        deadline: Deadline,
        progress: Callable[[], int],
    ) -> Pacing:
        """Return the pace of a request to ``model`` by the caller who ``sent`` a credential."""
        may_retry = self.retries.enter(model, sent.value if sent else "")
        return Pacing(self.budget, progress, deadline=deadline, may_retry=may_retry)


STREAMING = web.AppKey("streaming", Streaming)


async def handle(request: web.Request) -> web.StreamResponse:
    """Answer one streaming request."""
    forms = _forms(request)
    mask = request.query.get("fields") or request.query.get("$fields") or ""
    mask = mask or request.headers.get("X-Goog-FieldMask", "")
    if hides_the_end(mask) or forms - {"sse", "json", ""}:
        return await passthrough.handle(request)
    streaming = request.app[STREAMING]
    sse = "sse" in forms
    try:
        async with streaming.bodies.receive(request) as body:
            return await _stream(request, streaming, body, sse=sse)
    except Refused as refused:
        return refusal(refused, array=not sse)
    except (GemproxyError, web.RequestPayloadError) as error:
        if sse:
            raise
        return _array_error(told(error), request[EXCHANGE].account.attempts)


def _forms(request: web.Request) -> set[str]:
    """Return the forms that the query asks for, without their options.

    Where it asks for several, a client that names events at all is one that reads events.
    """
    given = [*request.query.getall("alt", ()), *request.query.getall("$alt", ())]
    return {alt.partition(";")[0].strip().lower() for alt in given}


async def _stream(
    request: web.Request, streaming: Streaming, body: Body, *, sse: bool
) -> web.StreamResponse:
    exchange = request[EXCHANGE]
    account, model, deadline = exchange.account, exchange.model, exchange.deadline
    timing = streaming.timing.within(deadline)
    url, sent = exchange.target.on(streaming.base), exchange.caller
    sent = sent and sent.for_path(url.raw_path)
    headers = rules.upstream_headers(request.headers, sent, identity=True)
    machine = _machine(request, streaming, body, model)
    sink = client_sink(
        request,
        dialect_of(request.headers, sse=sse),
        sse=sse,
        send_timeout=streaming.send_timeout,
    )
    relay = Relay(
        machine,
        Intake(machine, _decoders(streaming.max_frame, sse=sse)),
        sink,
        EventVoice() if sse else ArrayVoice(),
        _opener(streaming, body, timing, url, headers),
        streaming.pacing(model, sent, deadline, lambda: machine.progress),
        timing,
        partial(passed_down, request),
        request_id_var.get(),
        streaming.max_stream,
        body.arriving,
    )
    account.model = model
    try:
        await relay.run()
    except ClientGone:
        account.client_gone = True
    except asyncio.CancelledError:
        if not request.app[IN_FLIGHT].expired or not sink.committed:
            raise
        shutdown = Busy("The proxy is shutting down.")
        await sink.fail(shutdown.payload(request_id_var.get()))
    finally:
        account.result = relay.report()
        if machine.lesson is not None:
            streaming.lessons.learn(model, machine.lesson)
    return sink.response


def refusal(refused: Refused, *, array: bool = False) -> web.Response:
    """Return the upstream's own error answer; ``array`` when the client reads a list."""
    came = Refusal(refused.status, refused.headers, refused.error.body)
    told = readable(came, request_id_var.get(), array=array)
    return web.Response(status=told.status, headers=told.headers, body=told.body)


def _machine(request: web.Request, streaming: Streaming, body: Body, model: str) -> StreamMachine:
    off = request.headers.get(REPAIR_HEADER, "").strip().lower() == "off"
    policy = streaming.policy.for_request(
        repair=not off and body.stream is None, first_form=streaming.lessons.first_form(model)
    )
    return StreamMachine(StreamRequest(with_upstream_uris(request, body.kept)), policy)


def _decoders(max_frame: int, *, sse: bool) -> Callable[[], Decoder]:
    kind = SSEDecoder if sse else JSONArrayDecoder
    return lambda: kind(max_frame)


def _opener(
    streaming: Streaming, body: Body, timing: Timing, url: URL, headers: CIMultiDict[str]
) -> OpenAttempt:
    """Return what makes one attempt: the client's request, with the ``headers`` that go up."""
    upstream = streaming.upstream

    def open_attempt(data: bytes) -> AbstractAsyncContextManager[Attempt]:
        stamped, patience = timing.deadline.stamped(headers), timing.first_byte
        if body.stream is not None:
            return upstream.forward("POST", url, stamped, body.stream, patience, watched=True)
        return upstream.attempt("POST", url, stamped, data, patience)

    return open_attempt


def _array_error(error: GemproxyError, attempts: int) -> web.Response:
    """Return an error as Google gives it without ``alt=sse``: in a list."""
    status = error.rejected_with if isinstance(error, UpstreamRejection) else error.status
    payload = [error.payload(request_id_var.get())]
    return web.json_response(payload, status=status, headers=error.headers(attempts))
