"""Clients of keyed streams that lose their connections as a test wants."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import attrs
from multidict import CIMultiDict

from gemproxy.core.wire.frame import Decoder
from gemproxy.core.wire.jsonarray import JSONArrayDecoder
from gemproxy.core.wire.sse import SSEDecoder
from gemproxy.resume.keeper import Keeper
from gemproxy.resume.stream import Stream
from gemproxy.routes.parts import KEEPER
from tests.gemini import BODY
from tests.running import PATIENCE, Proxy
from tests.wire import ARRAY, KEY, STREAM, Connection, text_of_documents

NOTHING: Mapping[str, str] = {}
CHAT = "/v1/chat/completions"
CHAT_BODY = json.dumps(
    {
        "model": "gemini-test",
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": "Tell me a story."}],
    }
).encode()


@attrs.frozen
class Kind:
    """A dialect: how it is asked for, and how its chunks are read, as an SDK does."""

    name: str
    target: str
    body: bytes
    decoder: Callable[[], Decoder]

    def headers(
        self, key: str, after: int | str | None = None, more: Mapping[str, str] = NOTHING
    ) -> dict[str, str]:
        """Return the headers of a request with a key that goes on after so many chunks."""
        fields = {**KEY, "Content-Type": "application/json", "Idempotency-Key": key}
        if after is not None:
            fields["Last-Event-ID"] = str(after)
        return {**fields, **more}

    def chunks(self, body: bytes) -> list[bytes]:
        """Return the chunks of a whole body."""
        return read(self.decoder(), body)


SSE = Kind("sse", STREAM, BODY, SSEDecoder)
ARRAY_KIND = Kind("array", ARRAY, BODY, JSONArrayDecoder)
OPENAI = Kind("chat", CHAT, CHAT_BODY, SSEDecoder)
KINDS = (SSE, ARRAY_KIND)


def read(decoder: Decoder, data: bytes) -> list[bytes]:
    """Return the chunks that ``data`` completes."""
    found = [bytes(frame.data) for frame in decoder.feed(data) if frame.data is not None]
    return [data for data in found if data != b"[DONE]"]


@attrs.define(eq=False)
class Reader:
    """One connection of a client, which counts its chunks."""

    connection: Connection
    decoder: Decoder
    status: int
    headers: CIMultiDict[str]
    chunks: list[bytes] = attrs.field(factory=list)
    whole: bool = False

    async def some(self, number: int) -> list[bytes]:
        """Read until so many chunks have come, or the body ends."""
        with contextlib.suppress(EOFError, ConnectionResetError):
            while len(self.chunks) < number:
                data = await self.connection.chunk()
                if not data:
                    self.whole = True
                    break
                self.chunks += read(self.decoder, data)
        return self.chunks

    async def all(self) -> list[bytes]:
        """Read to the end of the body."""
        return await self.some(1 << 30)


@contextlib.asynccontextmanager
async def reading(
    proxy: Proxy, kind: Kind, key: str, after: int | None = None, more: Mapping[str, str] = NOTHING
) -> AsyncIterator[Reader]:
    """Yield a connection that reads a keyed stream; at the exit it is closed as it is."""
    async with proxy.connect() as connection:
        await connection.send(kind.target, kind.body, kind.headers(key, after, more))
        async with asyncio.timeout(PATIENCE):
            status, headers = await connection.head()
        yield Reader(connection, kind.decoder(), status, headers)


async def read_with_cuts(
    proxy: Proxy, kind: Kind, key: str, cut: Callable[[int], int]
) -> tuple[list[bytes], int]:
    """Read a stream on connections that are lost when ``cut`` of the chunks so far have come.

    Returns the chunks, and how many connections it took.
    """
    got: list[bytes] = []
    for connections in range(1, 1000):
        async with reading(proxy, kind, key, len(got) if got else None) as reader:
            assert reader.status == 200
            wanted = cut(connections)
            new = await reader.some(wanted)
            got += new[:wanted]
            if reader.whole and len(new) <= wanted:
                return got, connections
    raise AssertionError("the stream has no end")


def text_of_chunks(chunks: list[bytes]) -> str:
    """Return the visible text of native chunks."""
    return text_of_documents([json.loads(data) for data in chunks])


def keeper_of(proxy: Proxy) -> Keeper:
    """Return what keeps the streams of a proxy."""
    return proxy.app[KEEPER]


def streams_of(proxy: Proxy) -> list[Stream]:
    """Return all streams that are kept."""
    return list(keeper_of(proxy).store)


async def until(condition: Callable[[], bool]) -> None:
    """Return when ``condition`` holds, which nobody announces."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 (see above)
            await asyncio.sleep(0.002)


def without_times(chunks: list[bytes]) -> list[Mapping[str, Any]]:
    """Return the documents of chunks without what differs between two answers."""
    return [
        {name: value for name, value in json.loads(data).items() if name not in {"created", "id"}}
        for data in chunks
    ]
