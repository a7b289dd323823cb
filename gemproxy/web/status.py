"""The paths of earlier tools that say how the proxy is: ``/status``, ``/wake``, ``/debug/info``.

``/wake`` is open and answers at once: whoever calls it keeps a host awake that stops idle services.
``/status`` is open to programs of this machine (``admin.guard``), others need the operator's
secret. ``/debug/info`` always needs it, and says where each setting comes from, but no value.

No spelling of these paths goes to Google, with any method.
"""

import asyncio
import contextlib
import datetime as dt
import operator
import os
import platform
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import attrs
from aiohttp import hdrs, web

from gemproxy import __version__
from gemproxy.admin.guard import require, require_unless_local
from gemproxy.admin.streams import workers_of
from gemproxy.admin.system import CheckFinding, SystemState, WorkerState
from gemproxy.routes import OWN
from gemproxy.routes.health import check_reads, standing
from gemproxy.routes.parts import DOOR, IN_FLIGHT
from gemproxy.web.examining import examine
from gemproxy.web.neighbours import NEIGHBOURS
from gemproxy.web.tuning import TUNER

QUESTION = "status"
"""The question to the other workers, by path."""

_BEGAN = web.AppKey("began", float)
_SINCE = web.AppKey("since", dt.datetime)
_FRESH = {hdrs.CACHE_CONTROL: "no-store"}
_LIBRARIES = ("aiohttp", "attrs", "cryptography", "httptools", "msgspec", "sqlalchemy", "uvloop")
_MIB = 1 << 20
_STATM = Path("/proc/self/statm")


def show_status(app: web.Application) -> None:
    """Have ``app`` know since when it is, and tell the other workers about itself."""
    app[_BEGAN], app[_SINCE] = time.monotonic(), dt.datetime.now(dt.UTC)

    async def answer(_document: Any) -> Mapping[str, int]:  # noqa: ANN401 (JSON)
        return _own(app)

    app[NEIGHBOURS].answerers[QUESTION] = answer


async def status(request: web.Request) -> web.Response:
    """Answer with the state of all workers. Raises as the guard does, and WrongMethod."""
    require_unless_local(request)
    check_reads(request)
    app = request.app
    answers = await app[NEIGHBOURS].ask(QUESTION)
    every = [_own(app), *(answer.document for answer in answers.answers)]
    document = {
        **standing(app),
        "version": __version__,
        "mode": app[DOOR].mode.value,
        "uptime_seconds": _uptime(app),
        "memory_usage_mb": round(sum(one["memory"] for one in every) / _MIB, 1),
        "running_requests": sum(one["running"] for one in every),
        "workers": {"asked": answers.asked, "answered": len(answers.answers)},
    }
    return web.json_response(document, headers=_FRESH)


async def wake(request: web.Request) -> web.Response:
    """Answer that the proxy is awake. Raises WrongMethod."""
    check_reads(request)
    return web.json_response({"status": "awake"}, headers=_FRESH)


async def debug_info(request: web.Request) -> web.Response:
    """Answer with versions and origins. Raises as the guard does, and WrongMethod."""
    require(request)
    check_reads(request)
    neighbours = request.app[NEIGHBOURS]
    document = {
        "version": __version__,
        **_software(),
        "worker": neighbours.number,
        "workers": neighbours.workers,
        "settings": dict(request.app[TUNER].loaded.origins),
    }
    return web.json_response(document, headers=_FRESH)


@attrs.frozen(eq=False)
class Machine:
    """The processes of an application, for the admin API."""

    app: web.Application

    async def state(self) -> SystemState:
        """Return how the processes are."""
        app, neighbours = self.app, self.app[NEIGHBOURS]
        answers = await neighbours.ask(QUESTION)
        found = [(neighbours.number, _own(app))]
        found += [(answer.worker, answer.document) for answer in answers.answers]
        return SystemState(
            version=__version__,
            **_software(),
            mode=app[DOOR].mode.value,
            began=app[_SINCE],
            uptime_seconds=_uptime(app),
            memory_bytes=sum(one["memory"] for _, one in found),
            running_requests=sum(one["running"] for _, one in found),
            log_file=app[TUNER].settings.logging.file,
            each=[
                WorkerState(
                    worker=number, memory_bytes=one["memory"], running_requests=one["running"]
                )
                for number, one in sorted(found, key=operator.itemgetter(0))
            ],
            workers=workers_of(answers),
        )

    async def examine(self, *, network: bool) -> Sequence[CheckFinding]:
        """Return what the doctor finds."""
        found = await examine(self.app[TUNER].loaded, network=network)
        return [CheckFinding(**attrs.asdict(one)) for one in found]


def _uptime(app: web.Application) -> float:
    return round(time.monotonic() - app[_BEGAN], 1)


def _software() -> dict[str, Any]:
    """Return the versions of all that a worker runs on."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "event_loop": type(asyncio.get_running_loop()).__module__,
        "libraries": {name: _version(name) for name in _LIBRARIES},
    }


def _version(name: str) -> str | None:
    """Return the version of an installed package, None for one that is not."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


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


ROUTES = [
    web.route("*", OWN % "status", status, name="status"),
    web.route("*", OWN % "wake", wake, name="wake"),
    web.route("*", OWN % "debug/{more:/*}info", debug_info, name="debug_info"),
]
