"""One of the pictures of a request: a call to Gemini, and room for its answer.

A call goes up as soon as there is room for a call. Its answer is read as far as it is small; a
large one waits until it is its turn and there is room for all of it (``images/room.py``). Meanwhile
its connection reads no further, and the time of the picture stands still.

The turns are those of one request: an answer is read when all earlier ones have been, because the
client gets the pictures in this order, and when at most one of them still waits for its client. So
nobody who holds room waits for somebody who wants some.

A picture that is kept for a link is kept at once, and its room is free then.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from mmap import mmap

import attrs
from aiohttp import web

from gemproxy.core.errors import DeadlinePassed, GemproxyError
from gemproxy.core.repair.unary import Look
from gemproxy.core.wire.image import Lifted, lifted
from gemproxy.exchange.account import Account
from gemproxy.exchange.exchange import Exchange
from gemproxy.images.room import SHARE, SHARE_OF_TLS, UNSAID, Held
from gemproxy.images.shelf import StoreDown
from gemproxy.images.store import NotKept
from gemproxy.openai.image_answers import Drawn, Result, picture_in
from gemproxy.relay.unary import is_json
from gemproxy.relay.upstream import Reply
from gemproxy.relay.wants import PICTURE
from gemproxy.routes.addressing import addresses_of
from gemproxy.routes.documents import LARGEST, Documents, whole
from gemproxy.routes.parts import DISPATCHER, LIVE, PICTURE_STORE, ROOM

_SMALL = 32 << 10
"""Bytes of an answer that are read at once: more than any error, less than most pictures."""

_OK = 200


@attrs.define(eq=False)
class Canvas:
    """One picture; ``earlier`` are those of its request in front of it.

    ``account`` and ``documents`` have what became of its attempts. ``links``: it is kept, for a
    link in its place.
    """

    request: web.Request
    model: str
    links: bool
    account: Account
    earlier: Sequence["Canvas"]
    documents: Documents = attrs.field(init=False)
    _is_read: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _is_free: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _lifted: Lifted = attrs.field(default=Lifted(b""), init=False)
    _held: Held | None = attrs.field(default=None, init=False)
    _memory: mmap | None = attrs.field(default=None, init=False, repr=False)
    _limit: asyncio.Timeout | None = attrs.field(default=None, init=False)

    @documents.default
    def _documents(self) -> Documents:
        look, take = Look.GENERATION, self._take
        return Documents(self.request, "picture", self.model, look, take, PICTURE)

    async def draw(self, towards: Exchange, body: bytes) -> Result:
        """Return what became of the picture; its room is taken until ``release``."""
        try:
            drawn = await self._drawn(towards, body)
        except GemproxyError as error:
            self.release()
            return Result(failed=error)
        finally:
            self._is_read.set()
        if not self.links:
            return Result(drawn)
        url = await self._link(drawn)
        if url:
            self.release()
        return Result(drawn, url)

    def release(self) -> None:
        """Let go of the picture; once or more often."""
        self._let_go()
        self._is_free.set()

    def _let_go(self) -> None:
        self._lifted = Lifted(b"")
        if self._memory is not None:
            self.request.app[ROOM].mappings.put(self._memory)
            self._memory = None
        if self._held is not None:
            self._held.release()

    async def _drawn(self, towards: Exchange, body: bytes) -> Drawn:
        exchange = attrs.evolve(towards, account=self.account, due=towards.deadline)
        seconds = self.request[LIVE].studio.seconds
        try:
            async with self._room_to_call(), asyncio.timeout(seconds) as self._limit:
                answer = await self.documents.fetch(exchange, body)
        except TimeoutError:
            raise DeadlinePassed(f"The picture did not come within {seconds:g} seconds.") from None
        finally:
            self._limit = None  # it has the task, and so the picture
        return picture_in(answer, self._lifted)

    def _room_to_call(self) -> AbstractAsyncContextManager[None]:
        app = self.request.app
        return app[ROOM].call(SHARE_OF_TLS if app[DISPATCHER].base.scheme == "https" else SHARE)

    async def _take(self, reply: Reply) -> bytes:
        """Return the JSON of an answer, without its pictures."""
        self._let_go()
        if reply.status != _OK or not is_json(reply.headers):
            return await whole(reply)
        try:
            return await self._read(reply)
        except BaseException:
            self._let_go()
            raise

    async def _read(self, reply: Reply) -> bytes:
        """Return the JSON of a good answer, which is read in its turn if it is large."""
        room, length = self.request.app[ROOM], reply.headers.get("Content-Length", "")
        size = int(length) if length.isdecimal() else 0
        if size <= _SMALL:
            begun = bytearray()
            while len(begun) <= _SMALL and (data := await reply.read()):
                begun += data
            if len(begun) <= _SMALL:
                self._held = room.overfull(len(begun))
                return self._lift(reply, begun, len(begun))
            reply.put_back(bytes(begun))
            del begun
        with self._untimed():
            await self._turn()
            self._held = await room.answer(self._room_for(size or UNSAID))
        known = 0 < size <= LARGEST
        body = self._memory = room.lend(size if known else LARGEST)
        size = await reply.fill(memoryview(body)[: size if known else LARGEST])
        self._held.resize(self._room_for(size))
        return self._lift(reply, body, size)

    def _lift(self, reply: Reply, body: bytearray | mmap, size: int) -> bytes:
        """Return the JSON of an answer, and note its pictures; a coded answer is left as it is."""
        if "Content-Encoding" in reply.headers:
            return bytes(memoryview(body)[:size])
        self._lifted = lifted(body, size)
        return self._lifted.text

    def _room_for(self, size: int) -> int:
        """Return the room for an answer of ``size`` bytes.

        A picture to be kept is decoded, and the driver of the store copies it, which leaves holes.
        """
        return 3 * size if self.links else size

    async def _turn(self) -> None:
        for canvas in self.earlier:
            await canvas._is_read.wait()  # noqa: SLF001 (of the same class)
        for canvas in self.earlier[:-1]:
            await canvas._is_free.wait()  # noqa: SLF001 (of the same class)

    @contextlib.contextmanager
    def _untimed(self) -> Iterator[None]:
        """Let the time of the picture stand still while entered."""
        now, limit = asyncio.get_running_loop().time, self._limit
        assert limit is not None  # noqa: S101 (it is set around every attempt)
        left = (limit.when() or 0.0) - now()
        limit.reschedule(None)
        try:
            yield
        finally:
            limit.reschedule(now() + left)

    async def _link(self, drawn: Drawn) -> str:
        """Return a link to a picture, or an empty text if it cannot be kept."""
        base = addresses_of(self.request).ours or ""
        try:
            kept = await self.request.app[PICTURE_STORE].put(drawn.picture().data, base)
        except (StoreDown, NotKept):
            return ""
        return kept.url
