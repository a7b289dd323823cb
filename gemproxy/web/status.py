"""The paths of earlier tools that say how the proxy is: ``/status`` and ``/wake``.

``/wake`` is open and answers at once: whoever calls it keeps a host awake that stops idle services.
``/status`` is open to programs of this machine. A request with a header of a reverse proxy comes
from elsewhere, whatever address its connection has.

No spelling of these paths goes to Google, with any method.
"""

import contextlib
import ipaddress
import os
import resource
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import hdrs, web

from gemproxy import __version__
from gemproxy.core.errors import Forbidden
from gemproxy.routes import OWN
from gemproxy.routes.health import check_reads, standing
from gemproxy.routes.parts import DOOR, IN_FLIGHT
from gemproxy.web.neighbours import NEIGHBOURS

QUESTION = "status"
"""The question to the other workers, by path."""

_BEGAN = web.AppKey("began", float)
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")
_FRESH = {hdrs.CACHE_CONTROL: "no-store"}
_MIB = 1 << 20
_STATM = Path("/proc/self/statm")


def show_status(app: web.Application) -> None:
    """Have ``app`` know since when it is, and tell the other workers about itself."""
    app[_BEGAN] = time.monotonic()

    async def answer(_document: Any) -> Mapping[str, int]:  # noqa: ANN401 (JSON)
        return _own(app)

    app[NEIGHBOURS].answerers[QUESTION] = answer


async def status(request: web.Request) -> web.Response:
    """Answer with the state of all workers. Raises Forbidden and WrongMethod."""
    _require(request)
    check_reads(request)
    app = request.app
    answers = await app[NEIGHBOURS].ask(QUESTION)
    every = [_own(app), *(answer.document for answer in answers.answers)]
    document = {
        **standing(app),
        "version": __version__,
        "mode": app[DOOR].mode.value,
        "uptime_seconds": round(time.monotonic() - app[_BEGAN], 1),
        "memory_usage_mb": round(sum(one["memory"] for one in every) / _MIB, 1),
        "running_requests": sum(one["running"] for one in every),
        "workers": {"asked": answers.asked, "answered": len(answers.answers)},
    }
    return web.json_response(document, headers=_FRESH)


async def wake(request: web.Request) -> web.Response:
    """Answer that the proxy is awake. Raises WrongMethod."""
    check_reads(request)
    return web.json_response({"status": "awake"}, headers=_FRESH)


def _own(app: web.Application) -> dict[str, int]:
    """Return what this worker adds to the sums: bytes of memory, and running requests."""
    return {"memory": memory(), "running": len(app[IN_FLIGHT])}


def memory() -> int:
    """Return the memory of this process that is not swapped out (bytes).

    Where the system does not say it, that is the most that there was.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most << 10


def _require(request: web.Request) -> None:
    """Let programs of this machine pass. Raises Forbidden."""
    forwarded = any(name in request.headers for name in _FORWARDED)
    with contextlib.suppress(ValueError):
        if not forwarded and ipaddress.ip_address(request.remote or "").is_loopback:
            return
    raise Forbidden("The status is for programs of this machine.")


ROUTES = [
    web.route("*", OWN % "status", status, name="status"),
    web.route("*", OWN % "wake", wake, name="wake"),
]
