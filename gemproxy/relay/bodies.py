"""Request bodies that are kept so that an attempt can be made again.

A repair needs the request's bytes for as long as the stream lives. What that may cost is
bounded, for one body and for all of them together. A body beyond the bounds is streamed up
once instead: the request is served, its stream is not repaired, and the log says so.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

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

    def receive(self, request: web.BaseRequest) -> AbstractAsyncContextManager[Body]:
        """Yield the body of ``request``; what it took is given back at the exit.

        Raises TooLarge and TooSlow, also out of the stream of a body that is not kept, and
        Encoded: what is compressed cannot be asked again in other words.
        """
        return _Received(self, request)


@attrs.define(eq=False)
class _Received:
    """A request body as a context; a class, because a generator would cost more than the body."""

    _bodies: Bodies
    _request: web.BaseRequest
    _taken: int = 0

    async def __aenter__(self) -> Body:
        try:
            return await self._receive()
        except BaseException:
            self._give_back()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._give_back()

    def _give_back(self) -> None:
        self._bodies.held -= self._taken

    async def _receive(self) -> Body:
        bodies, request = self._bodies, self._request
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Encoded("Send the request body without a Content-Encoding.")
        if (request.content_length or 0) > bodies.limit:
            raise TooLarge(_TOO_LARGE)
        pieces: list[bytes] = []
        while piece := await read_piece(request, bodies.patience):
            pieces.append(piece)
            self._taken += len(piece)
            bodies.held += len(piece)
            if self._taken > bodies.each or bodies.held > bodies.total:
                return Body(stream=self._rest(pieces, bodies.limit - self._taken))
        return Body(kept=b"".join(pieces))

    async def _rest(self, pieces: list[bytes], allowance: int) -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece
        pieces.clear()
        while piece := await read_piece(self._request, self._bodies.patience):
            allowance -= len(piece)
            if allowance < 0:
                raise TooLarge(_TOO_LARGE)
            yield piece
