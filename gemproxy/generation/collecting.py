"""The reader that makes one JSON response of a stream, and gives it to the client at the end.

``Waiting`` is the client of such a response. It can also be given the response in parts.

While it collects, the client hears nothing, and some clients give up on a silent server
(Node's fetch after 300 s). So after a while the head goes out, and then white space, which
JSON allows before a value: google-genai, @google/genai, openai and the Vercel AI SDK read
over it. The price is the status: from then on it is 200, and a failure has to be told by
cutting the connection short.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, ClassVar

import attrs
from multidict import CIMultiDict

from gemproxy.core.answer.chunk import loads
from gemproxy.core.answer.collect import Collector
from gemproxy.core.answer.rewrite import dump
from gemproxy.core.repair.events import Out, each
from gemproxy.core.wire.frame import Frame
from gemproxy.relay.downstream import ClientSink
from gemproxy.relay.headers import downstream_headers

_OK = 200
_JSON = "application/json; charset=UTF-8"
_LARGE = 1 << 18
"""A piece of more bytes is written without a copy of it."""


@attrs.define(eq=False)
class Waiting:
    """A client that waits for one document, and hears white space meanwhile."""

    client: ClientSink
    _headers: Mapping[str, str] = attrs.field(factory=lambda: {"Content-Type": _JSON})
    _writing: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    _given: bool = False

    @property
    def committed(self) -> bool:
        """Whether the client has the head of its answer."""
        return self.client.committed

    def note(self, headers: Mapping[str, str]) -> None:
        """Note the headers of the document."""
        self._headers = headers

    async def give(self, *pieces: bytes | memoryview) -> None:
        """Give the client the document, or the rest of it."""
        async with self._writing:
            if not self.committed:
                length = str(sum(map(len, pieces)))
                await self.client.open(_OK, {**self._headers, "Content-Length": length})
            self._given = True
            await self._write(pieces)
            await self.client.finish()

    async def begin(self, *pieces: bytes | memoryview) -> None:
        """Give the client a part of the document; white space may follow it."""
        async with self._writing:
            if not self.committed:
                await self.client.open(_OK, self._headers)
            await self._write(pieces)

    async def fail(self, payload: Mapping[str, Any] | None) -> None:
        """Tell a client that has only white space so far, and cut its connection short.

        One that has a part of the document is only cut off.
        """
        async with self._writing:
            await self.client.fail(payload)

    async def _write(self, pieces: Iterable[bytes | memoryview]) -> None:
        for piece in pieces:
            if len(piece) > _LARGE:
                await self.client.pour(piece)
            else:
                await self.client.emit(bytes(piece))

    @contextlib.asynccontextmanager
    async def kept_warm(self, after: float, every: float) -> AsyncIterator[None]:
        """Keep the client waiting while entered: after some seconds, then every so many."""
        warming = asyncio.create_task(self._warm(after, every))
        try:
            yield
        finally:
            warming.cancel()
            if not self._given:  # else it waits, and writes no more
                await asyncio.wait([warming])

    async def _warm(self, after: float, every: float) -> None:
        await asyncio.sleep(after)
        with contextlib.suppress(ConnectionError):  # whoever writes the answer will notice
            async with self._writing:
                if not self.committed:
                    await self.client.open(_OK, self._headers)
            while True:
                async with self._writing:
                    await self.client.heartbeat()
                await asyncio.sleep(every)


@attrs.define(eq=False)
class CollectingReader:
    """A ``Reader`` in front of the ``client``; ``sent`` counts the bytes that it took."""

    content_type: ClassVar[str] = _JSON

    client: Waiting
    sent: int = 0
    _collector: Collector = attrs.field(factory=Collector)

    @property
    def committed(self) -> bool:
        """Whether the client has the head of its answer."""
        return self.client.committed

    async def open(self, _status: int, headers: Mapping[str, str]) -> None:
        """Note the headers of the answer that begins."""
        self.client.note(headers)

    async def offer(self, out: tuple[Out, ...]) -> bool:
        """Take frames of the stream."""
        for frame in each(out):
            self._add(frame)
        return True

    async def settle(self) -> None:
        """Do nothing: no frame waits for the client."""

    async def heartbeat(self) -> None:
        """Do nothing: the client cannot see the upstream's silence."""

    async def finish(self, out: tuple[Out, ...], tail: Frame | None) -> None:
        """Give the client the whole answer."""
        await self.offer(out)
        if tail is not None:
            self._add(tail)
        await self.client.give(dump(self._collector.response()))

    async def pass_on(self, body: bytes) -> None:
        """Give the client an answer that is no generation."""
        await self.client.give(body)

    async def fail(self, payload: Mapping[str, Any] | None) -> None:
        """Tell a client that has only white space so far, and cut its connection short."""
        await self.client.fail(payload)

    def _add(self, frame: Frame) -> None:
        self.sent += frame.size
        document = None if frame.data is None else loads(frame.data, "replace")
        if isinstance(document, dict):
            self._collector.add(document)


def json_headers(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """Return the headers of a stream as those of the JSON response that is made of it."""
    passed = downstream_headers(headers, rewritten=True)
    if passed.get("Content-Type", "").startswith("text/event-stream"):
        passed["Content-Type"] = _JSON
    return passed
