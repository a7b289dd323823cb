"""Around every handler: the request id, one line in the access log, errors as Google's JSON.

From the outside in:

    observe   gives the request its id and its line in the log, and an answer that broke off
              the end that shows it
    explain   turns what a handler raises into an answer, and refuses what is ambiguous, comes
              without a right, or is too much; health checks need no right and are not counted;
              kept pictures need none either; what means the admin API goes there and nowhere
              else, whatever route it would match

They are no more than these because each event of a stream goes through them: a coroutine is
resumed through all that await it.

``stamp`` is no middleware but a hook that runs just before headers are sent, which is the
only moment that a streamed answer and an error have in common.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from aiohttp import hdrs, web
from aiohttp.http import HttpVersion10
from aiohttp.typedefs import Handler, Middleware

from gemproxy.access.door import UnknownKey
from gemproxy.accounts.user import OWN, User
from gemproxy.admin.paths import ADMIN, is_admins
from gemproxy.core.errors import (
    BadRequest,
    Cancelled,
    Forbidden,
    GemproxyError,
    LimitReached,
    TooLarge,
    Unauthenticated,
    UpstreamRejection,
    status_payload,
)
from gemproxy.exchange.account import Times
from gemproxy.exchange.credential import choose_credential, ephemeral
from gemproxy.exchange.exchange import Exchange
from gemproxy.ledger.row import Ending
from gemproxy.metering.asking import TRANSLATED, asks_a_model
from gemproxy.metering.ending import ending_of
from gemproxy.metering.meter import UNMETERED, Meter
from gemproxy.metrics.recorder import End, Recorder
from gemproxy.observe.logs import new_request_id, request_id_var, sane_request_id, unsaid
from gemproxy.openai.document import OpenAIDocumentVoice
from gemproxy.openai.words import is_out_of_quota
from gemproxy.pages.application import administer
from gemproxy.relay.downstream import ClientGone
from gemproxy.relay.incoming import error_for
from gemproxy.relay.inflight import InFlight
from gemproxy.relay.parting import cut, part
from gemproxy.routes.foreign import speaks_openai
from gemproxy.routes.parts import (
    ADDRESS,
    CLIENTS,
    DOOR,
    EXCHANGE,
    IN_FLIGHT,
    LIVE,
    METER,
    POOLED,
    PRESENT,
    USER,
    USERS,
    VOICE,
)
from gemproxy.routes.stream import voice_for
from gemproxy.voices.mute import MuteVoice
from gemproxy.web.checks import (
    HEALTH,
    KEYLESS,
    OPERATORS,
    UNCOUNTED,
    ambiguity,
    go_on,
    is_unknown_expectation,
    stops_the_parser,
)
from gemproxy.web.cors import answers_preflight
from gemproxy.web.lines import write_line
from gemproxy.web.metrics import METRICS
from gemproxy.web.timing import is_wanted, mark
from gemproxy.web.tracing import TRACER, Took, trace

REQUEST_ID = "X-Request-Id"
SHOULD_RETRY = "x-should-retry"
_ERRORS, _OF_A_SERVER = 400, 500
_MAY_PASS = frozenset({408, 409, 429})
_LONGEST_WAIT = 60
"""Seconds up to which OpenAI's SDKs keep a Retry-After."""
CLIENT_CLOSED_REQUEST = 499
_DONE = Ending.DONE.value
_ANY_CLIENT = MuteVoice()
_TO_OPENAI = OpenAIDocumentVoice()
_JSON = "application/json; charset=utf-8"
_LIVE = "live"
"""The name of the route that takes the ephemeral tokens of Live."""
_OF_A_MODEL = frozenset({"stream", "generate", "compute", *TRANSLATED})
"""Routes whose requests are begun at the meter."""
_OF_THE_CALLER = (Unauthenticated, Forbidden, LimitReached)
"""Refusals that may come before the request's body."""
_OF_THE_OPERATOR = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_OF_A_BODY = (408, 413)
"""Statuses that say that the rest of the request's body is not read."""

