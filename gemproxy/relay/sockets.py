"""WebSockets in both directions: a session has a socket to the client and one to the upstream.

Text and binary messages pass unchanged and unread; a message in fragments is forwarded in one frame
(RFC 6455 section 5.4 allows that). Each direction has one task, which reads a message and writes it
before it reads the next. So a slow reader slows its writer down, and one that reads nothing for the
send timeout ends the session.

Ping and pong stay within each hop. A silent peer is pinged; if it stays silent, it is gone. Silence
counts only while the proxy reads from the peer, and not while a message of the peer waits for a
slow reader.

A close passes with its code and its reason. Codes that must not be written (RFC 6455 section 7.4.1)
become 1000 if a peer closed without a code, and 1011 otherwise. After an end without a close frame,
the other peer gets 1011 if the upstream is gone, and 1001 if the client is. Where the proxy itself
refuses a session, the close frame says why (``refusal``): 1008 for what the client did wrong, 1009
for what is too large, 1013 for what may pass, else 1011.

A session of an access key is read: each peer can have a ``look``, which sees a message before it
passes and can end the session. And it can *spare* its client when the upstream ends it, so that
another upstream takes over.
"""

import asyncio
import contextlib
import enum
import math
from collections.abc import Awaitable, Callable
from typing import Literal

import attrs
from aiohttp import WebSocketError, WSCloseCode, WSMsgType, web
from aiohttp.http import WSMessageNoDecodeText

from gemproxy.core.answer.turns import Turns
from gemproxy.core.answer.usage import Billed
from gemproxy.core.errors import (
    Exhausted,
    GemproxyError,
    LimitReached,
    TooLarge,
    TooSlow,
    UpstreamRejection,
)
from gemproxy.exchange.account import Farewell, Glimpse, SessionResult, Spent, Wait
from gemproxy.relay.handshake import UpstreamSocket

ClientSocket = web.WebSocketResponse[Literal[False]]

_NO_CODE = 1005
_NO_CLOSE_FRAME = 1006
_WRITTEN = {*WSCloseCode} - {WSCloseCode.ABNORMAL_CLOSURE} | {*range(3000, 5000)}
_CODES = {
    413: WSCloseCode.MESSAGE_TOO_BIG,
    429: WSCloseCode.TRY_AGAIN_LATER,
    503: WSCloseCode.TRY_AGAIN_LATER,
}
"""HTTP status of an error -> the close code that says the same."""
_FAILURES = 500
_LONGEST_REASON = 123
_UPSTREAM_LOST = "The connection to the upstream was lost."
_UNFIT = "The upstream sent what cannot be passed on."
_UPSTREAM_CLOSE_SECONDS = 5.0
_HURRIED_CLOSE_SECONDS = 0.8
"""Twice this time fits into the time that a shutdown gives a request for its last words."""


class SessionEnd(enum.Enum):
    """How a session ended, by its name in the log."""

    CLOSED = "closed"  # by a close frame
    LOST = "lost"  # the connection ended without one
    SILENT = "silent"  # no sign of life, and no answer to a ping
    UNREAD = "unread"  # the peer reads nothing
    GARBLED = "garbled"  # not a WebSocket frame, or a message beyond the limit
    SHUTDOWN = "shutdown"  # the proxy itself shuts down
    REFUSED = "refused"  # the proxy does not serve it, or no longer


@attrs.define(eq=False)
class Peer:
    """One end of a session, and the counts of its messages.

    ``look`` sees each message of this peer before it passes, and returns the end of the session if
    it must not.
    """

    name: Literal["client", "upstream"]
    socket: ClientSocket | UpstreamSocket
    transport: asyncio.Transport
    look: "Look | None" = None
    frames: int = 0
    bytes: int = 0
    _heard_at: float = attrs.field(factory=lambda: asyncio.get_running_loop().time())
    _listening: bool = True

    def heard(self, *, listening: bool) -> None:
        """Record a sign of life, and whether the proxy reads from the peer from now on."""
        self._heard_at = asyncio.get_running_loop().time()
        self._listening = listening

    def silence(self) -> float:
        """Return the seconds of silence while the proxy was reading from the peer."""
        return asyncio.get_running_loop().time() - self._heard_at if self._listening else 0.0

    def cut(self, linger: float) -> None:
        """Discard data that is still unsent in ``linger`` seconds; the library has closed.

        The unsent data is not checked, because a closing TLS transport does not report it.
        """
        asyncio.get_running_loop().call_later(linger, self.transport.abort)


