"""An upstream that gives one scripted reply for each request, and remembers the requests."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import attrs
from multidict import CIMultiDict

from tests.sockets import CHUNKED, END, Reader, Writer, chunk, head, scripted


@attrs.frozen
class Reply:
    """Bytes for one request, then what becomes of the connection."""

    raw: bytes
    closes: bool = False
    resets: bool = False
    stalls: bool = False


@attrs.frozen
class Seen:
    """One request as it came."""

    method: str
    target: str
    headers: CIMultiDict[str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@attrs.define
class Replies:
    """The upstream; ``stalled`` is set when a reply that stalls has been given.

    ``left`` is set when the connection of such a reply has been closed by the other side.
    """

    url: str
    seen: list[Seen] = attrs.field(factory=list)
    stalled: asyncio.Event = attrs.field(factory=asyncio.Event)
    left: asyncio.Event = attrs.field(factory=asyncio.Event)


def reply(body: bytes, status: int = 200, *fields: str, kind: str = "application/json") -> Reply:
    """Return a sized reply."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    return Reply("\r\n".join([*lines, *fields, "", ""]).encode() + body)


def json_reply(document: object, status: int = 200, *fields: str) -> Reply:
    """Return a reply with a JSON body, printed as Google prints it."""
    return reply(json.dumps(document, indent=2).encode(), status, *fields)


def error_reply(status: int, *details: object) -> Reply:
    """Return an error of Google's form."""
    error = {"code": status, "message": f"scripted {status}", "status": "X", "details": details}
    return json_reply({"error": error}, status)


def sse_reply(body: bytes, *, closes: bool = False) -> Reply:
    """Return a chunked event stream: whole, or closed before its end."""
    top = CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Type: text/event-stream\r\n\r\n")
    return Reply(top + chunk(body) + (b"" if closes else END), closes=closes)


def cut(whole: Reply, short_of: int = 1) -> Reply:
    """Return a reply that lacks its last bytes."""
    return Reply(whole.raw[:-short_of], closes=True)


DEAD = Reply(b"", closes=True)
RESET = Reply(b"", resets=True)
SILENT = Reply(b"", stalls=True)


@contextlib.asynccontextmanager
async def replying(*replies: Reply) -> AsyncIterator[Replies]:
    """Serve the replies in order, the last one for all further requests."""
    upstream = Replies("")

    async def script(reader: Reader, writer: Writer) -> None:
        while True:
            upstream.seen.append(await _request(reader))
            given = replies[min(len(upstream.seen), len(replies)) - 1]
            writer.write(given.raw)
            await writer.drain()
            if given.stalls:
                upstream.stalled.set()
                await reader.read()
                upstream.left.set()
                return
            if given.resets:
                writer.transport.abort()
            if given.closes or given.resets:
                return

    async with scripted(script) as url:
        upstream.url = str(url).rstrip("/")
        yield upstream


async def _request(reader: Reader) -> Seen:
    line, *lines = (await head(reader)).decode().splitlines()[:-1]
    method, target, _ = line.split(" ")
    headers = CIMultiDict(_fields(lines))
    if "chunked" in headers.get("Transfer-Encoding", ""):
        return Seen(method, target, headers, await _chunked(reader))
    body = await reader.readexactly(int(headers.get("Content-Length", "0")))
    return Seen(method, target, headers, body)


def _fields(lines: Iterable[str]) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (line.partition(": ") for line in lines)]


async def _chunked(reader: Reader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return body