_log = logging.getLogger(__name__)


async def stamp(request: web.Request, response: web.StreamResponse) -> None:
    """Put the request id on the answer; have the connection closed that cannot be used again."""
    response.headers[REQUEST_ID] = request_id_var.get() or new_request_id()
    exchange = request.get(EXCHANGE)
    if response.status >= _ERRORS and request.get(VOICE) is _TO_OPENAI:
        _advise(response, 1 if exchange is None else exchange.account.rounds)
    if exchange is not None and exchange.account.times is not None:
        mark(exchange.account, response)
    if exchange is not None and exchange.account.metered is not None:
        response.headers.update(request.app[METER].fields(exchange))
    if exchange is not None and exchange.family in OPERATORS:
        for name, value in _OF_THE_OPERATOR.items():
            response.headers.setdefault(name, value)
    half = response.status in _OF_A_BODY and not request.content.is_eof()
    # In HTTP/1.0 its end is all that ends such a body; aiohttp keeps it for whoever asks for that.
    endless = request.version == HttpVersion10 and response.content_length is None
    if half or endless or stops_the_parser(request) or request.app[IN_FLIGHT].draining:
        response.headers["Connection"] = "close"
        response.force_close()


def _advise(response: web.StreamResponse, attempts: int) -> None:
    """Tell an SDK of OpenAI's whether it should ask again, where nothing has said so yet.

    Its own attempts would multiply ours, and a wait that it does not keep helps nobody.
    """
    waits = response.headers.get("Retry-After", "")
    long = waits.isdecimal() and int(waits) > _LONGEST_WAIT
    again = response.status in _MAY_PASS or (response.status >= _OF_A_SERVER and attempts <= 1)
    response.headers.setdefault(SHOULD_RETRY, "true" if again and not long else "false")


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id, and write its line when it is over, however it ends."""
    exchange = request[EXCHANGE] = _exchange(request)
    app = request.app
    request[LIVE] = app[PRESENT].live
    request_id_var.set(exchange.id)
    if speaks_openai(request, exchange.family):
        request[VOICE] = _TO_OPENAI
    began = time.monotonic()
    here, clients = app[IN_FLIGHT], app[CLIENTS]
    if is_wanted(clients.server_timing, request.headers):
        exchange.account.times = Times(began)
    tracer = app.get(TRACER)
    if tracer is not None and exchange.family not in UNCOUNTED:
        tracer.begin(exchange)
    response: web.StreamResponse | None = None
    try:
        response = await handler(request)
    finally:
        if exchange.account.metered is not None:
            _settle(request, exchange, response)
        ended, size = time.monotonic(), _size(request, response)
        _write_line(exchange, response, size, ended - began)
        recorder = app.get(METRICS)
        if recorder is not None and exchange.family not in UNCOUNTED:
            _count(recorder, exchange, response, (began, ended, size), here)
        if tracer is not None and exchange.account.trace is not None:
            status = CLIENT_CLOSED_REQUEST if response is None else response.status
            took = Took(began, ended, status, size)
            trace(request, tracer, took)
    await part(request, here.linger, patience=here.patience, send_timeout=clients.send_timeout)
    return response


def _settle(request: web.Request, exchange: Exchange, response: web.StreamResponse | None) -> None:
    """Have the meter write down what became of a request that was begun.

    The row of one that an operator ended has the status of that, whatever head had gone out.
    """
    task = asyncio.current_task()
    status = CLIENT_CLOSED_REQUEST if response is None else response.status
    request.app[METER].end(
        exchange,
        Cancelled.status if exchange.account.cancelled else status,
        cancelled=task is not None and task.cancelling() > 0,
        expired=request.app[IN_FLIGHT].expired,
    )


def _exchange(request: web.Request) -> Exchange:
    """Return the exchange of a request that has come in, be it usable or not."""
    url = request.rel_url
    return Exchange(
        sane_request_id(request.headers.get(REQUEST_ID)) or new_request_id(),
        ADMIN if is_admins(url.raw_path) else request.match_info.route.name or "none",
        request.method,
        url.raw_path,
        url.raw_query_string,
        request.headers,
    )


def _write_line(
    exchange: Exchange, response: web.StreamResponse | None, size: int, seconds: float
) -> None:
    level = logging.DEBUG if exchange.family in HEALTH else logging.INFO
    status = CLIENT_CLOSED_REQUEST if response is None else response.status
    write_line(exchange, status, size, seconds, level)


def _count(
    recorder: Recorder,
    exchange: Exchange,
    response: web.StreamResponse | None,
    measured: tuple[float, float, int],
    here: InFlight,
) -> None:
    """Have the metrics count a request that is over; ``measured``: its beginning, end and size."""
    try:
        began, ended, size = measured
        status = CLIENT_CLOSED_REQUEST if response is None else response.status
        task = asyncio.current_task()
        cancelled = task is not None and task.cancelling() > 0
        ending = ending_of(exchange.account, status, cancelled=cancelled, expired=here.expired)
        word = _DONE if ending is Ending.DONE else ending.value  # a property in Python
        recorder.ended(exchange, End(status, word, began, ended, size))
    except Exception as error:  # noqa: BLE001 (the answer is out; only numbers are missing)
        recorder.failed(error)


def _size(request: web.Request, response: web.StreamResponse | None) -> int:
    """Return the bytes written, or, for an answer that is still to be, those of its body."""
    written = request.writer.output_size
    return written or (response.content_length if response is not None else None) or 0


@web.middleware
async def explain(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer for what the handler raised; an answer that has begun is cut short instead."""
    refusal = _refusal(request)
    if refusal is not None:
        return refusal
    try:
        await _admit(request)
        times = request[EXCHANGE].account.times
        if times is not None:
            times.admitted = time.monotonic()
        with _counted(request):
            if hdrs.EXPECT in request.headers:
                await go_on(request)
            means_admin = request[EXCHANGE].family == ADMIN
            return await (administer if means_admin else handler)(request)
    except asyncio.CancelledError:
        reason = request.app[IN_FLIGHT].reason(request[EXCHANGE].account)
        if reason is None or request.transport is None:
            raise
        return _answer(request, reason)
    except ClientGone:
        return web.Response(status=CLIENT_CLOSED_REQUEST)  # for the log: nobody reads it
    except web.HTTPException as error:
        if error.status < web.HTTPBadRequest.status_code:
            raise
        return _answer(request, error)
    except Exception as error:  # noqa: BLE001 (the last place before the client)
        return _answer(request, error)


