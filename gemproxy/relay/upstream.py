"""The upstream side of a request: one session, and one request at a time.

``Upstream`` owns the client session for the life of the process. ``open`` makes one request, and
``Reply`` is what came of it. The exceptions of the client library are translated here and nowhere
else: what leaves this module is ``AttemptFailed``.

The session is built for long streams and many tenants: no total timeout, no connection limit
(the proxy bounds its requests itself, visibly), no cookies, no redirects, no headers of its
own, and no lookup of proxies per request. A key may have an outbound proxy of its own
(``relay.ways``); a connection that was made through one proxy serves no request of another.
Connecting is timed as a whole, from the name lookup to the end of the TLS handshake and the proxy's
answer to CONNECT. The first byte of an answer is timed from the last byte of the request: however
long an upload takes, the model has not begun to work.

A path that swallows packets is noticed by the kernel and not by our patience, which may be an
hour: see ``relay.keepalive``.

A server may close an idle connection just as a request is written to it. RFC 9112 section
9.3.1 lets a client repeat such a request when it knows that to be safe; ``generateContent``
changes nothing at the server. So a *reused* connection that dies before any byte of the answer is
replaced once, at once, where the body is plain bytes; ``Once`` and a stream are sent no second
time. A fresh connection that dies is a failure like any other.
"""

import asyncio
import contextlib
import contextvars
import functools
import io
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import attrs
from multidict import CIMultiDictProxy
from yarl import URL

from gemproxy.core.answer.usage import Billed
from gemproxy.core.errors import GemproxyError, upstream_error
from gemproxy.core.repair.events import How
from gemproxy.exchange.credential import Credential
from gemproxy.relay.bodies import Once, Outgoing
from gemproxy.relay.incoming import Incoming, error_for
from gemproxy.relay.keepalive import make_socket
from gemproxy.relay.leases import Lease, Witness
from gemproxy.relay.redirects import Hop
from gemproxy.relay.wants import Want
from gemproxy.relay.ways import NO_WAY, NoSocks, Ways, connector, is_socks

_ERROR_BODY_SECONDS = 10.0
_LINE_END = 0x0A
_LARGE_BODY = 2**20  # beyond it aiohttp wants a file-like body, written in slices
# Reading pauses at twice as much. That is what uvloop reads at once: with less, an image is
# read in a rhythm of pauses (S6 in bench/ tells); with more, a slow client costs more memory.
_READ_BUFFER = 1 << 17
NO_OWN_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_NO_CONNECTION = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
    aiohttp.ServerFingerprintMismatch,
    NoSocks,
    *NO_WAY,
)
FAILURES: tuple[type[Exception], ...] = (aiohttp.ClientError, OSError, NoSocks, *NO_WAY)
"""What the client library raises for a request that cannot be made."""


class AttemptFailed(Exception):
    """An attempt could not be made, or broke; ``detail`` is for people and has no secret."""

    def __init__(self, how: How, detail: str) -> None:
        super().__init__(f"{how.value}: {detail}")
        self.how = how
        self.detail = detail


