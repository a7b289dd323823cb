"""Reads a request body piece by piece, checks its size and speed, and records its fault.

The client library reports every problem of a body as a broken connection to the upstream. Only this
reader knows the real one: a body beyond its limit is answered with 413, one that breaks off with
400, and one that is too slow with 408.

The reader has a reserve of time. It starts at ``patience`` seconds; waiting for the client spends
it, and each byte earns ``1 / rate`` seconds back, up to ``patience``. So a body that stops is given
up after ``patience`` seconds, one with less than ``rate`` bytes a second soon after that, and a
large one over a slow link may take hours. The upstream's time does not count. Servers with such a
rule require 500 bytes a second (Apache, mod_reqtimeout, MinRate) or 240 (Kestrel,
MinRequestBodyDataRate); a mobile link of 64 kbit/s brings 8000.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Self

import attrs
from aiohttp import web

from gemproxy.core.errors import BadRequest, GemproxyError, TooLarge, TooSlow

RATE = 500
"""Bytes per second that a body must bring by default."""


@attrs.define(eq=False)
class Incoming:
    """The body of a request, piece by piece as it comes; an iterator that needs no closing.

    At most ``limit`` bytes, None: any number. ``patience`` is in seconds, ``rate`` in bytes per
    second, 0: any rate. ``fault`` is the exception of a failure on the client's side. Raises
    TooLarge at once if the Content-Length exceeds the limit.
    """

    _request: web.BaseRequest
    _limit: int | None
    _patience: float
    _rate: float = RATE
    fault: TooLarge | TooSlow | web.RequestPayloadError | None = attrs.field(
        default=None, init=False
    )
    _size: int = attrs.field(default=0, init=False)
    _reserve: float = attrs.field(init=False)
    _begun: deque[bytes] = attrs.field(factory=deque, init=False)

    def __attrs_post_init__(self) -> None:
        self._reserve = self._patience
        self._check(self._request.content_length or 0)

    @property
    def arriving(self) -> bool:
        """Whether the client is still sending."""
        return not self._request.content.is_eof()

    @property
    def buffered(self) -> int:
        """The number of bytes that were read ahead and not yet passed on."""
        return sum(map(len, self._begun))

    def put_back(self, pieces: Iterable[bytes]) -> None:
        """Return ``pieces`` of an earlier ``read``, which the iteration then yields first."""
        self._begun.extend(pieces)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        piece = self._begun.popleft() if self._begun else await self.read()
        if not piece:
            raise StopAsyncIteration
        return piece

    async def read(self) -> bytes:
        """Return the next bytes of the body, b"" at its end.

        Raises TooLarge, TooSlow, and RequestPayloadError for a body that breaks off.
        """
        try:
            piece = await self._read()
            self._size += len(piece)
            self._check(self._size)
        except (TooLarge, TooSlow, web.RequestPayloadError) as fault:
            self.fault = fault
            raise
        return piece

    async def _read(self) -> bytes:
        """Return the next bytes in time; a body that has fully arrived needs no timer."""
        content = self._request.content
        if content.is_eof():
            return await content.readany()
        now = asyncio.get_running_loop().time
        began = now()
        try:
            async with asyncio.timeout(self._reserve):
                piece = await content.readany()
        except TimeoutError:
            raise TooSlow("The rest of the request body did not come in time.") from None
        earned = len(piece) / self._rate if self._rate else self._patience
        self._reserve = min(self._patience, self._reserve - (now() - began) + earned)
        return piece

    def _check(self, size: int) -> None:
        if self._limit is not None and size > self._limit:
            raise TooLarge("The request body is larger than the proxy accepts.")


def error_for(fault: GemproxyError | web.RequestPayloadError) -> GemproxyError:
    """Return the error for the client about its body."""
    if isinstance(fault, GemproxyError):
        return fault
    return BadRequest("The request body breaks off, or is not what its headers say.")