def _refusal(request: web.Request) -> web.Response | None:
    """Return the answer to a request that must not reach a handler."""
    unclear = ambiguity(request)
    if unclear is not None:
        response = _answer(request, BadRequest(unclear))
        response.force_close()  # nobody knows where the next request begins
        return response
    if is_unknown_expectation(request):
        return _answer(request, web.HTTPExpectationFailed())
    return None


async def _admit(request: web.Request) -> None:
    """Note whose request it is, before anything of a body is read.

    Raises Unauthenticated, Forbidden for a model that the user may not call, and LimitReached.
    """
    exchange = request[EXCHANGE]
    if exchange.family in KEYLESS:
        return
    if exchange.method == hdrs.METH_OPTIONS and answers_preflight(request):
        return
    minted = await _minter(request) if exchange.family == _LIVE else ""
    app = request.app
    try:
        try:
            user = app[DOOR].admit(exchange, minted)
        except UnknownKey as unknown:
            user = await _newly_stored(request, minted, unknown)
        if user is not OWN:
            exchange.account.access = user.name
            request[USER] = user
        meter = app[METER]
        if meter is not UNMETERED:
            await _visit(request, meter, user)
    except GemproxyError:
        if exchange.family == "stream":
            request[VOICE] = voice_for(request)
        raise