@attrs.define(eq=False)
class Reply:
    """One answer of the upstream: its head, and its body as it comes.

    ``how`` says how the body ended, None as long as it has not. ``error`` is the google.rpc.Status
    in it once somebody has read one: ``read_error``, or the reader of a stream. ``lease`` is what
    it was asked with, and ``witness`` reads the names in it. ``size`` counts the bytes of the body
    that had come when it was closed. ``usage`` is what a unary answer cost, once somebody has read
    that. ``_sent`` is the body of the request, which may fail while the answer is read.
    """

    _response: aiohttp.ClientResponse
    status: int
    headers: CIMultiDictProxy[str]
    _sent: object = None
    lease: Lease | None = None
    witness: Witness | None = None
    size: int = 0
    usage: Billed | None = None
    how: How | None = None
    error: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    _begun: bytes = attrs.field(default=b"", repr=False)
    _aborted: How | None = None
    _connection: "asyncio.Future[None] | None" = None

    @property
    def reason(self) -> str | None:
        """Return the reason phrase, which HTTP/1.1 may leave empty."""
        return self._response.reason

    @property
    def credential(self) -> Credential | None:
        """The credential that it was asked with."""
        return None if self.lease is None else self.lease.credential

    @property
    def another(self) -> bool:
        """Whether the next attempt could have another credential."""
        return self.lease is not None and self.lease.another

    async def read(self) -> bytes:
        """Return the next bytes of the body as soon as there are any, and b"" at its end.

        Raises AttemptFailed when the body breaks, or was aborted, and what the client did wrong
        when its request's body does.
        """
        if self._begun:
            data, self._begun = self._begun, b""
            return data
        try:
            data = await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise self._broken(error) from error
        if not data:
            self.how = How.EOF
        witness = self.witness
        if witness is not None and (
            witness.waits or not data or data[-1] != _LINE_END or witness.mark in data
        ):
            names = witness.look(data)
            if names:
                await self.record(names)
        return data

    async def record(self, names: Mapping[str, float | None]) -> None:
        """Have names recorded before the client gets them."""
        if self.lease is not None:
            await self.lease.named(names)

    def _broken(self, error: Exception) -> AttemptFailed | GemproxyError:
        """Return what ended the body: the client library blames the way for everything."""
        if self._aborted is not None:
            failure: AttemptFailed | GemproxyError
            failure = AttemptFailed(self._aborted, "given up by the proxy")
        else:
            failure = _failure(error, self._sent, timed_out=How.STALLED)
        if isinstance(failure, AttemptFailed):
            self.how = failure.how
        return failure

    async def read_error(self, limit: int) -> bytes:
        """Return up to ``limit`` bytes of an error body; what came, when it breaks or stalls."""
        body = bytearray()
        with contextlib.suppress(AttemptFailed, GemproxyError, TimeoutError):
            async with asyncio.timeout(_ERROR_BODY_SECONDS):
                while len(body) < limit and (data := await self.read()):
                    body += data
        beginning = bytes(body[:limit])
        self.error = upstream_error(beginning)
        return beginning

    def put_back(self, begun: bytes) -> None:
        """Have the next ``read`` return ``begun``, the beginning of the body that was read."""
        self._begun = begun

    def abort(self, how: How = How.STALLED) -> None:
        """Close the connection, from a timer too; a pending ``read`` raises with ``how``."""
        self._aborted = how
        self._break_off()
        self._response.close()

    def allow_silence(self, seconds: float | None) -> None:
        """Let the body pause for so long from now on; None: for as long as the caller likes."""
        connection = self._response.connection  # None when the body is complete by now
        protocol = connection.protocol if connection is not None else None
        if protocol is not None:
            protocol.read_timeout = seconds
            protocol.start_timeout()

    def follow_connection(self, *, watched: bool) -> None:
        """Have the body end with the connection at the latest; ``watched`` ends its timer.

        When the chunked coding is wrong, aiohttp closes the connection and tells nobody who
        reads the body (3.14: the parser lets go of it before it raises).
        """
        connection = self._response.connection  # None when the body is complete by now
        protocol = connection.protocol if connection is not None else None
        closed = self._connection = protocol.closed if protocol is not None else None
        if protocol is None or closed is None:
            self._break_off()
            return
        if watched:
            protocol.read_timeout = None
            protocol.start_timeout()
        closed.remove_done_callback(_look_at)  # once for each connection, not each use of it
        closed.add_done_callback(_look_at)
        closed.add_done_callback(self._break_off)

    def close(self) -> None:
        """Let the answer go; an unread body is abandoned."""
        if self._connection is not None:
            self._connection.remove_done_callback(self._break_off)
        self.size = self._response.content.total_bytes
        self._response.close()

    def _break_off(self, _: object = None) -> None:
        """Let the reader of a body that is not complete find an exception of its own.

        The one that ``ClientResponse.close`` would put there is shared by the whole process: each
        time that it is raised its traceback grows, and keeps all that the frames in it held.
        """
        content = self._response.content
        if not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError("the body breaks off"))


@attrs.define
class _Way:
    """What is known of the connection of one request: whether it was made for it."""

    fresh: bool = False


_way: contextvars.ContextVar[_Way | None] = contextvars.ContextVar("way", default=None)


def _make_socket(address: "aiohttp.AddrInfoType") -> socket.socket:
    """Make the socket for a connection; a request that needs none goes on one that was left.

    The session's tracing tells the same at ten times the cost, in each request.
    """
    way = _way.get()
    if way is not None:
        way.fresh = True
    return make_socket(address)


