"""Request bodies that are kept so that an attempt can be made again.

A repair needs the request's bytes for as long as the stream lives. What that may cost is
bounded, for one body and for all of them together. A body beyond the bounds is streamed up
once instead: the request is served, its stream is not repaired, and the log says so.

Only what is kept counts. A body that turns out too large gives its room back at once, also
while it is still arriving. When all bodies together pass the bound, the largest one that is
still arriving is no longer kept, so that a client that sends much, or lets its body wait, does
not take the room of small requests. Bytes that were read ahead of a body that is not kept stay
in memory until the upstream takes them; while these are many, less is read ahead of others.
"""

import asyncio
from collections.abc import AsyncIterable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager

import attrs
from aiohttp import web

from gemproxy.core.errors import Busy, Encoded
from gemproxy.relay.incoming import RATE, Incoming

_SMALL = 1 << 20
"""Bytes that are read ahead of any body, however many others wait to be passed on."""


@attrs.frozen
class Once:
    """A body in memory of a request that must be sent no more than once.

    ``file``: it is the content of a file, and no JSON of the API's.
    """

    data: bytes = attrs.field(repr=False)
    file: bool = False


Outgoing = AsyncIterable[bytes] | Once | bytes | None
"""The body of an attempt. Plain bytes may be sent again on a connection that had gone stale."""


@attrs.frozen
class Body:
    """A request body: all of it in ``kept``, or, where it is too large, a ``stream`` of it."""

    kept: bytes = attrs.field(default=b"", repr=False)
    stream: Incoming | None = None

    @property
    def once(self) -> Outgoing:
        """What goes up where the request may not be repeated; None for no body."""
        if self.stream is not None:
            return self.stream
        return Once(self.kept) if self.kept else None

    def arriving(self) -> bool:
        """Tell whether the client still sends it."""
        return self.stream is not None and self.stream.arriving


@attrs.define(eq=False)
class Bodies:
    """Keeps bodies of up to ``each`` bytes, ``total`` bytes in all; refuses above ``limit``.

    ``patience`` and ``rate`` say how slowly a body may come; see ``relay.incoming``. ``held``
    counts the bytes that are kept, other parts' of the process too.
    """

    each: int
    total: int
    limit: int = 128 << 20
    patience: float = 60.0
    held: int = 0
    rate: float = RATE
    arriving: set["_Received"] = attrs.field(factory=set, init=False)
    passing: set[Incoming] = attrs.field(factory=set, init=False)

    def receive(
        self, request: web.BaseRequest, *, whole: bool = False
    ) -> AbstractAsyncContextManager[Body]:
        """Yield the body of ``request``; what it took is given back at the exit.

        ``whole``: it has to be read before it goes up, so it is kept however large it is, and
        refused where there is no room. Raises TooLarge, TooSlow and RequestPayloadError, also out
        of the stream of a body that is not kept, Encoded: what is compressed cannot be asked again
        in other words, and Busy.
        """
        return _Received(self, request, whole=whole)

    def make_room(self) -> None:
        """Stop keeping the largest of the bodies that are arriving, until the others fit."""
        while self.held > self.total and self.arriving:
            max(self.arriving, key=lambda received: received.taken).let_go()

    @contextmanager
    def outliving(self, size: int) -> Iterator[None]:
        """Count a body of ``size`` bytes while entered, also when its request is over."""
        self.held += size
        try:
            yield
        finally:
            self.held -= size

    def is_crowded(self) -> bool:
        """Tell whether what is kept and what was read ahead are more than the bound."""
        return self.held + sum(stream.buffered for stream in self.passing) > self.total


@attrs.define(eq=False)
class _Received:
    """A request body as a context; a class, because a generator would cost more than the body.

    ``taken`` counts the bytes of it that ``held`` counts.
    """

    _bodies: Bodies
    _request: web.BaseRequest
    taken: int = 0
    _whole: bool = False
    _kept: bool = True
    _incoming: Incoming | None = None
    _stay: asyncio.Timeout | None = None

    async def __aenter__(self) -> Body:
        try:
            return await self._receive()
        except BaseException:
            self._give_back()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._give_back()
        if self._incoming is not None:
            self._bodies.passing.discard(self._incoming)

    def _give_back(self) -> None:
        self._bodies.arriving.discard(self)
        self._bodies.held -= self.taken
        self.taken = 0

    def let_go(self) -> None:
        """Keep this body no longer; wake its reader, so that what has come goes up."""
        self._kept = False
        self._give_back()
        if self._stay is not None:
            self._stay.reschedule(asyncio.get_running_loop().time())

    async def _receive(self) -> Body:
        bodies, request = self._bodies, self._request
        if request.headers.get("Content-Encoding", "").strip().lower() not in {"", "identity"}:
            raise Encoded("Send the request body without a Content-Encoding.")
        incoming = Incoming(request, bodies.limit, bodies.patience, bodies.rate)
        pieces: list[bytes] = []
        if self._whole or (request.content_length or 0) <= bodies.each:
            await self._gather(incoming, pieces)
            if self._kept:
                bodies.arriving.discard(self)
                return Body(kept=b"".join(pieces))
        if self._whole:
            raise Busy("There is no room for a request body of this size now.")
        incoming.put_back(pieces)
        bodies.passing.add(incoming)
        self._incoming = incoming
        return Body(stream=incoming)

    async def _gather(self, incoming: Incoming, pieces: list[bytes]) -> None:
        """Read into ``pieces`` until the body is whole or is no longer kept."""
        try:
            async with asyncio.timeout(None) as self._stay:
                while self._kept and (piece := await incoming.read()):
                    pieces.append(piece)
                    self._take(len(piece))
        except TimeoutError:  # ``let_go``, which alone sets a time: ``read`` has its own error
            pass
        finally:
            self._stay = None

    def _take(self, size: int) -> None:
        bodies = self._bodies
        bodies.arriving.add(self)
        self.taken += size
        bodies.held += size
        if (self.taken > bodies.each and not self._whole) or (
            self.taken > _SMALL and bodies.is_crowded()
        ):
            self.let_go()
        bodies.make_room()
