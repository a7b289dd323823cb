"""An answer that is read in the callbacks of its connection, without a stream reader in between.

``Direct`` is the protocol of a connection of the client library's for the time of one request: it
writes the request, has a ``Message`` read the answer, and gives the connection back in the call
that brings the answer's end. The pool, TLS, names and proxies stay the library's
(``relay.connections``).

- **Given back** is a connection whose answer is whole and means to keep it, with nothing behind the
  end, nothing unsent, and the flow in both directions open. Every other one is closed.
- **A slow reader**: beyond ``_MOST_HELD`` bytes the connection is read no further until they are
  taken. What TLS had decoded by then still comes. For a sparing reader nothing is read ahead, and
  it lends its own memory for the body (``relay.filling``).
- **A large request** goes up in slices, one for each turn of the loop, and none while the
  connection takes no more. An error that comes before its end ends it: the rest is not sent, and
  the connection is closed.
- **The end of TLS**: a FIN without close_notify may be anybody's (RFC 8446 section 6.1), so it ends
  no body cleanly that ends with its connection.
- **What is raised in a callback** goes to whoever reads, as a RuntimeError: the loop would log it
  and leave the reader asleep.
"""

import asyncio
import contextlib
import functools
import ssl
from collections.abc import Callable
from typing import Concatenate, ParamSpec, cast

from aiohttp.connector import Connection
from multidict import CIMultiDictProxy

from gemproxy.core.repair.events import How
from gemproxy.relay.bell import Bell
from gemproxy.relay.coding import FalseCoding
from gemproxy.relay.filling import Filling
from gemproxy.relay.message import Message
from gemproxy.relay.silence import Silence
from gemproxy.relay.unpacking import Unpacking, unpacking

_SLICE = 1 << 16
"""Bytes of a request that are written in one turn of the loop."""
_MOST_HELD = 1 << 18
"""Bytes of an answer that wait for their reader. That is what uvloop reads at once: with less, an
image is read in a rhythm of pauses; with more, a slow client costs more memory."""
_ERRORS = 400


class Broken(Exception):
    """An answer that ends before its end.

    ``detail`` is for people and has nothing of it. ``heard``: a byte of it had come.
    """

    def __init__(self, how: How, detail: str, *, heard: bool = True) -> None:
        super().__init__(detail)
        self.how = how
        self.detail = detail
        self.heard = heard


P = ParamSpec("P")