async def _visit(request: web.Request, meter: Meter, user: User) -> None:
    """Count a request that asks no model, and note the client's address if a limit wants it."""
    exchange, address = request[EXCHANGE], ""
    if meter.wants_address(user):
        forwarded = request.headers.getall("X-Forwarded-For", ())
        address = request[ADDRESS] = meter.address(request.remote or "", forwarded)
    if exchange.family in _OF_A_MODEL or asks_a_model(exchange):
        return
    if exchange.headers.get("Upgrade", "").strip().lower() != "websocket":
        await meter.visit(user, address)


async def _newly_stored(request: web.Request, minted: str, unknown: UnknownKey) -> User:
    """Return the user of a key that may have been stored a moment ago."""
    if USERS not in request.app or not await request.app[USERS].look():
        raise unknown
    return request.app[DOOR].admit(request[EXCHANGE], minted)


async def _minter(request: web.Request) -> str:
    """Return the access key that had the token of a Live session made, by name; empty for none."""
    if POOLED not in request.app:
        return ""
    exchange = request[EXCHANGE]  # whose ``caller`` depends on who is let in
    token = ephemeral(choose_credential(exchange.headers, exchange.target.credential))
    if not token:
        return ""
    owner = (await request.app[POOLED].binding.registry.find([token])).get(token)
    return owner.caller if owner is not None else ""


def _answer(request: web.Request, error: BaseException) -> web.Response:
    """Return the error body for ``error``; a request that is being answered loses its rest."""
    status, payload = _explained(error)
    if METRICS in request.app:
        _count_refusal(request.app[METRICS], error)
    if request.writer.output_size:
        cut(request)
    body = request.get(VOICE, _ANY_CLIENT).refusal(payload)
    headers = {**_headers(request, error), "Content-Type": _JSON}
    if request.get(VOICE) is _TO_OPENAI and is_out_of_quota(payload["error"]):
        headers[SHOULD_RETRY] = "false"
    response = web.Response(body=body, status=status, headers=headers)
    if isinstance(error, _OF_THE_CALLER) and not request.content.is_eof():
        response.force_close()  # the rest of the body is not read
    return response


def _count_refusal(recorder: Recorder, error: BaseException) -> None:
    """Have the metrics count what was refused for a limit or a right."""
    if isinstance(error, LimitReached):
        recorder.limited(error.scope)
    elif isinstance(error, Unauthenticated):
        recorder.unauthorised("unauthenticated")
    elif isinstance(error, Forbidden):
        recorder.unauthorised("forbidden")


def _headers(request: web.Request, error: BaseException) -> Mapping[str, str]:
    if isinstance(error, GemproxyError):
        return error.headers(request[EXCHANGE].account.rounds)
    return {}


def _explained(error: BaseException) -> tuple[int, Mapping[str, Any]]:
    request_id = request_id_var.get()
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        error = TooLarge("The request body is larger than the proxy accepts.")
    elif isinstance(error, web.RequestPayloadError):
        error = error_for(error)
    if isinstance(error, UpstreamRejection):
        return error.rejected_with, error.payload(request_id)
    if isinstance(error, GemproxyError):
        return error.status, error.payload(request_id)
    if isinstance(error, web.HTTPException):
        return error.status, status_payload(error.status, error.reason, request_id=request_id)
    _log.error("unexpected error", exc_info=unsaid(error))
    return 500, GemproxyError("The proxy failed unexpectedly.").payload(request_id)


def _counted(request: web.Request) -> AbstractContextManager[None]:
    """Count the request while it runs; raise Busy when there are too many.

    The operator's do not count, but a shutdown waits for them, too.
    """
    family, in_flight = request[EXCHANGE].family, request.app[IN_FLIGHT]
    if family in UNCOUNTED:
        return contextlib.nullcontext()
    if family in OPERATORS:
        return in_flight.aside()
    return in_flight.request(request[EXCHANGE], request.writer)


MIDDLEWARES: tuple[Middleware, ...] = (observe, explain)
