"""Every route that is not repaired: bytes in, bytes out, streamed both ways.

Method, path, body, status and headers pass as they come. What changes is what a hop has to
change: the hop-by-hop headers, the place of the credential, redirects of downloads, which
are followed here, and the URIs of files in small JSON bodies (see ``relay.addresses``). An event
stream that breaks off ends with an error where its dialect is known by its path.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from gemproxy.core.errors import (
    Busy,
    GemproxyError,
    NoFirstByte,
    Unreachable,
    Unrepaired,
    UpstreamFailure,
)
from gemproxy.core.repair.events import How
from gemproxy.exchange.credential import Credential
from gemproxy.observe.logs import request_id_var
from gemproxy.relay.addresses import LIMIT, Addresses, names_files
from gemproxy.relay.dialects import MUTE
from gemproxy.relay.downstream import ClientSink
from gemproxy.relay.headers import downstream_headers, upstream_headers
from gemproxy.relay.incoming import Incoming
from gemproxy.relay.pages import Refusal, is_of_gemini, may_be_unreadable, readable
from gemproxy.relay.passing import EndMark, passed_through
from gemproxy.relay.redirects import Hop, followed
from gemproxy.relay.upstream import Attempt, AttemptFailed
from gemproxy.routes.addressing import addresses_of, move_location, with_upstream_uris
from gemproxy.routes.parts import (
    BASE_URL,
    BODY_RATE,
    BODY_TIMEOUT,
    EXCHANGE,
    FIRST_BYTE_TIMEOUT,
    IN_FLIGHT,
    SEND_TIMEOUT,
    UPSTREAM,
)

Headers = CIMultiDict[str]

_OK = 200
_ERROR_BODY_LIMIT = 1 << 20
_STREAM = ":streamGenerateContent"

BROKEN_OFF = Unrepaired("The upstream broke off in the middle of its answer.")


async def handle(request: web.Request) -> web.StreamResponse:
    """Send the request up and the answer down."""
    url, sent = aim(request)
    translate = partial(move_location, request)
    limit = None if _is_form(request) else request.client_max_size
    return await forward(request, url, sent, translate=translate, limit=limit)


def aim(request: web.Request) -> tuple[URL, Credential | None]:
    """Return the upstream URL for a request, and the one credential that goes with it."""
    exchange = request[EXCHANGE]
    url, sent = exchange.target.on(request.app[BASE_URL]), exchange.caller
    return url, sent and sent.for_path(url.raw_path)


async def forward(
    request: web.Request,
    url: URL,
    sent: Credential | None,
    *,
    translate: Callable[[Headers], None],
    limit: int | None,
) -> web.StreamResponse:
    """Answer a request with what ``url`` answers to it.

    ``translate`` edits the headers of the answer. ``limit`` caps the request's body (bytes;
    None: no cap). Raises a GemproxyError while there is nothing to pass on.
    """
    app = request.app
    naming = names_files(request.rel_url.raw_path_qs)
    packed = naming and "Accept-Encoding" in request.headers
    headers = upstream_headers(request.headers, sent, identity=packed)
    body = await _body(request, limit, headers)
    deadline = request[EXCHANGE].deadline
    sink = ClientSink(request, MUTE, app[SEND_TIMEOUT], web.StreamResponse())

    def send(hop: Hop) -> AbstractAsyncContextManager[Attempt]:
        patience = deadline.first_byte(app[FIRST_BYTE_TIMEOUT])
        return app[UPSTREAM].forward(request.method, hop.url, hop.headers, body, patience)

    try:
        async with followed(send, app[BASE_URL], request.method, Hop(url, headers)) as attempt:
            head = downstream_headers(attempt.headers, rewritten=False)
            translate(head)
            if is_refusal(request, attempt):
                await refuse(request, attempt, sink, head)
                return sink.response
            addresses = addresses_of(request) if naming else None
            silence = deadline.silence(app[FIRST_BYTE_TIMEOUT])
            await answer(attempt, sink, head, addresses, silence, path=request.path)
    except AttemptFailed as failure:
        request[EXCHANGE].account.upstream = failure.how
        if not sink.committed:
            raise no_answer(failure) from failure
        await sink.fail(BROKEN_OFF.payload(request_id_var.get()))
    except GemproxyError as error:  # the client's own: its body broke while it was answered
        if not sink.committed:
            raise
        await sink.fail(error.payload(request_id_var.get()))
    except asyncio.CancelledError:
        if not app[IN_FLIGHT].expired or not sink.committed:
            raise
        await sink.fail(Busy("The proxy is shutting down.").payload(request_id_var.get()))
    return sink.response


def is_refusal(request: web.Request, attempt: Attempt) -> bool:
    """Tell an error answer to a client of Gemini that has to be looked at as a whole."""
    of_gemini = request.method != "HEAD" and is_of_gemini(request.path)
    return of_gemini and may_be_unreadable(attempt.status, attempt.headers)


async def refuse(
    request: web.Request, attempt: Attempt, sink: ClientSink, headers: Headers
) -> None:
    """Pass an error answer on in a form that every SDK can read; of a long one the beginning."""
    body = await _beginning(attempt, _ERROR_BODY_LIMIT)
    array = request.path.endswith(_STREAM) and "sse" not in request.query.getall("alt", [])
    told = readable(Refusal(attempt.status, headers, body), request_id_var.get(), array=array)
    await sink.answer(told.status, told.headers, told.body)


async def _body(
    request: web.Request, limit: int | None, headers: Headers
) -> Incoming | bytes | None:
    """Return what goes up as the request's body; ``headers`` get its length where it is known."""
    if not request.body_exists:
        return None
    incoming = Incoming(request, limit, request.app[BODY_TIMEOUT], request.app[BODY_RATE])
    if _may_hold_uris(request):
        body = with_upstream_uris(request, b"".join([piece async for piece in incoming]))
        headers["Content-Length"] = str(len(body))
        return body
    if "Content-Length" in request.headers:
        headers["Content-Length"] = request.headers["Content-Length"]
    return incoming


