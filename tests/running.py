"""The whole proxy on a real socket, run as ``gemproxy.web.server`` runs it."""

import asyncio
import contextlib
import itertools
import logging
import tempfile
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

import attrs
from aiohttp import web

from gemproxy.chaos.server import ChaosServer
from gemproxy.config.settings import Settings
from gemproxy.routes.parts import IN_FLIGHT
from gemproxy.web.app import create_app
from gemproxy.web.neighbours import Neighbours
from tests.gemini import BODY
from tests.wire import STREAM, Answer, Connection, connect

QUICK = {"retry_delay_ms": 1, "max_delay_ms": 1}
"""Settings of the section ``repair`` by which no test waits for a back-off."""

READING: dict[str, bool] = {}
"""Settings of the section ``upstream`` by which tests choose who reads answers."""

LINGER = 0.05
"""Seconds that a client of these tests has to read why its answer ended; it reads at once."""

_DATA = tempfile.TemporaryDirectory(prefix="gemproxy-")
_number = itertools.count()

PATIENCE = 10.0
"""Seconds after which what a test waits for is not going to happen."""


@attrs.frozen
class Proxy:
    """A proxy that is serving."""

    url: str
    app: web.Application

    def connect(
        self, *, receive_buffer: int | None = None
    ) -> contextlib.AbstractAsyncContextManager[Connection]:
        """Return a raw connection to it, for ``async with``."""
        return connect(self.url, receive_buffer=receive_buffer)

    async def ask(
        self,
        target: str = STREAM,
        body: bytes = BODY,
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
    ) -> Answer:
        """Send one request on a connection of its own and read the answer to its end."""
        async with self.connect() as connection:
            return await connection.ask(target, body, headers, method)


class StartProxy(Protocol):
    """Starts a proxy in front of an upstream; further arguments override settings by section."""

    async def __call__(
        self, upstream: ChaosServer | str, /, **sections: Mapping[str, Any]
    ) -> Proxy: ...


@contextlib.asynccontextmanager
async def running(
    upstream: ChaosServer | str,
    neighbours: Neighbours | None = None,
    /,
    **sections: Mapping[str, Any],
) -> AsyncIterator[Proxy]:
    """Run a proxy, one of several workers if it has ``neighbours``.

    At the exit every request must have ended by itself.
    """
    url = upstream if isinstance(upstream, str) else upstream.url
    values = settings(url, **sections)
    app = create_app(values, neighbours=neighbours)
    app[IN_FLIGHT].patience = LINGER
    runner = web.AppRunner(
        app,
        handler_cancellation=True,
        access_log=None,
        auto_decompress=False,
        shutdown_timeout=PATIENCE,
    )
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=values.server.max_connections)
    await site.start()
    try:
        yield Proxy(f"http://127.0.0.1:{site.port}", app)
        await app[IN_FLIGHT].drain(PATIENCE)
        assert not app[IN_FLIGHT].expired, "a request outlived its client and its upstream"
    finally:
        await runner.cleanup()


def settings(url_base: str, /, **sections: Mapping[str, Any]) -> Settings:
    """Return the default settings with some of them replaced, section by section.

    The data directory is a new one, which is made if it is needed. Without a word about it there is
    no ledger.
    """
    sections = {
        **sections,
        "server": {"data_dir": f"{_DATA.name}/{next(_number)}", **sections.get("server", {})},
        "upstream": {"url_base": url_base, **READING, **sections.get("upstream", {})},
        "repair": {**QUICK, **sections.get("repair", {})},
        "ledger": {"enabled": False, **sections.get("ledger", {})},
    }
    defaults = Settings()
    return attrs.evolve(
        defaults,
        **{name: attrs.evolve(getattr(defaults, name), **new) for name, new in sections.items()},
    )


class AccessLog(logging.Handler):
    """Collects the lines of the access log, in order."""

    def __init__(self) -> None:
        super().__init__()
        self._records: asyncio.Queue[logging.LogRecord] = asyncio.Queue()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record; logging calls this."""
        self._records.put_nowait(record)

    async def line(self) -> dict[str, Any]:
        """Return the fields of the next line; it is written just after the answer's end."""
        async with asyncio.timeout(PATIENCE):
            return (await self._records.get()).__dict__
