"""A request body on its way through: streamed, counted, and remembered when it breaks.

The client library reports whatever goes wrong with a body as a broken connection to the
upstream. Whose fault it was is known only here, where the client's side is read: a body that
passes its cap is answered with 413 and one that breaks off with 400, not with 502.
"""

from collections.abc import AsyncIterator
from typing import Self

import attrs
from aiohttp import web

from gemproxy.core.errors import TooLarge


@attrs.define(eq=False)
class Incoming:
    """The body of a request, piece by piece as it comes; an iterator that needs no closing.

    At most ``limit`` bytes, None: any number. ``fault`` is what the client did wrong, once it
    did. Raises TooLarge at once for a body that says itself that it is too long.
    """

    _request: web.BaseRequest
    _limit: int | None
    fault: TooLarge | web.RequestPayloadError | None = attrs.field(default=None, init=False)
    _size: int = attrs.field(default=0, init=False)
    _pieces: AsyncIterator[bytes] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._check(self._request.content_length or 0)
        self._pieces = aiter(self._request.content.iter_any())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await anext(self._pieces)
            self._size += len(piece)
            self._check(self._size)
        except (TooLarge, web.RequestPayloadError) as fault:
            self.fault = fault
            raise
        return piece

    def _check(self, size: int) -> None:
        if self._limit is not None and size > self._limit:
            raise TooLarge("The request body is larger than the proxy accepts.")
