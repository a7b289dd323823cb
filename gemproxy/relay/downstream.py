"""The downstream side of a request: where an answer goes.

``ClientSink`` takes bytes in order, from one writer: each piece is one write to the transport,
``settle`` waits while the client reads slower than Gemini writes, and a client that reads nothing
for the send timeout is cut off.

An ending is either complete or loud. The loud one is an error in the client's voice, then the
end of the connection without what would complete the body (``relay.parting``). Behind half an
event there is no error, which would be read as the other half: the cut alone has to do.

The SSE response is aiohttp-sse's, without its pings: they are comments, which Google's SDKs take
for broken JSON. A peer that hangs is found by TCP_USER_TIMEOUT.
"""

import asyncio
import functools
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import attrs
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import HttpVersion10, StreamWriter
from aiohttp_sse import EventSourceResponse

from gemproxy.relay.headers import is_event_stream, keep_unbuffered
from gemproxy.relay.parting import abandon, cut
from gemproxy.voices.voice import Asides

log = logging.getLogger("gemproxy.relay")

_Bytes = bytes | memoryview

_CALM = 16 * 1024
"""Below asyncio's low-water mark a transport is not paused."""

_ROOM = 60 * 1024
"""A write that leaves no more than this in the buffer cannot block.

A transport is paused beyond asyncio's high-water mark, 64 KiB; a chunk's framing needs some bytes.
"""

_TCP = (socket.AF_INET, socket.AF_INET6)
_USER_TIMEOUT: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)
"""Linux only."""

_SLICE = 1 << 18
"""A frame of more bytes is written in slices, each when the client has taken the one before."""

_POURED = 1 << 19
"""Bytes of a large part that are written at once."""

_KEPT = 96 << 10
"""Bytes at the end of a large part that are copied: more than a transport keeps when it takes more.
"""

_SMALL = 2048
"""Bytes below which a chunk and its framing are joined; aiohttp's writer draws the line there."""

_TAIL = 4
"""Bytes by which the end of an event is known."""

_UNBUFFERED = "X-Accel-Buffering"


