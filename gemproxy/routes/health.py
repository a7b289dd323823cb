"""Health: whether the process is alive, whether it accepts requests, and who could serve them.

Liveness only means that the event loop runs. Readiness turns off when a shutdown begins, so a load
balancer stops sending requests while the running ones finish. Neither asks the upstream, because
its problems are no reason to restart the proxy. Nor is a ledger that fails: answers go on, and rows
wait for it. Nor is a store of pictures: answers have the bytes in place of links. A pool without a
key that can serve makes ``/health`` say ``degraded``, with status 200: a restart brings no key.

No spelling of these paths goes to Google, with any method.
"""

from typing import Any

from aiohttp import hdrs, web

from gemproxy import __version__
from gemproxy.core.errors import WrongMethod
from gemproxy.routes.parts import AVAILABLE_KEYS, IN_FLIGHT, METER, PICTURE_STORE

READS = (hdrs.METH_GET, hdrs.METH_HEAD)


def check_reads(request: web.Request) -> None:
    """Raise WrongMethod for a request that does not only read."""
    if request.method not in READS:
        raise WrongMethod("This path is read with GET.", *READS)


def standing(app: web.Application) -> dict[str, Any]:
    """Return ``status`` and ``available_keys``: how many keys could serve some model now.

    The keys are null without a pool.
    """
    count = app.get(AVAILABLE_KEYS)
    keys = None if count is None else count()
    return {"status": "degraded" if keys == 0 else "ok", "available_keys": keys}


async def health(request: web.Request) -> web.Response:
    """Answer for people and scripts: the status, the version, how keys, ledger, pictures are."""
    check_reads(request)
    pictures = request.app.get(PICTURE_STORE)
    parts = {
        "ledger": request.app[METER].health(),
        "images": pictures.state() if pictures else {},
    }
    more = {name: state for name, state in parts.items() if state}
    return web.json_response({**standing(request.app), "version": __version__, **more})


async def live(request: web.Request) -> web.Response:
    """Answer 200 as long as the process can answer."""
    check_reads(request)
    return web.json_response({"status": "ok"})


async def ready(request: web.Request) -> web.Response:
    """Answer 200, or 503 once a shutdown has begun."""
    check_reads(request)
    if request.app[IN_FLIGHT].draining:
        return web.json_response({"status": "draining"}, status=503)
    return web.json_response({"status": "ok"})
