"""A request body on its way through: streamed, counted, and remembered when it breaks.

The client library reports whatever goes wrong with a body as a broken connection to the
upstream. Whose fault it was is known only here, where the client's side is read: a body that
passes its cap is answered with 413, one that breaks off with 400 and one that comes to a halt
with 408, not with 502.
"""

import asyncio
from typing import Self

import attrs
from aiohttp import web

from gemproxy.core.errors import TooLarge, TooSlow


async def read_piece(request: web.BaseRequest, patience: float) -> bytes:
    """Return the next bytes of a request's body, b"" at its end.

    Raises TooSlow after ``patience`` seconds without any. A body that is all there costs no timer.
    """
    content = request.content
    if content.is_eof():
        return await content.readany()
    try:
        async with asyncio.timeout(patience):
            return await content.readany()
    except TimeoutError:
        raise TooSlow("The rest of the request body did not come in time.") from None


@attrs.define(eq=False)
class Incoming:
    """The body of a request, piece by piece as it comes; an iterator that needs no closing.

    At most ``limit`` bytes, None: any number; ``patience`` counts seconds without a byte.
    ``fault`` is what the client did wrong, once it did. Raises TooLarge at once for a body that
    says itself that it is too long.
    """

    _request: web.BaseRequest
    _limit: int | None
    _patience: float
    fault: TooLarge | TooSlow | web.RequestPayloadError | None = attrs.field(
        default=None, init=False
    )
    _size: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._check(self._request.content_length or 0)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await read_piece(self._request, self._patience)
            self._size += len(piece)
            self._check(self._size)
        except (TooLarge, TooSlow, web.RequestPayloadError) as fault:
            self.fault = fault
            raise
        if not piece:
            raise StopAsyncIteration
        return piece

    def _check(self, size: int) -> None:
        if self._limit is not None and size > self._limit:
            raise TooLarge("The request body is larger than the proxy accepts.")
