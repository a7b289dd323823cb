"""The downstream side of a request: where a repaired stream goes.

A ``Sink`` takes frames one by one, in order, from one writer. ``ClientSink`` is the sink that
is the client's own connection: each frame is one write to the transport, ``emit`` waits while
the client reads slower than Gemini writes, and a client that reads nothing for the send
timeout is cut off.

An ending is either complete or loud. The loud one is an error in the client's dialect, then
the end of the connection without the chunk that would complete the body (RFC 9112 section
7.1), which every HTTP client reports. The connection is *closed*, not aborted: an abort throws
away what the transport still has to send, and with it the error.

The SSE response is aiohttp-sse's, without its pings: they are comments, which Google's SDKs take
for broken JSON. A peer that hangs is found by TCP_USER_TIMEOUT.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import attrs
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp_sse import EventSourceResponse

from gemproxy.relay.dialects import Dialect, eol_of

_Bytes = bytes | memoryview

_CALM = 16 * 1024
"""Below asyncio's low-water mark a transport is never paused, so that a write cannot block."""


_TCP = (socket.AF_INET, socket.AF_INET6)
_USER_TIMEOUT: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)
"""Linux only."""

_SLICE = 1 << 18
"""A frame of more bytes is written in slices, each when the client has taken the one before."""


class ClientGone(ConnectionError):
    """The client closed its connection, or does not read."""


class Sink(Protocol):
    """Where the frames of one answer go."""

    @property
    def committed(self) -> bool:
        """Tell whether the head of the answer is out, so that its status stands."""

    async def open(self, status: int, headers: Mapping[str, str]) -> None:
        """Commit the head of the answer."""

    async def emit(self, raw: bytes) -> None:
        """Pass one frame on as it is; wait while the reader is slow."""

    async def heartbeat(self) -> None:
        """Show between two frames that the answer is still alive, where that is tolerated."""

    async def finish(self, last: bytes = b"") -> None:
        """End the answer as a complete one, after its ``last`` frame."""

    async def fail(self, payload: Mapping[str, Any]) -> None:
        """End the answer with a google.rpc error body, so that every reader notices."""