@attrs.frozen(eq=False)
class Upstream:
    """The way to Gemini; made by ``open_upstream``."""

    _session: aiohttp.ClientSession
    _proxy: URL | None = attrs.field(repr=False)
    _timeout: aiohttp.ClientTimeout
    _socks: Ways[aiohttp.ClientSession]

    async def open(
        self, method: str, hop: Hop, body: Outgoing, patience: float, want: Want
    ) -> Reply:
        """Make one request and return its answer once the head is there; it is to be closed.

        A stream is sent with the Content-Length of the ``hop``, else in chunks. ``patience``
        counts seconds without a byte from the last one that was sent up; on into the body, unless
        the caller wants to watch that itself, until ``allow_silence`` says otherwise. Raises
        AttemptFailed with UNREACHABLE, NO_FIRST_BYTE, GARBLED or RESET, and a GemproxyError for an
        ``Incoming`` that the client broke: the upstream then got a body without an end.
        """
        once, session, proxy = not isinstance(body, bytes), self._session, hop.proxy or self._proxy
        while True:
            way = _Way()
            _way.set(way)
            try:
                if proxy is not None and is_socks(proxy):
                    # Its sockets do not tell whether they are new, so nothing is sent twice.
                    once, session, proxy = True, self._socks.through(proxy), None
                response = await session.request(
                    method,
                    hop.url,
                    headers=hop.headers,
                    data=_in_pieces(body),
                    proxy=proxy,
                    allow_redirects=False,
                    auto_decompress=want.unpacked,
                    timeout=_beginning_within(self._timeout, patience),
                )
            except FAILURES as error:
                failure = _failure(error, body, timed_out=How.NO_FIRST_BYTE)
                reset = isinstance(failure, AttemptFailed) and failure.how is How.RESET
                if once or way.fresh or not reset:
                    raise failure from error
                once = True
            else:
                reply = Reply(response, response.status, response.headers, body)
                reply.follow_connection(watched=want.watched)
                return reply


def _in_pieces(body: Outgoing) -> object:
    """Return a body as the client library takes it: a large one in pieces, between which others
    have their turn.
    """  # noqa: D205 - one sentence
    if isinstance(body, bytes):
        return io.BytesIO(body) if len(body) > _LARGE_BODY else body
    return _in_pieces(body.data) if isinstance(body, Once) else body


@functools.lru_cache(maxsize=16)
def _beginning_within(timeout: aiohttp.ClientTimeout, seconds: float) -> aiohttp.ClientTimeout:
    """Return the timeouts of an attempt: connecting takes no longer than an answer may.

    ``sock_read`` runs from the last byte that was written, and again from each that is read.
    """
    connect = min(timeout.connect or seconds, seconds)
    return attrs.evolve(timeout, connect=connect, sock_connect=connect, sock_read=seconds)


def _look_at(closed: "asyncio.Future[None]") -> None:
    """Take the exception of a connection that broke, or asyncio complains that nobody did."""
    if not closed.cancelled():
        closed.exception()


@contextlib.asynccontextmanager
async def open_upstream(*, connect_timeout: float, proxy: URL | None) -> AsyncIterator[Upstream]:
    """Yield the Upstream of this process; its connections are closed at the exit.

    ``connect_timeout`` counts seconds for one connection to be made. ``proxy`` comes from
    ``outbound.resolve_proxy``.
    """
    # "connect" rather than "sock_connect" alone: it also covers the name lookup and the
    # proxy's answer to CONNECT, and without a limit on connections there is no queue in it.
    timeout = aiohttp.ClientTimeout(
        total=None, connect=connect_timeout, sock_connect=connect_timeout, sock_read=None
    )
    session_over = functools.partial(
        aiohttp.ClientSession,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=NO_OWN_HEADERS,
        read_bufsize=_READ_BUFFER,
        timeout=timeout,
        trust_env=False,
    )
    direct = aiohttp.TCPConnector(limit=0, socket_factory=_make_socket)
    socks = Ways(lambda way: session_over(connector=connector(way, limit=0)))
    async with session_over(connector=direct) as session, contextlib.aclosing(socks):
        yield Upstream(session, proxy, timeout, socks)


def _failure(error: Exception, sent: object, *, timed_out: How) -> AttemptFailed | GemproxyError:
    """Return what ended an attempt: the client library blames the way for a body that breaks."""
    if isinstance(sent, Incoming) and sent.fault is not None:
        return error_for(sent.fault)
    return failure_of(error, timed_out=timed_out)


def failure_of(error: Exception, *, timed_out: How) -> AttemptFailed:
    """Return what a client-library exception means for an attempt, of a WebSocket too."""
    if isinstance(error, _NO_CONNECTION):
        how = How.UNREACHABLE
    elif isinstance(error, TimeoutError):
        how = timed_out
    elif isinstance(error, aiohttp.ClientResponseError):
        how = How.GARBLED
    else:
        how = How.RESET
    return AttemptFailed(how, _detail(error))


def _detail(error: Exception) -> str:
    """Return the kind of an error and what the system says; never a URL, which may hold keys."""
    said = ""
    if isinstance(error, aiohttp.ClientResponseError):
        said = f"{error.status} {error.message}"
    elif isinstance(error, OSError) and error.strerror:
        said = error.strerror
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