def _loudly(
    callback: "Callable[Concatenate[Direct, P], None]",
) -> "Callable[Concatenate[Direct, P], None]":
    """Have what a callback raises raised where the answer is read."""

    def called(self: "Direct", /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            callback(self, *args, **kwargs)
        except BaseException as error:
            self.crash(error)
            if not isinstance(error, Exception):
                raise

    functools.update_wrapper(called, callback)
    return called


class Direct(asyncio.Protocol):
    """One request and its answer on ``connection``, which is used for nothing else meanwhile.

    ``ask``, await ``head``, then ``readany`` until it returns b""; ``close`` in the end, whatever
    came of it. ``unpacked``: a Content-Encoding of the answer is undone. ``common``: the reader is
    sparing, and this is where the connection reads until it lends memory of its own.
    """

    __slots__ = (
        "_bell",
        "_connection",
        "_crashed",
        "_cut_short",
        "_end",
        "_filling",
        "_head_is_there",
        "_heard",
        "_held",
        "_inner",
        "_loop",
        "_message",
        "_most_held",
        "_packed",
        "_pieces",
        "_reading_paused",
        "_sent",
        "_silence",
        "_size",
        "_transport",
        "_unpacked",
        "_unpacked_size",
        "_unsent",
        "_waiter",
        "_writing_paused",
    )

    def __init__(
        self, connection: Connection, *, unpacked: bool, common: memoryview | None = None
    ) -> None:
        loop = self._loop = asyncio.get_running_loop()
        transport, inner = connection.transport, connection.protocol
        if transport is None or inner is None:
            raise Broken(How.RESET, "the connection was closed", heard=False)
        self._connection: Connection | None = connection
        self._transport, self._inner = transport, inner
        self._message = Message()
        self._silence = Silence(loop, self._late)
        self._filling = None if common is None else Filling(self, common)
        self._most_held = _MOST_HELD if common is None else 0
        self._pieces: list[bytes] = []
        self._held = self._size = self._unpacked_size = 0
        self._unsent = memoryview(b"")
        self._unpacked = unpacked
        self._packed: Unpacking | None = None
        self._sent = self._reading_paused = self._writing_paused = False
        self._cut_short = self._head_is_there = self._heard = False
        self._end: tuple[How, str] | None = None
        self._crashed: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._bell: Bell | None = None

    @property
    def status(self) -> int:
        """The status of the answer."""
        return self._message.status

    @property
    def reason(self) -> str:
        """The reason phrase of the answer."""
        return self._message.reason

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The headers of the answer, once ``head`` has returned."""
        return self._message.headers

    @property
    def size(self) -> int:
        """The number of bytes of the body that have come, behind its coding if that is undone."""
        return self._size if self._packed is None else self._unpacked_size

    def ask(self, head: bytes, body: bytes, patience: float) -> None:
        """Send a request; its answer may begin ``patience`` seconds behind the last byte."""
        transport = self._transport
        transport.set_protocol(self._filling or self)
        if len(body) <= _SLICE:
            transport.write(head + body)
        else:
            transport.write(head)
            self._unsent = memoryview(body)
        self._silence.allow(patience)
        self._send_on()

    async def head(self) -> None:
        """Wait for the head of the answer. Raises Broken."""
        message = self._message
        while not message.begun and self._end is None:
            await self._something()
        if not message.begun:
            raise self._failure()
        if self._unpacked:
            try:
                self._packed = unpacking(self.headers.get("Content-Encoding", ""))
            except FalseCoding as coding:
                raise Broken(How.GARBLED, f"a coding that nobody asked for: {coding}") from None

    async def readany(self) -> bytes:
        """Return the next bytes of the body as soon as there are any, b"" at its end.

        Raises Broken behind the last byte that came.
        """
        if self._packed is not None:
            return await self._unpack(self._packed)
        while not self._pieces and self._end is None:
            await (self._bell or self._something())
        return self._taken()

    async def fill(self, target: memoryview) -> int:
        """Read the rest of the body into ``target``, and return the number of its bytes.

        0, and nothing is read, where that cannot be: the reader is not sparing, or the body is
        coded, does not say how long it is, or is larger. Raises Broken.
        """
        filling, left, held = self._filling, self._left(), self._held
        if filling is None or self._packed is not None:
            return 0
        if left is None or held + left > len(target):
            self._most_held = _MOST_HELD
            filling.gulp()
            return 0
        target[:held] = self._taken_held()
        if left and self._end is None:
            filling.fill(target[held : held + left])
            self._read_on()
            try:
                while self._end is None:
                    await self._something()
            finally:
                filling.stop()
        if self._end is None or self._end[0] is not How.EOF:
            raise self._failure()
        return held + left

    def ring(self, bell: Bell) -> None:
        """Wake by ``bell`` from now on, in the call that has the news: its pump alone may read."""
        self._bell = bell

    def allow_silence(self, seconds: float | None) -> None:
        """Let the answer pause for so long from now on; None: for as long as the caller likes."""
        if self._connection is not None:
            self._silence.allow(seconds)

    def abort(self) -> None:
        """Close the connection; what has come can still be read."""
        self._give_up(at_once=True)

    def close(self) -> None:
        """Let the answer go; an unread body is abandoned. Raises what a callback did unseen."""
        self._give_up(at_once=not self._sent)
        self._pieces.clear()
        if self._crashed is not None:
            raise self._failure()

    @_loudly
    def _give_up(self, *, at_once: bool) -> None:
        if self._connection is not None:
            self._finish(How.RESET, "given up by the proxy", at_once=at_once)
            self._wake()

    # The reader's side.

    async def _something(self) -> None:
        waiter = self._waiter = self._loop.create_future()
        await waiter

    def _wake(self) -> None:
        waiter = self._waiter
        if self._bell is not None:
            self._bell.ring()
        elif waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def _taken(self) -> bytes:
        """Return what has come, and read on if that was too much."""
        pieces = self._pieces
        if pieces:
            data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            self._held = 0
            if self._reading_paused:  # asked here, because the call would be one for each event
                self._read_on()
            return data
        if self._end is None or self._end[0] is not How.EOF:
            raise self._failure()
        return b""

    def _left(self) -> int | None:
        """Return how many bytes of the body are to come, None if that is not known."""
        length = self._message.length
        return None if length is None else length - self._size

    def _taken_held(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._held = 0
        return data

    def _failure(self) -> Exception:
        """Return what is raised for the end, a new one for each time."""
        if self._crashed is not None:
            failed = RuntimeError("the reader of an answer failed")
            failed.__cause__, self._crashed = self._crashed, None  # told once
            return failed
        how, detail = self._end or (How.RESET, "")
        return Broken(how, detail, heard=self._heard)

    async def _unpack(self, packed: Unpacking) -> bytes:
        try:
            while not (made := packed.give()):
                while not self._pieces and self._end is None:
                    await (self._bell or self._something())
                data = self._taken()
                if not data:
                    packed.end()
                    return b""
                packed.take(data)
        except FalseCoding as coding:
            raise Broken(How.GARBLED, f"the body is no {coding}") from None
        self._unpacked_size += len(made)
        return made

    def _read_on(self) -> None:
        if not self._reading_paused:
            return
        self._reading_paused = False
        self._silence.go_on()
        if self._connection is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    # The connection's side.

    def data_received(self, data: bytes | memoryview) -> None:
        """Take what came."""
        try:
            if self._connection is None:
                return  # it is being closed
            self._heard = True
            silence, message = self._silence, self._message
            if silence.timed:
                silence.heard()
            body = message.feed(data)
            if body:
                self._pieces.append(body)
                size = len(body)
                self._held += size
                self._size += size
            if message.over:
                self._end_came()
            elif not self._head_is_there and message.begun:
                self._head_came()
            elif not body:
                return
            self._wake()
            if self._held > self._most_held and self._connection is not None:
                self._pause()
        except BaseException as error:
            self.crash(error)
            if not isinstance(error, Exception):
                raise

    @_loudly
    def filled(self, size: int) -> None:
        """Take the news that so many bytes of the body were read into the reader's memory."""
        if self._connection is None:
            return  # it is being closed
        self._size += size
        if self._silence.timed:
            self._silence.heard()
        if not self._left():
            self._message.end()
            self._end_came()
            self._wake()

    def _end_came(self) -> None:
        fault = self._message.fault
        if fault is None:
            self._finish(How.EOF, "")
        else:
            self._finish(How.GARBLED, fault)

    def _head_came(self) -> None:
        self._head_is_there = True
        if not self._sent and self._message.status >= _ERRORS:
            self._cut_short, self._unsent = True, memoryview(b"")  # the rest changes nothing
            self._silence.go_on()

    def _pause(self) -> None:
        if not self._reading_paused and not self._transport.is_closing():
            self._reading_paused = True
            self._silence.hold()
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        """Note that the connection takes no more."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """Go on with the request."""
        self._writing_paused = False
        self._send_on()

    @_loudly
    def _send_on(self) -> None:
        """Send the next slice of the request; start the clock of the answer behind the last."""
        if self._sent or self._writing_paused or self._connection is None:
            return
        if self._unsent:
            piece, self._unsent = self._unsent[:_SLICE], self._unsent[_SLICE:]
            self._silence.hold()
            self._transport.write(piece)
            self._loop.call_soon(self._send_on)
        elif not self._cut_short:
            self._sent = True
            if not self._reading_paused:
                self._silence.go_on()

    def eof_received(self) -> None:
        """Have the connection closed; whether that was the answer's end is told then."""

    @_loudly
    def connection_lost(self, error: Exception | None) -> None:
        """Take the end of the connection, and tell the library."""
        self._inner.connection_lost(error)
        if self._connection is None:
            return
        message = self._message
        message.closed(cleanly=error is None and message.until_eof and self._ended_cleanly())
        if message.complete:
            self._finish(How.EOF, "")
        else:
            said = "the connection was closed" if error is None else type(error).__name__
            self._finish(How.RESET, said)
        self._wake()

    def _ended_cleanly(self) -> bool:
        """Return whether the upstream said that it sends no more; without TLS a FIN says so."""
        tls = cast("ssl.SSLObject | None", self._transport.get_extra_info("ssl_object"))
        if tls is None:
            return True
        try:
            return tls.read(1) == b""
        except ssl.SSLZeroReturnError:
            return True
        except (ssl.SSLError, ValueError):  # nothing was said
            return False

    @_loudly
    def _late(self) -> None:
        """End an answer that is silent for too long."""
        how = How.STALLED if self._head_is_there else How.NO_FIRST_BYTE
        self._finish(how, "no byte came in time", at_once=True)
        self._wake()

    def crash(self, error: BaseException) -> None:
        """Have an exception raised where the answer is read."""
        self._crashed, self._end = error, (How.RESET, "")
        self._wake()
        connection, self._connection = self._connection, None
        with contextlib.suppress(Exception):
            self._silence.stop()
            self._message.let_go()
        with contextlib.suppress(Exception):
            self._transport.abort()
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()

    def _finish(self, how: How, detail: str, *, at_once: bool = False) -> None:
        """Note how the answer ended, and give the connection back or close it."""
        self._end = how, detail
        self._silence.stop()
        self._message.let_go()
        transport, connection = self._transport, self._connection
        if connection is None:
            return
        if self._is_fit():
            transport.set_protocol(self._inner)
            if self._reading_paused:
                self._reading_paused = False
                transport.resume_reading()
            connection.release()
        else:
            if at_once or self._reading_paused or transport.get_write_buffer_size():
                transport.abort()  # nobody waits for the rest of the request, nor for a TLS end
            connection.close()
        self._connection = None

    def _is_fit(self) -> bool:
        """Return whether the connection may serve another request."""
        message, transport = self._message, self._transport
        return (
            message.complete
            and message.keep
            and not message.behind
            and self._sent
            and not self._writing_paused
            and not transport.is_closing()
            and not transport.get_write_buffer_size()
        )
