"""Requests with an ``Idempotency-Key``: their answers outlive the connection (``gemproxy.resume``).

What a route of streams has in common with the others here: who owns a key, which request it stands
for, and how a client is made a follower. What differs is a ``Dialect``: how the answer is told.

A key belongs to an access key, or to the client's own Gemini key. A client without either has no
keys, and neither has anybody where the settings keep no streams: such a request is answered as if
it had none, the answer says ``X-Gemproxy-Resume: off``, and one that resumes is refused, because it
would be a second answer.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from typing import Final

import attrs
from aiohttp import web
from multidict import CIMultiDict

from gemproxy.accounts.user import OWN
from gemproxy.core.errors import BadRequest, GemproxyError, Gone, Mismatch
from gemproxy.exchange.account import Account
from gemproxy.exchange.exchange import Exchange
from gemproxy.relay.downstream import ClientGone, client_sink
from gemproxy.resume.cursor import KEY, LAST, Cursor, Wish
from gemproxy.resume.follower import Follower, begun, warmth
from gemproxy.resume.keeper import Work
from gemproxy.resume.log import Beyond, Place, Trimmed
from gemproxy.resume.stream import Scope, Stream, new_id
from gemproxy.resume.telling import Numbered
from gemproxy.routes.parts import CLIENTS, EXCHANGE, IN_FLIGHT, KEEPER, METER, USER
from gemproxy.voices.voice import Voice

RESUME: Final = "X-Gemproxy-Resume"
STREAM_ID: Final = "X-Gemproxy-Stream-Id"
RESUMED_FROM: Final = "X-Gemproxy-Resumed-From"
ON_DISCONNECT: Final = "X-Gemproxy-On-Disconnect"

_OTHER = f"This {KEY} was sent with another request. Take a new one for each request."
_UNKNOWN = f"Nothing is kept for this {KEY}, so the answer cannot go on. Send it with another key."
_ANOTHER = "The stream that the client read is not kept any more, and the key has another one now."
_TRIMMED = "The beginning of what is missing is not kept any more."
_BEYOND = f"{LAST} is beyond the last chunk of this stream."
_OFF = "This proxy keeps no streams, so the answer cannot go on."


@attrs.frozen(eq=False)
class Dialect:
    """How the answer to a keyed request is told.

    ``content_type`` is that of the frames in the log, and ``texts`` whether voices need the texts
    of runs. ``voice`` makes the voice of a follower that has ``after`` chunks, and its place in the
    log; it raises Beyond and Trimmed. ``native``: chunks are frames.
    """

    name: str
    content_type: str
    voice: Callable[[web.Request, Stream, int], tuple[Voice, Place]]
    texts: bool = False
    native: bool = True


@attrs.frozen(eq=False)
class Beginning:
    """What a stream begins with: the hash of its request, and what makes the answer.

    ``terms`` is what voices must know of the request.
    """

    fingerprint: bytes = attrs.field(repr=False)
    work: Callable[[Stream], Work]
    terms: object = attrs.field(default=None, repr=False)


@attrs.frozen
class Joining:
    """How a client comes to a stream: with ``after`` chunks.

    ``ids``: it wants ids of events. ``resumes``: another request has begun the stream.
    """

    after: int = 0
    ids: bool = False
    resumes: bool = True


def keeps(request: web.Request) -> bool:
    """Return whether the answer to a request with a key can be kept."""
    return KEEPER in request.app and owner_of(request) is not None


def refuse_resuming(wish: Wish) -> None:
    """Raise Gone for a request that resumes, where no streams are kept."""
    if wish.after:
        raise Gone(_OFF)


def owner_of(request: web.Request) -> str | None:
    """Return whose keys the client of a request has, None for a client without any credential.

    An access key is known by its id, which a new secret does not change.
    """
    user = request.get(USER, OWN)
    if user is not OWN:
        return f"access key\n{user.id}"
    own = request[EXCHANGE].caller
    if own is None:
        return None
    token = own.value.rpartition(" ")[2]
    return f"own key\n{hashlib.sha256(token.encode('utf-8', 'surrogatepass')).hexdigest()}"


def fingerprint_of(exchange: Exchange, body: bytes) -> bytes:
    """Return a hash of all that decides about the answer to a request."""
    target = exchange.target
    query = getattr(target, "query", "")
    found = hashlib.sha256(f"{exchange.method}\n{exchange.path}\n{query}\n".encode())
    found.update(body)
    return found.digest()


async def found(request: web.Request, wish: Wish, fingerprint: bytes) -> Stream | None:
    """Return the stream of a key, None if the key is free and its request begins an answer.

    Raises Mismatch if it stands for another request, and Gone if its answer is not kept.
    """
    stream = await request.app[KEEPER].store.find(_scope(request, wish))
    if stream is not None:
        return _checked(stream, wish.cursor, fingerprint)
    if wish.after or (wish.cursor is not None and wish.cursor.stream):
        raise Gone(_UNKNOWN)
    return None


async def opened(
    request: web.Request, wish: Wish, dialect: Dialect, beginning: Beginning
) -> tuple[Stream, bool]:
    """Return a new stream, or the one that another request has begun meanwhile.

    The second value says whether it is the latter. Raises as ``found`` does, LimitReached and Busy.
    """
    keeper = request.app[KEEPER]
    rules = keeper.rules
    _ = request.scheme  # which a connection that is gone does not tell
    stream = Stream(
        new_id(),
        _scope(request, wish),
        beginning.fingerprint,
        dialect.name,
        _of_its_own(request[EXCHANGE]),
        keeper.new_log(),
        beginning.terms,
        wish.on_disconnect or rules.on_disconnect,
        rules.followers,
    )
    holder = await keeper.open(
        stream, beginning.work(stream), dialect.content_type, texts=dialect.texts
    )
    if holder is stream:
        return stream, False
    return _checked(holder, wish.cursor, beginning.fingerprint), True


async def follow(
    request: web.Request, stream: Stream, dialect: Dialect, joining: Joining
) -> web.StreamResponse:
    """Give a client what comes behind the chunks that it has.

    Raises BadRequest for a number beyond the stream, Gone if what is missing is not kept,
    LimitReached if too many follow, and what the stream failed with before anything of it came.
    """
    app, exchange, keeper = request.app, request[EXCHANGE], request.app[KEEPER]
    account = exchange.account
    account.stream = stream.id
    stream.attach()
    try:
        follower = await _follower(request, stream, dialect, joining)
        sink = follower.sink
        headers = _headers(request, stream, dialect, follower.voice, joining)
        try:
            await follower.run(headers)
        except ClientGone:
            account.client_gone = True
        except asyncio.CancelledError:
            reason = app[IN_FLIGHT].reason(account)
            if reason is None or not sink.committed:
                raise
            await sink.fail(reason.payload(exchange.id))
    finally:
        keeper.detach(stream)
    return sink.response


async def _follower(
    request: web.Request, stream: Stream, dialect: Dialect, joining: Joining
) -> Follower:
    """Return the follower that the client becomes, once the answer has a head."""
    stream.log.pins += 1
    try:
        await begun(stream)
        voice, place = _placed(request, stream, dialect, joining.after)
        if joining.ids and voice.content_type == "text/event-stream":
            voice = Numbered(voice, stream.id, joining.after, dialect.native)
        slow = request.app[CLIENTS].send_timeout
        sink = client_sink(request, voice, voice.content_type, send_timeout=slow)
        warm = warmth(request.app[KEEPER].rules.heartbeat)
        return Follower(stream, sink, voice, place, warm, request[EXCHANGE].id)
    finally:
        stream.log.pins -= 1


def _placed(
    request: web.Request, stream: Stream, dialect: Dialect, after: int
) -> tuple[Voice, Place]:
    try:
        return dialect.voice(request, stream, after)
    except Beyond:
        raise BadRequest(_BEYOND) from None
    except Trimmed:
        raise Gone(_TRIMMED) from None


def _headers(
    request: web.Request, stream: Stream, dialect: Dialect, voice: Voice, joining: Joining
) -> Mapping[str, str]:
    app, head = request.app, stream.log.head
    headers: CIMultiDict[str] = CIMultiDict() if head is None else CIMultiDict(head.headers)
    if voice.content_type != dialect.content_type:
        headers["Content-Type"] = voice.content_type
    keeper = app[KEEPER]
    headers[STREAM_ID] = stream.id
    headers[RESUME] = f"on; ttl={keeper.store.bounds.seconds:g}"
    headers[ON_DISCONNECT] = stream.on_disconnect
    if joining.resumes:
        headers[RESUMED_FROM] = str(joining.after)
    elif stream.exchange.account.metered is not None:
        headers.update(app[METER].fields(stream.exchange))
    return headers


def _scope(request: web.Request, wish: Wish) -> Scope:
    owner = owner_of(request)
    if owner is None:
        raise GemproxyError("A request without a credential has no streams.")
    return Scope(owner, wish.key)


def _checked(stream: Stream, cursor: Cursor | None, fingerprint: bytes) -> Stream:
    if stream.fingerprint != fingerprint:
        raise Mismatch(_OTHER)
    if cursor is not None and cursor.stream not in {"", stream.id}:
        raise Gone(_ANOTHER)
    return stream


def _of_its_own(exchange: Exchange) -> Exchange:
    """Return the exchange of the generation, with an account that is not its first request's.

    Nothing about keys goes up.
    """
    headers = CIMultiDict(exchange.headers)
    for name in (KEY, LAST):
        headers.popall(name, None)
    account = Account(access=exchange.account.access, injected=exchange.account.injected)
    return attrs.evolve(exchange, headers=headers, account=account, due=exchange.deadline)
