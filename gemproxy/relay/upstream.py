"""The upstream side of a request: one session, one attempt at a time.

``Upstream`` owns the client session for the life of the process. ``attempt`` makes one
request whose body is held in memory and whose answer is parsed; ``forward`` makes one whose
bytes pass through. The exceptions of the client library are translated here and nowhere
else: what leaves this module is ``AttemptFailed``.

The session is built for long streams and many tenants: no total timeout, no connection limit
(the proxy bounds its requests itself, visibly), no cookies, no redirects, no headers of its
own, and no lookup of proxies per request. Connecting is timed as a whole, from the name
lookup to the end of the TLS handshake and the proxy's answer to CONNECT. The first byte of an
answer is timed from the last byte of the request: however long an upload takes, the model has
not begun to work.

A path that swallows packets is noticed by the kernel and not by our patience, which may be an
hour: see ``relay.keepalive``.

A server may close an idle connection just as a request is written to it. RFC 9112 section
9.3.1 lets a client repeat such a request when it knows that to be safe; ``generateContent``
changes nothing at the server, so a *reused* connection that dies before any byte of the
answer is replaced once, at once. A fresh connection that dies is a failure like any other.
"""

import asyncio
import contextlib
import contextvars
import functools
import io
import socket
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Mapping
from contextlib import AbstractAsyncContextManager

import aiohttp
import attrs
from multidict import CIMultiDictProxy
from yarl import URL

from gemproxy.core.errors import GemproxyError
from gemproxy.core.repair.events import How
from gemproxy.relay.incoming import Incoming, told
from gemproxy.relay.keepalive import make_socket

_ERROR_BODY_SECONDS = 10.0
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
)


class AttemptFailed(Exception):
    """An attempt could not be made, or broke; ``detail`` is for people and has no secret."""

    def __init__(self, how: How, detail: str) -> None:
        super().__init__(f"{how.value}: {detail}")
        self.how = how
        self.detail = detail


@attrs.define(eq=False)
class Attempt:
    """One answer of the upstream: its head, and its body as it comes.

    ``_sent`` is the body of the request, which may fail while the answer is read.
    """

    _response: aiohttp.ClientResponse
    _sent: object = None
    _aborted: How | None = None

    @property
    def status(self) -> int:
        """Return the status code."""
        return self._response.status

    @property
    def reason(self) -> str | None:
        """Return the reason phrase, which HTTP/1.1 may leave empty."""
        return self._response.reason

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """Return the headers as they came."""
        return self._response.headers

    async def read(self) -> bytes:
        """Return the next bytes of the body as soon as there are any, and b"" at its end.

        Raises AttemptFailed when the body breaks, or was aborted, and what the client did wrong
        when its request's body does.
        """
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            if self._aborted is not None:
                raise AttemptFailed(self._aborted, "given up by the proxy") from None
            raise _failure(error, self._sent, timed_out=How.STALLED) from error

    async def read_error(self, limit: int) -> bytes:
        """Return up to ``limit`` bytes of an error body; what came, when it breaks or stalls."""
        body = bytearray()
        with contextlib.suppress(AttemptFailed, GemproxyError, TimeoutError):
            async with asyncio.timeout(_ERROR_BODY_SECONDS):
                while len(body) < limit and (data := await self.read()):
                    body += data
        return bytes(body[:limit])

    def abort(self, how: How = How.STALLED) -> None:
        """Close the connection, from a timer too; a pending ``read`` raises with ``how``."""
        self._aborted = how
        _break_off(self._response)
        self._response.close()

    def allow_silence(self, seconds: float | None) -> None:
        """Let the body pause for so long from now on; None: for as long as the caller likes."""
        connection = self._response.connection  # None when the body is complete by now
        protocol = connection.protocol if connection is not None else None
        if protocol is not None:
            protocol.read_timeout = seconds
            protocol.start_timeout()


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

    def attempt(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        body: bytes,
        first_byte_timeout: float,
    ) -> AbstractAsyncContextManager[Attempt]:
        """Make one request and yield its answer; at the exit an unread body is abandoned.

        ``first_byte_timeout`` counts seconds from the last byte sent up until the head of the
        answer has come; the silence behind it is the caller's to watch. Raises AttemptFailed
        with UNREACHABLE, NO_FIRST_BYTE, GARBLED or RESET.
        """
        return _Followed(self._open_twice(method, url, headers, body, first_byte_timeout), None)

    def forward(  # noqa: PLR0913 (what a request is made of, and how it is watched)
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        body: AsyncIterable[bytes] | bytes | None,
        silence_timeout: float,
        *,
        watched: bool = False,
    ) -> AbstractAsyncContextManager[Attempt]:
        """Make one request with a body that may be streamed, and yield its raw answer.

        Never repeated. A ``Content-Length`` among ``headers`` is kept, else a body is sent in
        chunks. ``silence_timeout`` counts seconds without a byte once the request is sent; the
        silence behind the head is the caller's to watch where the answer is ``watched``.
        Raises AttemptFailed like ``attempt``, and a GemproxyError for an ``Incoming`` that the
        client broke: the upstream then got a body without an end.
        """
        opening = self._open_once(method, url, headers, body, silence_timeout)
        return _Followed(opening, None if watched else silence_timeout, body)

    async def _open_once(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        body: AsyncIterable[bytes] | bytes | None,
        silence_timeout: float,
    ) -> aiohttp.ClientResponse:
        try:
            return await self._session.request(
                method,
                url,
                headers=headers,
                data=body,
                proxy=self._proxy,
                allow_redirects=False,
                timeout=_beginning_within(self._timeout, silence_timeout),
            )
        except (aiohttp.ClientError, OSError) as error:
            raise _failure(error, body, timed_out=How.NO_FIRST_BYTE) from error

    async def _open_twice(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        body: bytes,
        first_byte_timeout: float,
    ) -> aiohttp.ClientResponse:
        """Open an attempt, again when the first time met a connection that had gone stale."""
        for last in (False, True):
            way = _Way()
            _way.set(way)
            try:
                return await self._session.request(
                    method,
                    url,
                    headers=headers,
                    data=io.BytesIO(body) if len(body) > _LARGE_BODY else body,
                    proxy=self._proxy,
                    allow_redirects=False,
                    auto_decompress=True,
                    timeout=_beginning_within(self._timeout, first_byte_timeout),
                )
            except (aiohttp.ClientError, OSError) as error:
                failure = failure_of(error, timed_out=How.NO_FIRST_BYTE)
                if last or way.fresh or failure.how is not How.RESET:
                    raise failure from error
        raise AssertionError  # pragma: no cover - the second round returns or raises