@attrs.frozen
class SessionEnding:
    """The peer that ended a session, and how; ``code`` is from the close frame, if one came."""

    by: Literal["client", "upstream", "proxy"]
    end: SessionEnd
    code: int = _NO_CLOSE_FRAME
    reason: str = attrs.field(default="", repr=False)

    @property
    def farewell(self) -> tuple[int, str]:
        """The code and the reason for the close frame to the other peer."""
        if self.end in _SAID:
            return sendable(self.code), self.reason
        if self.end is SessionEnd.SHUTDOWN:
            return WSCloseCode.GOING_AWAY, "The proxy is shutting down."
        if self.by == "upstream":
            garbled = self.end is SessionEnd.GARBLED
            return WSCloseCode.INTERNAL_ERROR, _UNFIT if garbled else _UPSTREAM_LOST
        return WSCloseCode.GOING_AWAY, "The client is gone."

    def hurries(self, peer: str) -> bool:
        """Return whether to skip the wait for this peer's answer to a close frame."""
        if self.end is SessionEnd.REFUSED:
            return peer == "upstream"
        return self.end is not SessionEnd.CLOSED and (self.by != "upstream" or peer == "upstream")


Look = Callable[[bytes], Awaitable[SessionEnding | None]]

_SAID = frozenset({SessionEnd.CLOSED, SessionEnd.REFUSED})
"""Endings whose code and reason go into the close frame."""

CLIENT_LOST = SessionEnding("client", SessionEnd.LOST)
SHUTDOWN = SessionEnding("proxy", SessionEnd.SHUTDOWN, WSCloseCode.GOING_AWAY)


def refusal(error: GemproxyError) -> SessionEnding:
    """Return the ending of a session that the proxy does not serve."""
    status = error.rejected_with if isinstance(error, UpstreamRejection) else error.status
    code = _CODES.get(status)
    if code is None:
        failed = status >= _FAILURES
        code = WSCloseCode.INTERNAL_ERROR if failed else WSCloseCode.POLICY_VIOLATION
    wait = error.seconds if isinstance(error, Exhausted | LimitReached) else None
    end = "" if wait is None else f" Retry in {math.ceil(wait)} s."
    message = error.brief if isinstance(error, LimitReached) else error.message
    room = _LONGEST_REASON - len(end)
    reason = message.encode(errors="replace")[:room].decode(errors="ignore")
    return SessionEnding("proxy", SessionEnd.REFUSED, code, reason + end)


def sendable(code: int) -> int:
    """Return the code that forwards a received one; 0 means that none came."""
    if code in {0, _NO_CODE}:
        return WSCloseCode.OK
    return code if code in _WRITTEN else WSCloseCode.INTERNAL_ERROR


def _never(_: SessionEnding) -> bool:
    return False


@attrs.define(eq=False)
class Session:
    """One session; ``ending`` is set once it is over.

    A peer is pinged after ``heartbeat`` seconds of silence; it may leave a ping unanswered, or data
    unread, for ``send_timeout`` seconds. After an ending that ``spares`` accepts, the client's
    socket stays open. ``turns`` adds up what the upstream says that the session costs, if anybody
    asks.
    """

    client: Peer
    upstream: Peer
    heartbeat: float
    send_timeout: float
    spares: Callable[[SessionEnding], bool] = _never
    ending: SessionEnding | None = None
    turns: Turns | None = None

    async def run(self, first: "First | None" = None) -> None:
        """Pass messages on until either peer ends the session, then close the other's end.

        ``first`` is a message of the client's that was read before.
        """
        if first is not None:
            writing = self.upstream.socket.send_frame(first.data, first.kind)
            ending = await self._write(self.upstream, writing)
            if ending is not None:
                await self.end(ending)
                return
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._noted(self._pump(self.client, self.upstream))),
                group.create_task(self._noted(self._pump(self.upstream, self.client))),
                group.create_task(self._noted(self._watch())),
            ]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self.ending is not None and not self.spares(self.ending):
                await self.end(self.ending)
            for task in tasks:
                task.cancel()

    async def _noted(self, over: Awaitable[SessionEnding]) -> None:
        """Keep the first ending; a task that waits for it may be cancelled before it resumes."""
        ending = await over
        self.ending = self.ending or ending

    async def end(self, ending: SessionEnding) -> None:
        """Close both sockets; an earlier ending counts.

        The upstream's comes first: when the client's connection ends, so does its handler.
        """
        ending = self.ending = self.ending or ending
        await _close(self.upstream, ending, _UPSTREAM_CLOSE_SECONDS, self.send_timeout)
        await dismiss(self.client, ending, self.send_timeout)

    async def _pump(self, source: Peer, sink: Peer) -> SessionEnding:
        """Forward the messages of ``source``; return its ending."""
        while True:
            message = await source.socket.receive()
            source.heard(listening=False)
            ending = await self._handle(message, source, sink)
            if ending is not None:
                return ending
            source.heard(listening=True)

    async def _handle(
        self, message: WSMessageNoDecodeText, source: Peer, sink: Peer
    ) -> SessionEnding | None:
        kind, data = message.type, message.data
        match kind:
            case WSMsgType.TEXT | WSMsgType.BINARY:
                source.frames += 1
                source.bytes += len(data)
                if self.turns is not None and source is self.upstream:
                    self.turns.take(data)
                refused = await source.look(data) if source.look is not None else None
                if refused is not None:
                    return refused
                return await self._write(sink, sink.socket.send_frame(data, kind))
            case WSMsgType.PING:
                return await self._write(source, source.socket.pong(data))
            case WSMsgType.PONG:
                return None
        return _ending_in(message, source)

    async def _write(self, peer: Peer, writing: Awaitable[None]) -> SessionEnding | None:
        """Await one write to a peer; return the ending if it fails."""
        try:
            async with asyncio.timeout(self.send_timeout):
                await writing
        except TimeoutError:
            return SessionEnding(peer.name, SessionEnd.UNREAD)
        except ConnectionError:
            return SessionEnding(peer.name, SessionEnd.LOST)
        return None

    async def _watch(self) -> SessionEnding:
        """Ping silent peers; return when one of them stays silent."""
        while True:
            await asyncio.sleep(self.heartbeat)
            for peer in (self.client, self.upstream):
                silence = peer.silence()
                if silence >= self.heartbeat + self.send_timeout:
                    return SessionEnding(peer.name, SessionEnd.SILENT)
                if silence >= self.heartbeat:
                    ending = await self._write(peer, peer.socket.ping())
                    if ending is not None:
                        return ending

    def glimpse(self) -> Glimpse:
        """Return what the session is doing, without content."""
        above = self.upstream
        return Glimpse(
            "streaming" if self.ending is None else "done",
            events=self.client.frames + above.frames,
            wait=Wait("message", above.silence() or None),
        )

    def report(self) -> SessionResult:
        """Return the counts and the end of the session, without content or reason."""
        counted = report(self.client, self.upstream, self.ending)
        if self.turns is None:
            return counted
        bills = self.turns.bills
        return attrs.evolve(counted, spent=Spent(bills, sum(bills, Billed())))


