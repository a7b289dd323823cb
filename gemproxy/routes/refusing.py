"""What a client is told where there is no answer of the upstream's to pass on as it came."""

from aiohttp import web
from multidict import CIMultiDict

from gemproxy.core.errors import Unrepaired
from gemproxy.exchange.exchange import Exchange
from gemproxy.generation.generation import Refused
from gemproxy.relay.downstream import ClientSink
from gemproxy.relay.pages import Refusal, is_of_gemini, may_be_unreadable, readable
from gemproxy.relay.upstream import Reply
from gemproxy.voices.table import voice_of
from gemproxy.voices.voice import Asides

_ERROR_BODY_LIMIT = 1 << 20
_STREAM = ":streamGenerateContent"

BROKEN_OFF = Unrepaired("The upstream broke off in the middle of its answer.")


def refusal(refused: Refused, exchange: Exchange, voice: Asides) -> web.Response:
    """Return the upstream's own error answer."""
    return response_of(readable(refused.refusal, exchange.id, voice))


def response_of(refusal: Refusal) -> web.Response:
    """Return an error answer as a response."""
    return web.Response(status=refusal.status, headers=refusal.headers, body=refusal.body)


def is_refusal(exchange: Exchange, reply: Reply) -> bool:
    """Tell an error answer to a client of Gemini that has to be looked at as a whole."""
    of_gemini = exchange.method != "HEAD" and is_of_gemini(exchange.path)
    return of_gemini and may_be_unreadable(reply.status, reply.headers)


async def refuse(
    request: web.Request,
    exchange: Exchange,
    reply: Reply,
    sink: ClientSink,
    headers: CIMultiDict[str],
) -> None:
    """Pass an error answer on in a form that every SDK can read; of a long one the beginning."""
    body = await beginning(reply, _ERROR_BODY_LIMIT)
    array = exchange.path.endswith(_STREAM) and "sse" not in request.query.getall("alt", [])
    voice = voice_of(exchange.headers, sse=not array)
    readable_one = readable(Refusal(reply.status, headers, body), exchange.id, voice)
    await sink.answer(readable_one.status, readable_one.headers, readable_one.body)


async def beginning(reply: Reply, limit: int) -> bytes:
    """Return the whole body when it is small, else a beginning that is longer than ``limit``."""
    begun = bytearray()
    while len(begun) <= limit and (data := await reply.read()):
        begun += data
    return bytes(begun)
