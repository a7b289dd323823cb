"""gemproxy as ``run.py`` runs it, with its own samples: the proxy of a soak.

    python bench/soak_proxy.py REPORT SECONDS LOG FLAG...

Every SECONDS it adds a line of JSON to the file REPORT: the resources of the process, and its
counts since the start. LOG is its log file, the rest are flags of gemproxy. The tasks of the loop
can be counted only from inside the process, and users do not need a route for that.
"""

import asyncio
import collections
import json
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # in place of this folder

import attrs
from aiohttp import web

from bench.system import memory
from gemproxy import __main__ as command_line
from gemproxy.config.settings import Settings
from gemproxy.routes.parts import IN_FLIGHT
from gemproxy.web import server
from gemproxy.web.app import create_app


class Counting(logging.Handler):
    """Counts the figures of the access log, and unexpected errors."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = 0
        self.repairs = 0
        self.failures = 0
        self.causes: collections.Counter[str] = collections.Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Count a record; logging calls this."""
        if record.name == "gemproxy.access":
            self.requests += 1
            self.repairs += max(getattr(record, "attempts", 1) - 1, 0)
            self.causes.update(getattr(record, "causes", ()))
        elif record.levelno >= logging.ERROR:
            self.failures += 1

    def counts(self) -> dict[str, Any]:
        """Return the counts by name."""
        return {
            "requests": self.requests,
            "repairs": self.repairs,
            "failures": self.failures,
            "causes": dict(self.causes),
        }


@attrs.frozen(eq=False)
class Sampler:
    """Writes a line every ``seconds`` while its application runs."""

    report: Path
    seconds: float
    log: Path
    counting: Counting = attrs.field(factory=Counting)
    began: float = attrs.field(factory=time.monotonic)

    async def start(self, app: web.Application) -> None:
        """Begin; the application calls this when it starts."""
        logging.getLogger().addHandler(self.counting)
        self._sample(app, asyncio.get_running_loop())

    def _sample(self, app: web.Application, loop: asyncio.AbstractEventLoop) -> None:
        """Write a line and set a timer for the next one; a task would count itself."""
        line = {
            "at": time.monotonic() - self.began,
            "rss": memory(_me(), "VmRSS"),
            "fds": len(list(Path("/proc/self/fd").iterdir())),
            "tasks": len(asyncio.all_tasks(loop)),
            "in_flight": len(app[IN_FLIGHT]),
            "log": sum(file.stat().st_size for file in self.log.parent.glob(f"{self.log.name}*")),
            "counts": self.counting.counts(),
        }
        with self.report.open("a") as lines:
            lines.write(f"{json.dumps(line)}\n")
        loop.call_later(self.seconds, self._sample, app, loop)


def _me() -> int:
    return int(Path("/proc/self").resolve().name)


def main(argv: Sequence[str]) -> int:
    """Serve until a signal comes; return the exit status."""
    report, seconds, log, *flags = argv
    sampler = Sampler(Path(report), float(seconds), Path(log))

    def create_sampled(settings: Settings, *given: Any, **more: Any) -> web.Application:  # noqa: ANN401 (create_app's)
        app = create_app(settings, *given, **more)
        app.on_startup.append(sampler.start)
        return app

    server.create_app = create_sampled  # type: ignore[attr-defined]
    return command_line.main([*flags, "--logging.file", log])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
