"""Request bodies that are kept so that an attempt can be made again.

A repair needs the request's bytes for as long as the stream lives. What that may cost is
bounded, for one body and for all of them together. A body beyond the bounds is streamed up
once instead: the request is served, its stream is not repaired, and the log says so.
"""

import contextlib
from collections.abc import AsyncIterator

import attrs
from aiohttp import web

from gemproxy.core.errors import TooLarge

_TOO_LARGE = "The request body is larger than the proxy accepts."


@attrs.frozen
class Body:
    """A request body: all of it in ``kept``, or, where it is too large, a ``stream`` of it."""

    kept: bytes = attrs.field(default=b"", repr=False)
    stream: AsyncIterator[bytes] | None = None


@attrs.define(eq=False)
class Bodies:
    """Keeps bodies of up to ``each`` bytes, ``total`` bytes in all; refuses above ``limit``."""

    each: int
    total: int
    limit: int = 128 << 20
    held: int = 0

    @contextlib.asynccontextmanager
    async def receive(self, request: web.BaseRequest) -> AsyncIterator[Body]:
        """Yield the body of ``request``; what it took is given back at the exit.

        Raises TooLarge, also out of the stream of a body that did not say its length.
        """
        pieces: list[bytes] = []
        taken = 0
        if (request.content_length or 0) > self.limit:
            raise TooLarge(_TOO_LARGE)
        try:
            async for piece in request.content.iter_any():
                pieces.append(piece)
                taken += len(piece)
                self.held += len(piece)
                if taken > self.each or self.held > self.total:
                    yield Body(stream=_rest(pieces, request, self.limit - taken))
                    return
            yield Body(kept=b"".join(pieces))
        finally:
            self.held -= taken


async def _rest(
    pieces: list[bytes], request: web.BaseRequest, allowance: int
) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    pieces.clear()
    async for piece in request.content.iter_any():
        allowance -= len(piece)
        if allowance < 0:
            raise TooLarge(_TOO_LARGE)
        yield piece
