"""Keeps a page alive: one SSE stream for each open page, one reading for all readers of a URL.

A reading is taken when somebody waits for it and the last one is older than the page's period. So a
hundred open pages of one URL cost what one costs, and none costs anything when nobody has it open.
What has not changed is not sent. A stream ends with its session, with a shutdown, and with its
reader; a browser asks again by itself.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import attrs
from aiohttp import web
from aiohttp_sse import sse_response

from gemproxy.core.errors import Busy

MOST = 100
"""Streams at a time."""
_TICK = 1.0
"""Seconds within which a stream notices that it should end."""

Reading = Callable[[], Awaitable[Mapping[str, Any]]]


@attrs.define(eq=False)
class _Shared:
    """The last reading of one URL: its text, and when it was taken (monotonic, seconds)."""

    readers: int = 0
    text: str = ""
    taken: float = float("-inf")
    lock: asyncio.Lock = attrs.field(factory=asyncio.Lock)


@attrs.define(eq=False)
class Live:
    """The streams of one process. ``is_over`` says whether all must end."""

    is_over: Callable[[], bool]
    most: int = MOST
    clock: Callable[[], float] = time.monotonic
    _shared: dict[object, _Shared] = attrs.field(factory=dict)

    @property
    def open(self) -> int:
        """How many streams run."""
        return sum(one.readers for one in self._shared.values())

    async def stream(
        self,
        request: web.Request,
        key: object,
        read: Reading,
        every: float,
        is_known: Callable[[], bool],
    ) -> web.StreamResponse:
        """Send readings until the reader leaves or ``is_known`` is false. Raises Busy.

        ``key`` is what readers share: URL, language, zone.
        """
        if self.open >= self.most:
            raise Busy("Too many pages are open; close one.")
        with self._joined(key) as shared:
            async with sse_response(request) as response:
                sent = ""
                while is_known() and not self.is_over() and response.is_connected():
                    text = await self._reading(shared, read, every)
                    if text != sent:
                        await response.send(text)
                        sent = text
                    await asyncio.sleep(min(every, _TICK))
        return response

    async def _reading(self, shared: _Shared, read: Reading, every: float) -> str:
        async with shared.lock:
            if self.clock() - shared.taken >= every:
                shared.text = json.dumps(await read(), ensure_ascii=False)
                shared.taken = self.clock()
            return shared.text

    @contextlib.contextmanager
    def _joined(self, key: object) -> Iterator[_Shared]:
        shared = self._shared.setdefault(key, _Shared())
        shared.readers += 1
        try:
            yield shared
        finally:
            shared.readers -= 1
            if not shared.readers:
                del self._shared[key]