class ClientGone(ConnectionError):
    """The client closed its connection, or does not read."""


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
    methods raise ClientGone once there is no client to write to, and behind the end. ``sent``
    counts the bytes of the frames that were passed on.
    """

    _request: web.BaseRequest
    voice: Asides
    _send_timeout: float
    response: web.StreamResponse
    sent: int = 0
    _tail: bytes = b""  # the last bytes that were passed on
    _unwritten: bytes = b""  # the frame that was taken and waits for ``settle``
    _within_a_frame: bool = False
    _over: bool = False
    _writer: StreamWriter = attrs.field(init=False)

    @property
    def committed(self) -> bool:
        """Tell whether the head of the answer is out."""
        return self.response.prepared

    async def open(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head of the answer: ``headers`` over those that the response has."""
        ours = self.response.headers
        self.response.set_status(status)
        streams = _UNBUFFERED in ours
        for name in headers:
            ours.popall(name, None)
        ours.extend(headers)
        if streams or is_event_stream(ours):
            keep_unbuffered(ours)
            if self._request.version == HttpVersion10:
                _note_http_1_0()
        transport = self._transport()
        _notice_a_hung_peer(transport, self._send_timeout)
        try:
            await self.response.prepare(self._request)
        except ConnectionError as error:
            raise self._gone(error) from None
        self._writer = cast(StreamWriter, self._request.writer)

    async def offer(self, raw: bytes) -> bool:
        """Write one frame to the transport at once, unless the write could wait for the client.

        Returns False in that case: ``settle`` writes the frame then, or waits until it is written.
        An empty frame, which a voice makes of what it has no word for, is left out: a chunk without
        bytes is the end of the body.
        This never waits; it is a coroutine because aiohttp's ``write`` is one, and awaiting it
        costs no call. The writer itself is asked, because the response's ``write`` would wait. A
        small chunk is framed here, as the writer frames it: three calls less for each event.
        """
        transport = self._request.transport
        if transport is None or self._over:
            raise ClientGone("the client closed the connection")
        size = len(raw)
        if not size:
            return True
        self._tail = raw[-_TAIL:] if size >= _TAIL else (self._tail + raw)[-_TAIL:]
        waiting = transport.get_write_buffer_size()
        if waiting >= _CALM or size > _SLICE:
            self._unwritten = raw
            return False
        writer = self._writer
        if writer.chunked and size < _SMALL and not transport.is_closing():
            piece = b"%x\r\n%b\r\n" % (size, raw)
            writer.output_size += len(piece)
            transport.write(piece)
        else:
            try:  # a timer would cost more than the write
                await writer.write(raw, drain=False)
            except ConnectionError as error:
                raise self._gone(error) from None
        self.sent += size
        return waiting + size <= _ROOM or transport.get_write_buffer_size() <= _ROOM

    async def settle(self) -> None:
        """Write the frame that ``offer`` kept, and wait while the client is slow."""
        raw, self._unwritten = self._unwritten, b""
        if len(raw) > _SLICE:
            await self._write_slices(raw)
        elif raw:
            await self._write(raw)
        else:
            await self._within(self._drain, b"")
        self.sent += len(raw)

    async def emit(self, raw: bytes) -> None:
        """Write one frame to the transport; wait while the client is slow."""
        if not await self.offer(raw):
            await self.settle()

    async def pour(self, data: bytes | memoryview) -> None:
        """Write a large part of an answer without a copy of it; wait while the client is slow.

        In chunked coding it is one chunk. Behind it nothing refers to ``data``: only the end may
        wait in the transport, and that is a copy. TLS has larger buffers, so more may wait there.
        """
        self._transport()
        writer, view = self._writer, memoryview(data)
        chunked, size = writer.chunked, len(view)
        end = max(0, size - _KEPT)
        self._within_a_frame = True
        if chunked:
            await self._write_plainly(b"%x\r\n" % size)
        for start in range(0, end, _POURED):
            await self._write_plainly(view[start : min(start + _POURED, end)])
        last = bytes(view[end:])
        await self._write_plainly(last + b"\r\n" if chunked else last)
        self._within_a_frame = False
        self._tail = last[-_TAIL:]
        self.sent += size

    async def heartbeat(self) -> None:
        """Write what the client's SDK skips between two frames; nothing where it skips none."""
        raw = self.voice.heartbeat()
        if raw is not None:
            self._transport()
            await self._write(raw)

    async def finish(self, last: bytes = b"") -> None:
        """Complete the body; its last frame and its end are one write."""
        self._transport()
        self._over = True
        await self._within(self.response.write_eof, last)
        self.sent += len(last)

    async def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Send a whole answer, head and body, in one write."""
        response = web.Response(status=status, headers=headers, body=body)
        self.response = response
        self._transport()
        try:
            await response.prepare(self._request)
        except ConnectionError as error:
            raise self._gone(error) from None
        await self._within(response.write_eof, b"")
        self.sent += len(body)

    async def fail(self, payload: Mapping[str, Any] | None) -> None:
        """Write the error, if there is one, and have the body end without its end.

        A frame that waits for ``settle`` goes first. Where an event is half written, as an image
        is while its client is slow, there is no error: it would be read as the rest of the event.
        """
        if self._over:  # a shutdown found the whole answer waiting for its client
            cut(self._request, whole=True)
            return
        if self._transport().is_closing():
            raise ClientGone("the client closed the connection")
        self._over = True
        error = b""
        if payload is not None and not self._within_a_frame:
            error = self.voice.last_words(payload, self._tail)
        cut(self._request, self._unwritten + error)

    async def _write_plainly(self, raw: _Bytes) -> None:
        """Write to the transport, past the framing of the client library, which makes a copy."""
        transport = self._transport()
        transport.write(raw)
        self._writer.output_size += len(raw)
        if transport.get_write_buffer_size() > _ROOM:
            await self._within(self._drain, b"")

    async def _drain(self, _: _Bytes) -> None:
        await self._writer.drain()

    async def _write_slices(self, raw: bytes) -> None:
        """Write an image and its like: whole, it would be copied, and wait for the client."""
        view = memoryview(raw)
        self._within_a_frame = True
        for start in range(0, len(raw), _SLICE):
            await self._write(view[start : start + _SLICE])
        self._within_a_frame = False

    async def _write(self, raw: _Bytes) -> None:
        await self._within(self.response.write, raw)

    async def _within(self, write: Callable[[Any], Awaitable[object]], raw: _Bytes) -> None:
        """Write within the send timeout; when nothing can block, without a timer."""
        transport = self._request.transport
        if transport is None:
            raise ClientGone("the client closed the connection")
        waiting = transport.get_write_buffer_size()
        calm = waiting < _CALM and waiting + len(raw) <= _ROOM
        try:
            if calm:
                await write(raw)
            else:
                async with asyncio.timeout(self._send_timeout):
                    await write(raw)
        except (ConnectionError, TimeoutError) as error:
            raise self._gone(error) from None

    def _gone(self, error: OSError) -> ClientGone:
        """Return what a failed write means; a client that does not read is cut off here."""
        if isinstance(error, TimeoutError):
            abandon(self._request)
            if self._request.transport is not None:
                self._request.transport.abort()
            return ClientGone("the client does not read")
        return ClientGone("the client closed the connection")

    def _transport(self) -> asyncio.Transport:
        transport = self._request.transport
        if transport is None or self._over:
            raise ClientGone("the client closed the connection")
        return transport


def _notice_a_hung_peer(transport: asyncio.Transport, seconds: float) -> None:
    """Have the kernel end a connection on which nothing is acknowledged for ``seconds``.

    An answer of a few bytes now and then would not fill the buffers for days.
    """
    connection = transport.get_extra_info("socket")
    if _USER_TIMEOUT is not None and connection is not None and connection.family in _TCP:
        connection.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, int(seconds * 1000))


def client_sink(
    request: web.BaseRequest, voice: Asides, content_type: str, *, send_timeout: float
) -> ClientSink:
    """Return the sink for a stream to the client of ``request``."""
    events = content_type == "text/event-stream"
    response = EventStream(send_timeout) if events else web.StreamResponse()
    response.headers["Content-Type"] = content_type
    response.headers["Cache-Control"] = "no-cache, no-transform"
    response.headers[_UNBUFFERED] = "no"
    return ClientSink(request, voice, send_timeout, response)


@functools.cache
def _note_http_1_0() -> None:
    """Say once in the life of the process what such a stream lacks."""
    log.warning(
        "A stream was asked for in HTTP/1.0, which cannot mark the end of a stream. If the proxy in"
        " front of this one speaks HTTP/1.0, have it speak HTTP/1.1: in nginx,"
        " proxy_http_version 1.1"
    )