def _may_hold_uris(request: web.Request) -> bool:
    length = request.content_length
    small = length is not None and length <= LIMIT
    return small and _is_json(request.headers.get("Content-Type", "")) and _is_plain(request)


async def answer(  # noqa: PLR0913 (what is passed on, to whom, and how)
    attempt: Attempt,
    sink: ClientSink,
    headers: Headers,
    addresses: Addresses | None,
    silence: float,
    *,
    path: str,
) -> None:
    """Pass an answer on; with ``addresses``, a small JSON answer gets our URIs.

    ``silence`` counts the seconds that it may pause once it has begun. By the ``path`` of the
    request the sink gets to know how to end an event stream that breaks.
    """
    begun = b""
    if addresses is not None and _may_name_files(attempt):
        begun = await _beginning(attempt, LIMIT)
        edited = addresses.outward(begun) if len(begun) <= LIMIT else None
        if edited is not None:
            begun = edited
            headers["Content-Length"] = str(len(edited))
    sink.dialect = passed_through(path, attempt.status, headers)
    over = EndMark(sink.dialect)
    await sink.open(attempt.status, headers)
    data = begun or await attempt.read()
    attempt.allow_silence(silence)
    while data:
        if over.is_in(data):
            sink.dialect = MUTE  # its reader does not look at anything behind it
        await sink.emit(data)
        data = await attempt.read()
    await sink.finish()


def _may_name_files(attempt: Attempt) -> bool:
    named = attempt.headers.get("Content-Length", "0")
    small = named.isdecimal() and int(named) <= LIMIT
    plain = "Content-Encoding" not in attempt.headers
    json = _is_json(attempt.headers.get("Content-Type", ""))
    return attempt.status == _OK and small and plain and json


async def _beginning(attempt: Attempt, limit: int) -> bytes:
    """Return the whole body when it is small, else a beginning that is longer than ``limit``."""
    begun = bytearray()
    while len(begun) <= limit and (data := await attempt.read()):
        begun += data
    return bytes(begun)


def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "application/json"


def _is_plain(request: web.Request) -> bool:
    return "Content-Encoding" not in request.headers


def _is_form(request: web.Request) -> bool:
    """Tell a body that holds a file, as OpenAI's clients upload it."""
    return request.content_type == "multipart/form-data"


def no_answer(failure: AttemptFailed) -> GemproxyError:
    """Return what a client is told of an upstream that gave no answer at all."""
    if failure.how is How.UNREACHABLE:
        return Unreachable("The upstream cannot be reached.")
    if failure.how is How.NO_FIRST_BYTE:
        return NoFirstByte("The upstream did not answer in time.")
    return UpstreamFailure("The upstream closed the connection without an answer.")
