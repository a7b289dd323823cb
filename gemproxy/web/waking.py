"""Calls the proxy at its own public address, so that a host does not stop it as an idle service.

Only ``/wake`` is called, and only at the address that the settings have: no redirect is followed,
and no proxy on the way out is used. One worker does it for all. A failure is one line in the log,
until a call succeeds again.
"""

import asyncio
import logging
from collections.abc import AsyncIterator

import aiohttp
import attrs
from aiohttp import web
from yarl import URL

from gemproxy.config.settings import Settings
from gemproxy.observe.background import repeat
from gemproxy.web.neighbours import NEIGHBOURS

_OK = 200
_PATIENCE = aiohttp.ClientTimeout(total=30.0)

_log = logging.getLogger(__name__)


@attrs.define(eq=False)
class Waker:
    """Calls ``/wake`` below ``base``; ``failing`` is whether the last call failed."""

    base: URL
    session: aiohttp.ClientSession
    failing: bool = False

    async def call(self) -> None:
        """Call once. Raises nothing."""
        try:
            async with self.session.get(self.base / "wake", allow_redirects=False) as response:
                why = "" if response.status == _OK else f"status {response.status}"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            why = type(error).__name__
        if why and not self.failing:
            _log.warning("the proxy cannot be woken at %s: %s", self.base.host, why)
        self.failing = bool(why)


def place_of(settings: Settings) -> str:
    """Return the base URL that is called; empty if there is none."""
    return settings.server.public_url or settings.server.self_ping_url


async def keep_awake(settings: Settings, app: web.Application) -> AsyncIterator[None]:
    """Call at the interval of the settings between startup and cleanup."""
    seconds = settings.server.self_ping_seconds
    if not seconds or app[NEIGHBOURS].number:
        yield
        return
    async with aiohttp.ClientSession(timeout=_PATIENCE, trust_env=False) as session:
        waker = Waker(URL(place_of(settings)), session)
        task = asyncio.create_task(repeat(waker.call, lambda: seconds))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
