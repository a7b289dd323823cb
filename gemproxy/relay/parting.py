r"""Ends an incomplete answer so that its client notices it, after it has read the reason.

A body ends in one of three ways (RFC 9112 section 6.3), and each is broken off differently:

- *Chunks*: the last chunk does not come. h2o treats an end between two chunks as the end of the
  body (h2o/h2o#1490), so we begin a chunk that never comes, in one write with the last words.
- *Content-Length*: the connection closes before the announced number of bytes.
- *The end of the connection*, in HTTP/1.0: a FIN would complete the body, so the connection is
  reset. A reset discards data on its way: 287 of 400 kB in one test, nothing once all was
  acknowledged. So the reset waits for the acknowledgement.

Before it closes, a connection stays open until the client has left, or for a second. A client that
leaves has read the last words. When the connection ends, Node's fetch drops the data that its
reader has not taken, so an application that awaits something between two events would see
"TypeError: terminated" instead of the error; varnish and nghttpx sometimes lose it as well. The
server completes a body as soon as its handler returns, so the handler waits at its very end, after
it has released the attempt, the request's body and its place among the running requests.
"""

import socket
import struct
import sys
from asyncio import Transport, get_running_loop
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.http import StreamWriter

Linger = Callable[[float], Awaitable[bool]]
"""Waits for some seconds; returns False, perhaps sooner, when no more waiting is allowed."""

NEVER = b"1\r\n"
"""The beginning of a chunk that never comes."""

_CUT = web.RequestKey("cut", bool)
"""Set on a request whose answer must not be completed; True if only a reset shows that."""

_POLL = 0.01
_SO_NWRITE = 0x1024  # macOS: bytes in the send queue; Python has no name for it
_RESET = struct.pack("ii", 1, 0)


def cut(request: web.BaseRequest, words: bytes = b"", *, whole: bool = False) -> None:
    """Write the last words of a begun answer, and prevent its completion.

    Only the first call for a request has an effect. ``part`` closes the connection; that is all if
    the answer is ``whole``, that is completely written but not yet read by its client.
    """
    transport, writer = request.transport, request.writer
    if transport is None or transport.is_closing() or _CUT in request:
        return
    request[_CUT] = not whole and _ends_with_the_connection(request)
    if isinstance(writer, StreamWriter) and writer.chunked:
        framed = b"%x\r\n%b\r\n" % (len(words), words) if words else b""
        words = framed + NEVER
        writer.chunked = False  # so the last chunk cannot be written
    if words and not whole:
        transport.write(words)
        writer.output_size += len(words)


async def part(
    request: web.BaseRequest, linger: Linger, *, patience: float, send_timeout: float
) -> None:
    """End the connection of an answer that was cut; do nothing for any other.

    ``patience`` is the time for the client to read the last words, and again for them to arrive if
    the connection is reset (seconds). A client that leaves cancels the wait. The unread rest of a
    body with an end mark is discarded after ``send_timeout`` seconds.
    """
    transport = request.transport
    if transport is None or _CUT not in request:
        return
    try:
        if request[_CUT]:
            await _arrival(transport, linger, patience)
        await linger(patience)
    finally:
        if request[_CUT]:
            _reset(transport)
        else:
            _close(transport, send_timeout)


def abandon(request: web.BaseRequest) -> None:
    """Reset the connection at once if its end would complete a begun answer."""
    transport = request.transport
    if transport is not None and request.writer.output_size and _ends_with_the_connection(request):
        _reset(transport)


def _reset(transport: Transport) -> None:
    """End a connection with RST; with TLS, without a close_notify, which means completeness."""
    connection = transport.get_extra_info("socket")
    if connection is not None and not transport.is_closing():
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()


def _ends_with_the_connection(request: web.BaseRequest) -> bool:
    """Return whether the body has no end mark of its own."""
    if _CUT in request:
        return request[_CUT]
    writer = request.writer
    return isinstance(writer, StreamWriter) and not writer.chunked and writer.length is None


async def _arrival(transport: Transport, linger: Linger, patience: float) -> None:
    """Wait until the client's kernel has acknowledged everything, for at most ``patience``.

    It checks twice: with TLS, an invisible buffer may hold more data.
    """
    loop = get_running_loop()
    deadline = loop.time() + patience
    arrived = 0
    while arrived < 2 and loop.time() < deadline:  # noqa: PLR2004 (see above)
        arrived = arrived + 1 if _is_acknowledged(transport) else 0
        if not await linger(_POLL):
            return


def _is_acknowledged(transport: Transport) -> bool:
    """Return whether all written data has arrived; False if that is unknown."""
    connection = transport.get_extra_info("socket")
    if transport.is_closing() or connection is None:
        return False
    return not transport.get_write_buffer_size() and send_queue(connection) == 0


def send_queue(connection: socket.socket) -> int | None:
    """Return the number of bytes that the peer has not acknowledged; None if it is unknown."""
    try:
        if sys.platform == "linux":
            import fcntl  # noqa: PLC0415 (these two are not on every platform)
            import termios  # noqa: PLC0415

            queued = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))  # SIOCOUTQ
            return int.from_bytes(queued, sys.byteorder)
        if sys.platform == "darwin":
            return int(connection.getsockopt(socket.SOL_SOCKET, _SO_NWRITE))
    except (OSError, ValueError):  # it is closed
        pass
    return None


def _close(transport: Transport, send_timeout: float) -> None:
    """Close a connection after the written data; discard data that is not read in time."""
    unsent = not transport.is_closing() and transport.get_write_buffer_size()
    transport.close()
    if unsent:  # checked before, because a TLS transport that is closed twice cannot answer
        get_running_loop().call_later(send_timeout, transport.abort)
