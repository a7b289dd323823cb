"""``/gemproxy/v1/streams/{id}``: streams that outlive their connections, by their id.

``GET`` with ``after``, with ``Last-Event-ID`` or for an event stream reads on; any other one is
answered with the state of the stream, in JSON. ``POST ...:cancel`` ends the answer, also where it
has ended already. A stream of another owner is not there: who guesses an id learns nothing.
"""

import time
from typing import Any

from aiohttp import hdrs, web

from gemproxy.core.errors import NotOwned, Unrouted, WrongMethod
from gemproxy.generation.generation import Refused
from gemproxy.resume.cursor import LAST, Cursor, wants_ids
from gemproxy.resume.stream import Stream
from gemproxy.routes.keyed import Joining, follow, owner_of
from gemproxy.routes.parts import EXCHANGE, KEEPER
from gemproxy.routes.refusing import refusal
from gemproxy.routes.telling import READ
from gemproxy.voices.sse import EventVoice

_READS = (hdrs.METH_GET, hdrs.METH_HEAD)
_EVENTS = "text/event-stream"
_NONE = "This caller has no stream with this id."


async def read(request: web.Request) -> web.StreamResponse:
    """Answer with the stream from a place on, or with its state."""
    _check(request, *_READS)
    stream, cursor = await _owned(request), _cursor(request)
    wanted = cursor is not None or _EVENTS in request.headers.get(hdrs.ACCEPT, "")
    if not wanted or request.method == hdrs.METH_HEAD:
        return web.json_response(_state(request, stream))
    if cursor is not None and cursor.stream not in {"", stream.id}:
        raise NotOwned(_NONE)
    joining = Joining(0 if cursor is None else cursor.after, wants_ids(request.headers))
    try:
        return await follow(request, stream, READ[stream.dialect], joining)
    except Refused as refused:
        return refusal(refused, request[EXCHANGE], EventVoice())


async def status(request: web.Request) -> web.StreamResponse:
    """Answer with the state of a stream."""
    _check(request, *_READS)
    return web.json_response(_state(request, await _owned(request)))


async def cancel(request: web.Request) -> web.StreamResponse:
    """End the answer of a stream; answer with its state, which says so once it has ended."""
    _check(request, hdrs.METH_POST)
    stream = await _owned(request)
    request.app[KEEPER].cancel(stream)
    while stream.log.ending is None:
        await stream.news.change()
    return web.json_response(_state(request, stream))


async def nothing(_request: web.Request) -> web.StreamResponse:
    """Raise Unrouted: nothing below this path goes to the upstream."""
    raise Unrouted("The proxy has nothing at this path.")


def _check(request: web.Request, *methods: str) -> None:
    if request.method not in methods:
        raise WrongMethod(f"This path takes {' and '.join(methods)}.", *methods)


async def _owned(request: web.Request) -> Stream:
    """Return the stream of the caller. Raises NotOwned, and Gone for one that was kept."""
    owner = owner_of(request)
    if KEEPER in request.app and owner is not None:
        name = request.match_info["stream"]
        stream = await request.app[KEEPER].store.named(name, owner)
        if stream is not None:
            return stream
    raise NotOwned(_NONE)


def _cursor(request: web.Request) -> Cursor | None:
    """Return the place from which to read, None if none is named. Raises BadRequest."""
    cursor = Cursor.of(request.headers.getall(LAST, ()), LAST)
    return cursor or Cursor.of(request.query.getall("after", ()), "after")


def _state(request: web.Request, stream: Stream) -> dict[str, Any]:
    keeper, log, ended = request.app[KEEPER], stream.log, stream.ended
    kept = keeper.store.bounds.seconds
    left = None if ended is None else round(max(ended + kept - keeper.store.clock(), 0.0), 3)
    return {
        "id": stream.id,
        "state": stream.state,
        "model": stream.exchange.account.model,
        "created": round(stream.created, 3),
        "age_seconds": round(time.monotonic() - stream.began, 3),
        "frames": log.top,
        "trimmed_frames": log.base,
        "bytes": log.size,
        "followers": stream.followers,
        "detached": stream.state == "running" and not stream.followers,
        "on_disconnect": stream.on_disconnect,
        "expires_in_seconds": left,
    }
