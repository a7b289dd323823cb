"""``GET /images/NAME``: the kept pictures that we serve ourselves.

An ``img`` tag sends no key, so none is asked for: the name is the secret. Nothing of such a request
ever goes up. It counts among the running requests, and not in the limits of a client's address,
because a page with ten pictures would use up ten of them.

The bytes come from a model, and from clients, so a browser is told to take them as the picture that
their own bytes say they are and as nothing else, and to run nothing in them. A name stands for the
same bytes for ever, so it is the ETag, and caches need not ask again before the picture expires.
"""

from aiohttp import web

from gemproxy.core.errors import status_payload
from gemproxy.images.names import type_in
from gemproxy.images.shelf import Found, StoreDown
from gemproxy.images.store import PictureStore
from gemproxy.relay.downstream import ClientSink
from gemproxy.routes.parts import CLIENTS, EXCHANGE, PICTURE_STORE
from gemproxy.voices.mute import MuteVoice
from gemproxy.voices.words import refusal

_METHODS = ("GET", "HEAD")
_YEAR = 31_536_000
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


async def handle(request: web.Request) -> web.StreamResponse:
    """Send a picture, or say in JSON that there is none."""
    if request.method not in _METHODS:
        return _refused(request, 405, "UNIMPLEMENTED", "A picture can only be read.")
    pictures, name = request.app.get(PICTURE_STORE), request.match_info["name"]
    try:
        found = await pictures.find(name) if pictures and not pictures.shelf.serves else None
    except StoreDown:
        return _refused(request, 503, "UNAVAILABLE", "The picture cannot be read now.")
    if pictures is None or found is None:
        return _refused(request, 404, "NOT_FOUND", "There is no such picture, or not any more.")
    headers = _headers(pictures, name, found)
    if _is_known(request, name):
        return web.Response(status=304, headers=headers)
    headers |= {"Content-Type": type_in(name) or "", "Content-Length": str(found.size)}
    if request.method == "HEAD":
        return web.Response(headers=headers)
    return await _send(request, headers, found)


async def _send(request: web.Request, headers: dict[str, str], found: Found) -> web.StreamResponse:
    patience = request.app[CLIENTS].send_timeout
    sink = ClientSink(request, MuteVoice(), patience, web.StreamResponse())
    await sink.open(200, headers)
    try:
        async for piece in found.pieces:
            await sink.emit(piece)
    except StoreDown:
        await sink.fail(None)
    else:
        await sink.finish()
    return sink.response


def _headers(pictures: PictureStore, name: str, found: Found) -> dict[str, str]:
    """Return the headers of every good answer; caches forget a picture when it expires."""
    left = pictures.lasting - (pictures.now() - found.since) if pictures.lasting else _YEAR
    caching = f"public, max-age={max(int(left), 0)}, immutable"
    return {**_SAFE, "ETag": f'"{name}"', "Cache-Control": caching}


def _is_known(request: web.Request, name: str) -> bool:
    tags = [tag.value for tag in request.if_none_match or ()]
    return name in tags or "*" in tags


def _refused(request: web.Request, status: int, code: str, message: str) -> web.Response:
    payload = status_payload(status, message, code=code, request_id=request[EXCHANGE].id)
    headers = {**_SAFE, "Content-Type": "application/json; charset=utf-8"}
    headers["Cache-Control"] = "no-store"
    if status == web.HTTPMethodNotAllowed.status_code:
        headers["Allow"] = ", ".join(_METHODS)
    return web.Response(status=status, body=refusal(payload), headers=headers)
