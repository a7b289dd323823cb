"""Health: whether the process is alive, and whether it accepts requests.

Liveness only means that the event loop runs. Readiness turns off when a shutdown begins, so a load
balancer stops sending requests while the running ones finish. Neither asks the upstream, because
its problems are no reason to restart the proxy. Nor is a ledger that fails: answers go on, and rows
wait for it. Nor is a store of pictures: answers have the bytes in place of links.
"""

from aiohttp import web

from gemproxy import __version__
from gemproxy.routes.parts import IN_FLIGHT, METER, PICTURE_STORE


async def health(request: web.Request) -> web.Response:
    """Answer for people and scripts: the status, the version, how ledger and pictures are."""
    pictures = request.app.get(PICTURE_STORE)
    parts = {
        "ledger": request.app[METER].health(),
        "images": pictures.state() if pictures else {},
    }
    more = {name: state for name, state in parts.items() if state}
    return web.json_response({"status": "ok", "version": __version__, **more})


async def live(_request: web.Request) -> web.Response:
    """Answer 200 as long as the process can answer."""
    return web.json_response({"status": "ok"})


async def ready(request: web.Request) -> web.Response:
    """Answer 200, or 503 once a shutdown has begun."""
    if request.app[IN_FLIGHT].draining:
        return web.json_response({"status": "draining"}, status=503)
    return web.json_response({"status": "ok"})