@attrs.frozen
class First:
    """The first message of a client."""

    kind: Literal[WSMsgType.TEXT, WSMsgType.BINARY]
    data: bytes = attrs.field(repr=False)


async def first_of(client: Peer, seconds: float, largest: int) -> First | SessionEnding:
    """Return the first message of a client, or the ending of its session if there is none.

    It must be whole after ``seconds`` and have at most ``largest`` bytes.
    """
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await client.socket.receive()
                kind, data = message.type, message.data
                if kind is WSMsgType.TEXT or kind is WSMsgType.BINARY:
                    client.frames, client.bytes = 1, len(data)
                    too_large = TooLarge("The first message of the session is too large.")
                    return refusal(too_large) if len(data) > largest else First(kind, data)
                if kind is WSMsgType.PING:
                    await client.socket.pong(data)
                elif kind is not WSMsgType.PONG:
                    return _ending_in(message, client)
    except TimeoutError:
        return refusal(TooSlow("The first message of the session did not come in time."))
    except ConnectionError:
        return SessionEnding(client.name, SessionEnd.LOST)


def report(client: Peer, upstream: Peer | None, ending: SessionEnding | None) -> SessionResult:
    """Return the counts and the end of a session, which may have had no upstream."""
    farewell = None
    if ending is not None:
        farewell = Farewell(ending.by, ending.end.value, ending.code)
    frames, size = (0, 0) if upstream is None else (upstream.frames, upstream.bytes)
    return SessionResult(client.frames, client.bytes, frames, size, farewell)


async def dismiss(client: Peer, ending: SessionEnding, send_timeout: float) -> None:
    """Close a client's socket."""
    await _close(client, ending, send_timeout, send_timeout)


async def _close(peer: Peer, ending: SessionEnding, usual: float, linger: float) -> None:
    """Close a socket; wait up to ``usual`` seconds for the peer's close frame."""
    hurried = ending.hurries(peer.name)
    patience = min(usual, _HURRIED_CLOSE_SECONDS) if hurried else usual
    await say_farewell(peer.socket, ending, patience)
    peer.cut(0 if hurried else linger)


def _ending_in(message: WSMessageNoDecodeText, source: Peer) -> SessionEnding:
    """Return the ending of a session in which ``source`` sent this in place of a message."""
    data = message.data
    if message.type is WSMsgType.CLOSE:
        code = data or _NO_CODE
        return SessionEnding(source.name, SessionEnd.CLOSED, code, message.extra or "")
    if isinstance(data, WebSocketError):
        return SessionEnding(source.name, SessionEnd.GARBLED, data.code)
    return SessionEnding(source.name, SessionEnd.LOST)


async def say_farewell(
    socket: ClientSocket | UpstreamSocket, ending: SessionEnding, patience: float
) -> None:
    """Write a close frame, unless one is out, and wait ``patience`` seconds for the peer's."""
    code, reason = ending.farewell
    with contextlib.suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(patience):
            await socket.close(code=code, message=reason.encode())