@functools.lru_cache(maxsize=16)
def _beginning_within(timeout: aiohttp.ClientTimeout, seconds: float) -> aiohttp.ClientTimeout:
    """Return the timeouts of an attempt: connecting takes no longer than an answer may.

    ``sock_read`` runs from the last byte that was written, and again from each that is read.
    """
    connect = min(timeout.connect or seconds, seconds)
    return attrs.evolve(timeout, connect=connect, sock_connect=connect, sock_read=seconds)


@attrs.define(eq=False)
class _Followed:
    """An attempt as a context; its body ends with the connection at the latest.

    When the chunked coding is wrong, aiohttp closes the connection and tells nobody who
    reads the body (3.14: the parser lets go of it before it raises). A class, because a
    generator costs as much as the rest of an attempt that is ours.
    """

    _opening: Awaitable[aiohttp.ClientResponse]
    _silence: float | None
    _sent: object = None
    _response: aiohttp.ClientResponse | None = None
    _closed: "asyncio.Future[None] | None" = None

    async def __aenter__(self) -> Attempt:
        response = self._response = await self._opening
        connection = response.connection  # None when the body is complete by now
        protocol = connection.protocol if connection is not None else None
        closed = self._closed = protocol.closed if protocol is not None else None
        if closed is None:
            _break_off(response)
        else:
            closed.remove_done_callback(_look_at)  # once for each connection, not each use of it
            closed.add_done_callback(_look_at)
            closed.add_done_callback(self._end)
        attempt = Attempt(response, self._sent)
        attempt.allow_silence(self._silence)
        return attempt

    async def __aexit__(self, *_: object) -> None:
        if self._closed is not None:
            self._closed.remove_done_callback(self._end)
        if self._response is not None:
            self._response.close()

    def _end(self, _: object) -> None:
        if self._response is not None:
            _break_off(self._response)


def _break_off(response: aiohttp.ClientResponse) -> None:
    """Let whoever reads a body that is not complete find an exception of its own.

    The one that ``ClientResponse.close`` would put there is shared by the whole process: each
    time that it is raised its traceback grows, and keeps all that the frames in it held.
    """
    if not response.content.is_eof() and response.content.exception() is None:
        response.content.set_exception(aiohttp.ClientPayloadError("the body breaks off"))


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
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, socket_factory=_make_socket),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=NO_OWN_HEADERS,
        read_bufsize=_READ_BUFFER,
        timeout=timeout,
        trust_env=False,
    ) as session:
        yield Upstream(session=session, proxy=proxy, timeout=timeout)


def _failure(error: Exception, sent: object, *, timed_out: How) -> AttemptFailed | GemproxyError:
    """Return what ended an attempt: the client library blames the way for a body that breaks."""
    if isinstance(sent, Incoming) and sent.fault is not None:
        return told(sent.fault)
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