class EventStream(EventSourceResponse):
    """aiohttp-sse's response for a POST, without pings and without hop-by-hop headers."""

    def __init__(self, send_timeout: float) -> None:
        super().__init__(allow_all_methods=True, send_timeout=send_timeout)
        del self.headers["Connection"]

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the head, and start no task for pings: one that is stopped stays as a cycle."""
        return await web.StreamResponse.prepare(self, request)


@attrs.define(eq=False)
class ClientSink:
    """The sink that is a client's connection; ``response`` is what the handler returns.

    ``send_timeout`` counts seconds that one write may wait for the client to read. All
    methods raise ClientGone once there is no client to write to. ``sent`` counts the bytes
    of the frames that were passed on.
    """

    _request: web.BaseRequest
    _dialect: Dialect
    _send_timeout: float
    response: web.StreamResponse
    sent: int = 0
    _eol: bytes | None = None

    @property
    def committed(self) -> bool:
        """Tell whether the head of the answer is out."""
        return self.response.prepared

    async def open(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head of the answer: ``headers`` over the ones that keep streams unbuffered."""
        self.response.set_status(status)
        for name in headers:
            self.response.headers.popall(name, None)
        self.response.headers.extend(headers)
        transport = self._transport()
        _notice_a_hung_peer(transport, self._send_timeout)
        try:
            await self.response.prepare(self._request)
        except ConnectionError as error:
            raise _gone(transport, error) from None

    async def emit(self, raw: bytes) -> None:
        """Write one frame to the transport at once; wait while the client is slow."""
        if self._eol is None:
            self._eol = eol_of(raw)
        size = len(raw)
        transport = self._transport()
        if size > _SLICE:
            await self._write_slices(raw)
        elif size + transport.get_write_buffer_size() >= _CALM:
            await self._write(raw)
        else:  # the hot path: nothing can block, and a timer would cost more than the write
            try:
                await self.response.write(raw)
            except ConnectionError as error:
                raise _gone(transport, error) from None
        self.sent += size

    async def heartbeat(self) -> None:
        """Write what the client's SDK skips between two frames; nothing where it skips none."""
        raw = self._dialect.heartbeat(self._eol)
        if raw is not None:
            await self._write(raw)

    async def finish(self, last: bytes = b"") -> None:
        """Complete the body; its last frame and its end are one write."""
        await self._within(self.response.write_eof, last)
        self.sent += len(last)

    async def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Send a whole answer, head and body, in one write."""
        response = web.Response(status=status, headers=headers, body=body)
        self.response = response
        transport = self._transport()
        try:
            await response.prepare(self._request)
        except ConnectionError as error:
            raise _gone(transport, error) from None
        await self._within(response.write_eof, b"")
        self.sent += len(body)

    async def fail(self, payload: Mapping[str, Any]) -> None:
        """Write the error in a write of its own and close without completing the body."""
        await self._write(self._dialect.error_bytes(payload, self._eol))
        cut(self._request, self._send_timeout)

    async def _write_slices(self, raw: bytes) -> None:
        """Write an image and its like: whole, it would be copied, and wait for the client."""
        view = memoryview(raw)
        for start in range(0, len(raw), _SLICE):
            await self._write(view[start : start + _SLICE])

    async def _write(self, raw: _Bytes) -> None:
        await self._within(self.response.write, raw)

    async def _within(self, write: Callable[[Any], Awaitable[object]], raw: _Bytes) -> None:
        """Write within the send timeout; when nothing can block, without a timer."""
        transport = self._transport()
        calm = transport.get_write_buffer_size() < _CALM and len(raw) < _CALM
        try:
            if calm:
                await write(raw)
            else:
                async with asyncio.timeout(self._send_timeout):
                    await write(raw)
        except (ConnectionError, TimeoutError) as error:
            raise _gone(transport, error) from None

    def _transport(self) -> asyncio.Transport:
        transport = self._request.transport
        if transport is None:
            raise ClientGone("the client closed the connection")
        return transport


def _notice_a_hung_peer(transport: asyncio.Transport, seconds: float) -> None:
    """Have the kernel end a connection on which nothing is acknowledged for ``seconds``.

    An answer of a few bytes now and then would not fill the buffers for days.
    """
    connection = transport.get_extra_info("socket")
    if _USER_TIMEOUT is not None and connection is not None and connection.family in _TCP:
        connection.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, int(seconds * 1000))


def _gone(transport: asyncio.Transport, error: OSError) -> ClientGone:
    """Return what a failed write means; a client that does not read is cut off here."""
    if isinstance(error, TimeoutError):
        transport.abort()
        return ClientGone("the client does not read")
    return ClientGone("the client closed the connection")


def client_sink(
    request: web.BaseRequest, dialect: Dialect, *, sse: bool, send_timeout: float
) -> ClientSink:
    """Return the sink for the client of ``request``: an event stream, or a JSON array."""
    response = EventStream(send_timeout) if sse else web.StreamResponse()
    response.headers["Content-Type"] = "text/event-stream" if sse else "application/json"
    response.headers["Cache-Control"] = "no-cache, no-transform"
    response.headers["X-Accel-Buffering"] = "no"
    return ClientSink(request, dialect, send_timeout, response)


def cut(request: web.BaseRequest, linger: float) -> None:
    """Close the connection of ``request`` after what is written, short of a complete body.

    What a client does not read within ``linger`` seconds is thrown away.
    """
    transport = request.transport
    if transport is None:
        return
    unsent = not transport.is_closing() and transport.get_write_buffer_size()
    transport.close()
    if unsent:  # asked before: a TLS transport that is closed twice cannot tell
        asyncio.get_running_loop().call_later(linger, transport.abort)
