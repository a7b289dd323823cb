"""Request bodies that are kept so that an attempt can be made again.

A repair needs the request's bytes for as long as the stream lives. What that may cost is
bounded, for one body and for all of them together. A body beyond the bounds is streamed up
once instead: the request is served, its stream is not repaired, and the log says so.
"""

import contextlib
from collections.abc import AsyncIterator

import attrs
from aiohttp import web

from gemproxy.core.errors import Encoded, TooLarge
from gemproxy.relay.incoming import read_piece

_TOO_LARGE = "The request body is larger than the proxy accepts."


@attrs.frozen
class Body:
    """A request body: all of it in ``kept``, or, where it is too large, a ``stream`` of it."""

    kept: bytes = attrs.field(default=b"", repr=False)
    stream: AsyncIterator[bytes] | None = None


@attrs.define(eq=False)
class Bodies:
    """Keeps bodies of up to ``each`` bytes, ``total`` bytes in all; refuses above ``limit``.

    ``patience`` counts seconds that a client may let its body wait.
    """

    each: int
    total: int
    limit: int = 128 << 20
    patience: float = 60.0
    held: int = 0

    @contextlib.asynccontextmanager
    async def receive(self, request: web.BaseRequest) -> AsyncIterator[Body]:
        """Yield the body of ``request``; what it took is given back at the exit.

        Raises TooLarge and TooSlow, also out of the stream of a body that is not kept, and
        Encoded: what is compressed cannot be asked again in other words.
        """
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Encoded("Send the request body without a Content-Encoding.")
        pieces: list[bytes] = []
        taken = 0
        if (request.content_length or 0) > self.limit:
            raise TooLarge(_TOO_LARGE)
        try:
            while piece := await read_piece(request, self.patience):
                pieces.append(piece)
                taken += len(piece)
                self.held += len(piece)
                if taken > self.each or self.held > self.total:
                    yield Body(stream=self._rest(pieces, request, self.limit - taken))
                    return
            yield Body(kept=b"".join(pieces))
        finally:
            self.held -= taken

    async def _rest(
        self, pieces: list[bytes], request: web.BaseRequest, allowance: int
    ) -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece
        pieces.clear()
        while piece := await read_piece(request, self.patience):
            allowance -= len(piece)
            if allowance < 0:
                raise TooLarge(_TOO_LARGE)
            yield piece
