"""Reads requests from a connection and carries out steps on it.

This is a small HTTP/1.1 server on asyncio streams, because a library's server refuses to end a body
at an exact byte in an invalid way. It supports Content-Length and chunked bodies, keep-alive and
``Expect: 100-continue`` (RFC 9112), and leaves header parsing to ``http.client``.
"""

import asyncio
import contextlib
import fcntl
import functools
import http.client
import io
import json
import socket
import struct
import termios
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import attrs

from gemproxy.chaos.delivery import Close, Flood, Pause, Send, Step

_BODY_LIMIT = 256 * 2**20  # bytes; Gemini takes 100 MB of inline data
_LINGER_ZERO = struct.pack("ii", 1, 0)


class BadRequest(ValueError):
    """The bytes are not an HTTP/1.1 request that this server can read."""


@attrs.frozen
class Request:
    """One request; ``headers`` in their order, names in lower case."""

    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The query parameters; the last one counts if a name repeats."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @functools.cached_property
    def document(self) -> dict[str, Any]:
        """The JSON object in the body; empty if there is none."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def keeps_alive(self) -> bool:
        """Whether the client may send another request on this connection."""
        return self.version == "HTTP/1.1" and "close" not in self.header("connection").lower()

    def header(self, name: str) -> str:
        """Return the joined values of header ``name``; empty if there are none."""
        return ", ".join(self.values(name))

    def values(self, name: str) -> list[str]:
        """Return every value of header ``name`` (given in lower case)."""
        return [value for key, value in self.headers if key == name]


async def read_request(
    first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Request:
    """Read a request, after its ``first`` bytes, and return it.

    Raises BadRequest, and asyncio.IncompleteReadError when the peer leaves in the middle.
    """
    try:
        head = first + await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise BadRequest("the request head is too large") from None
    line, _, rest = head.partition(b"\r\n")
    method, target, version = _request_line(line)
    headers = _headers(rest)
    if "100-continue" in dict(headers).get("expect", "").lower():
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await _read_body(dict(headers), reader)
    return Request(method, target, version, headers, body)


def _request_line(line: bytes) -> tuple[str, str, str]:
    words = line.decode("latin-1").split(" ")
    if len(words) != 3 or words[2] not in ("HTTP/1.0", "HTTP/1.1"):  # noqa: PLR2004 - RFC 9112
        raise BadRequest("no HTTP/1.1 request line")
    return words[0], words[1], words[2]


def _headers(block: bytes) -> tuple[tuple[str, str], ...]:
    try:
        message = http.client.parse_headers(io.BytesIO(block))
    except http.client.HTTPException as exc:
        raise BadRequest(f"the headers cannot be read: {type(exc).__name__}") from None
    return tuple((name.lower(), value) for name, value in message.items())


async def _read_body(headers: dict[str, str], reader: asyncio.StreamReader) -> bytes:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return await _read_chunks(reader)
    return await reader.readexactly(_size(headers.get("content-length", "0"), 10))


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    chunks = bytearray()
    while size := _size((await reader.readuntil(b"\r\n")).split(b";")[0].decode("latin-1"), 16):
        chunks += (await reader.readexactly(size + 2))[:size]
        if len(chunks) > _BODY_LIMIT:
            raise BadRequest("the body is too large")
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
    return bytes(chunks)


def _size(text: str, base: int) -> int:
    try:
        size = int(text.strip(), base)
    except ValueError:
        raise BadRequest(f"{text!r} is no size of a body") from None
    if not 0 <= size <= _BODY_LIMIT:
        raise BadRequest("the body is too large")
    return size


async def perform(
    steps: Iterable[Step], writer: asyncio.StreamWriter, *, event_delay: float = 0.0
) -> Close:
    """Carry out ``steps`` and return the Close at their end, for ``close``.

    ``event_delay`` (seconds) is the length of a Pause. A Flood lasts until the caller
    cancels. Raises ConnectionError when a write finds the peer gone.
    """
    for step in steps:
        match step:
            case Send(data):
                writer.write(data)
                await writer.drain()
            case Pause():
                await asyncio.sleep(event_delay)
            case Flood(data):
                while True:
                    writer.write(data)
                    await writer.drain()
            case Close():
                return step
    raise AssertionError("the steps of a reply end with a Close")


async def close(how: Close, writer: asyncio.StreamWriter) -> None:
    """End a response; with HANG this lasts until the caller cancels."""
    if how is Close.HANG:
        await asyncio.Event().wait()
    elif how is Close.RST:
        await reset(writer)
    elif how is Close.FIN:
        writer.close()


async def reset(writer: asyncio.StreamWriter) -> None:
    """Send RST after the peer's kernel has acknowledged all written bytes."""
    connection = writer.get_extra_info("socket")
    while _unacknowledged(connection):  # noqa: ASYNC110 - the kernel has no event for it
        await asyncio.sleep(0.001)
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    writer.transport.abort()


def _unacknowledged(connection: socket.socket) -> int:
    """Return the number of bytes in the kernel's send queue, which a reset would discard.

    The result is 0 on systems without TIOCOUTQ for sockets, which only Linux has.
    """
    counted = bytearray(4)
    with contextlib.suppress(OSError, ValueError):
        fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, counted)
    return int.from_bytes(counted, "little")
