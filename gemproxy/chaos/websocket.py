"""The server's half of WebSocket (RFC 6455), as far as Live sessions need it.

No extensions: an offer of compression is ignored, which the protocol allows. Messages may come in
pieces; a ping gets its pong.
"""

import asyncio
import base64
import enum
import hashlib
import struct

import attrs

from gemproxy.chaos.wire import Request

_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_LONG, _LONGER = 126, 127
_FINAL, _MASKED = 0x80, 0x80


class Op(enum.IntEnum):
    """The opcodes of frames."""

    MORE = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


@attrs.frozen
class Farewell:
    """The close of a session: its code and reason."""

    code: int
    reason: str = ""

    @property
    def payload(self) -> bytes:
        """The payload of the close frame."""
        return struct.pack("!H", self.code) + self.reason.encode()


def asks_for_websocket(request: Request) -> bool:
    """Return whether a request is a handshake."""
    return request.method == "GET" and request.header("upgrade").lower() == "websocket"


def accept(request: Request) -> bytes:
    """Return the head of the response that opens the session."""
    digest = hashlib.sha1(f"{request.header('sec-websocket-key')}{_MAGIC}".encode()).digest()  # noqa: S324 - RFC 6455
    return (
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}\r\n\r\n"
    ).encode()


def frame(op: Op, payload: bytes) -> bytes:
    """Return a whole message as one frame."""
    size = len(payload)
    if size < _LONG:
        length = bytes([size])
    elif size < 1 << 16:
        length = bytes([_LONG]) + struct.pack("!H", size)
    else:
        length = bytes([_LONGER]) + struct.pack("!Q", size)
    return bytes([_FINAL | op]) + length + payload


async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes | None:
    """Return the next message of the client, None for its close.

    Answers pings. Raises asyncio.IncompleteReadError when the client leaves without a close.
    """
    message = b""
    while True:
        final, op, payload = await _read_frame(reader)
        if op == Op.CLOSE:
            return None
        if op == Op.PING:
            writer.write(frame(Op.PONG, payload))
        elif op != Op.PONG:
            message += payload
            if final:
                return message


async def _read_frame(reader: asyncio.StreamReader) -> tuple[bool, int, bytes]:
    """Return whether a frame is final, its opcode and its payload."""
    first, second = await reader.readexactly(2)
    size = second & ~_MASKED
    if size == _LONG:
        (size,) = struct.unpack("!H", await reader.readexactly(2))
    elif size == _LONGER:
        (size,) = struct.unpack("!Q", await reader.readexactly(8))
    mask = await reader.readexactly(4) if second & _MASKED else b""
    payload = await reader.readexactly(size)
    return bool(first & _FINAL), first & 0x0F, _unmasked(payload, mask)


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    if not mask:
        return payload
    return bytes(value ^ mask[index % 4] for index, value in enumerate(payload))
