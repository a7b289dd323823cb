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
replaced once, at once, where the body is plain bytes or the method is GET; ``Once`` and a stream
are sent no second time. A fresh connection that dies is a failure like any other.
"""

import asyncio
import contextlib
import functools
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Protocol

import aiohttp
import attrs
from multidict import CIMultiDictProxy
from yarl import URL

from gemproxy.core.answer.chunk import NAMELESS, Named
from gemproxy.core.answer.usage import Billed
from gemproxy.core.errors import GemproxyError, upstream_error
from gemproxy.core.repair.events import How
from gemproxy.exchange.credential import Credential
from gemproxy.relay.bell import Bell
from gemproxy.relay.bodies import Once, Outgoing
from gemproxy.relay.connections import Connections, Connector, new_way
from gemproxy.relay.direct import Broken, Direct
from gemproxy.relay.filling import GULP
from gemproxy.relay.incoming import Incoming, error_for
from gemproxy.relay.leases import Lease, Witness
from gemproxy.relay.redirects import Hop
from gemproxy.relay.request_head import request_head
from gemproxy.relay.session_answer import SessionAnswer
from gemproxy.relay.wants import Want
from gemproxy.relay.ways import NO_WAY, NoSocks, Ways, connector, is_socks

_ERROR_BODY_SECONDS = 10.0
_LINE_END = 0x0A
_SWITCHING_PROTOCOLS = 101
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
BREAKS: tuple[type[Exception], ...] = (*FAILURES, Broken)
"""What ends an answer, however it is read."""


class AttemptFailed(Exception):
    """An attempt could not be made, or broke; ``detail`` is for people and has no secret."""

    def __init__(self, how: How, detail: str) -> None:
        super().__init__(f"{how.value}: {detail}")
        self.how = how
        self.detail = detail


class Answer(Protocol):
    """What a reply is read from: ``relay.direct.Direct`` or ``relay.session_answer``."""

    @property
    def status(self) -> int:
        """The status."""

    @property
    def reason(self) -> str | None:
        """The reason phrase."""

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The headers."""

    @property
    def size(self) -> int:
        """The number of bytes of the body that had come when it was closed."""

    @property
    def readany(self) -> Callable[[], Awaitable[bytes]]:
        """What returns the next bytes of the body, b"" at its end; it raises what BREAKS has."""

    async def fill(self, target: memoryview) -> int:
        """Read the rest of the body into ``target``, and return the number of its bytes.

        0, and nothing is read, where that cannot be. It raises what BREAKS has.
        """

    def ring(self, bell: Bell) -> None:
        """Have ``bell`` wake who reads from now on, if it can: its pump alone reads."""

    def allow_silence(self, seconds: float | None) -> None:
        """Let the body pause for so long from now on; None: for as long as the caller likes."""

    def abort(self) -> None:
        """Close the connection."""

    def close(self) -> None:
        """Let the answer go."""


@attrs.define(eq=False)
class Reply:
    """One answer of the upstream: its head, and its body as it comes.

    ``how`` says how the body ended, None as long as it has not. ``error`` is the google.rpc.Status
    in it once somebody has read one: ``read_error``, or the reader of a stream. ``lease`` is what
    it was asked with, and ``witness`` reads the names in it. ``usage`` is what a unary answer cost,
    and ``named`` what it calls itself, once somebody has read that. ``_sent`` is the body of the
    request, which may fail while the answer is read.
    """

    _answer: Answer
    _sent: object = None
    lease: Lease | None = None
    witness: Witness | None = None
    usage: Billed | None = None
    named: Named = NAMELESS
    how: How | None = None
    error: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    status: int = attrs.field(init=False)
    headers: CIMultiDictProxy[str] = attrs.field(init=False)
    _begun: bytes = attrs.field(default=b"", repr=False)
    _aborted: How | None = None

    def __attrs_post_init__(self) -> None:
        self.status, self.headers = self._answer.status, self._answer.headers

    @property
    def reason(self) -> str | None:
        """Return the reason phrase, which HTTP/1.1 may leave empty."""
        return self._answer.reason

    @property
    def size(self) -> int:
        """The number of bytes of the body that had come when it was closed."""
        return self._answer.size

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
            data = await self._answer.readany()
        except BREAKS as error:
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

    async def fill(self, target: memoryview) -> int:
        """Read the body into ``target``, as much as has room; return the number of bytes.

        If there is more, ``read`` returns it. Raises what ``read`` raises.
        """
        at = 0
        if not self._begun and self.witness is None:
            try:
                at = await self._answer.fill(target)
            except BREAKS as error:
                raise self._broken(error) from error
        while data := await self.read():
            fits = len(target) - at
            target[at : at + len(data)] = data[:fits]
            at += min(fits, len(data))
            if len(data) > fits:
                self._begun = data[fits:]
                break
        return at

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

    def ring(self, bell: Bell) -> None:
        """Have ``bell`` wake who reads from now on, if it can: its pump alone reads."""
        self._answer.ring(bell)

    def put_back(self, begun: bytes) -> None:
        """Have the next ``read`` return ``begun``, the beginning of the body that was read."""
        self._begun = begun

    def abort(self, how: How = How.STALLED) -> None:
        """Close the connection, from a timer too; a pending ``read`` raises with ``how``."""
        self._aborted = how
        self._answer.abort()

    def allow_silence(self, seconds: float | None) -> None:
        """Let the body pause for so long from now on; None: for as long as the caller likes."""
        self._answer.allow_silence(seconds)

    def close(self) -> None:
        """Let the answer go; an unread body is abandoned."""
        self._answer.close()


@attrs.frozen(eq=False)
class Upstream:
    """The way to Gemini; made by ``open_upstream``. ``_direct``: answers may be read directly."""

    _session: aiohttp.ClientSession
    _proxy: URL | None = attrs.field(repr=False)
    _timeout: aiohttp.ClientTimeout
    _socks: Ways[aiohttp.ClientSession]
    _connections: Connections
    _direct: bool
    _common: memoryview = attrs.field(factory=lambda: memoryview(bytearray(GULP)), repr=False)

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
        proxy = self._proxy if hop.proxy is None else hop.proxy or None
        asking = _Asking(method, hop, body, patience, want, proxy)
        once = not isinstance(body, bytes) or asking.by_socks  # its sockets do not tell if new
        ask = self._by_the_library
        if self._direct and asking.may_be_direct:
            ask = self._directly
            once = once and asking.method != "GET"  # the library repeats one itself
        while True:
            way = new_way()
            try:
                answer = await ask(asking)
            except BREAKS as error:
                failure = _failure(error, body, timed_out=How.NO_FIRST_BYTE)
                if once or way.fresh or not _was_stale(error, failure):
                    raise failure from error
                once = True
            else:
                return Reply(answer, body)

    async def _directly(self, asking: "_Asking") -> Answer:
        """Return the answer to a request whose body is in memory."""
        head, body = asking.head, asking.kept
        timeout = _beginning_within(self._timeout, asking.patience)
        connection = await self._connections.take(asking.hop.url, asking.proxy, timeout)
        want = asking.want
        common = self._common if want.sparing else None
        answer = Direct(connection, unpacked=want.unpacked, common=common)
        try:
            answer.ask(head, body, asking.patience)
            await answer.head()
        except BaseException:
            answer.close()
            raise
        if want.watched:
            answer.allow_silence(None)
        return answer

    async def _by_the_library(self, asking: "_Asking") -> Answer:
        """Return the answer to any request."""
        session, proxy, want = self._session, asking.proxy, asking.want
        if proxy is not None and asking.by_socks:
            session, proxy = self._socks.through(proxy), None
        response = await session.request(
            asking.method,
            asking.hop.url,
            headers=asking.hop.headers,
            data=_in_pieces(asking.body),
            proxy=proxy,
            allow_redirects=False,
            auto_decompress=want.unpacked,
            timeout=_beginning_within(self._timeout, asking.patience),
        )
        if response.status == _SWITCHING_PROTOCOLS:
            response.close()
            raise Broken(How.GARBLED, "another protocol that nobody asked for")
        answer = SessionAnswer(response)
        answer.follow_connection(watched=want.watched)
        return answer


@attrs.frozen(eq=False)
class _Asking:
    """One request, as ``Upstream.open`` is asked for it; ``proxy`` is the one that it takes."""

    method: str
    hop: Hop
    body: Outgoing
    patience: float
    want: Want
    proxy: URL | None

    @property
    def by_socks(self) -> bool:
        """Whether it goes through a SOCKS proxy."""
        return self.proxy is not None and is_socks(self.proxy)

    @property
    def may_be_direct(self) -> bool:
        """Whether its answer may be read without the library: of a POST, or event by event.

        Downloads may be redirected and large uploads are streamed: their cost is in their bytes.
        """
        if self.by_socks or not isinstance(self.body, bytes | Once | None):
            return False
        return self.method == "POST" or (self.method == "GET" and self.want.watched)

    @property
    def kept(self) -> bytes:
        """The body of one that may be direct."""
        body = self.body.data if isinstance(self.body, Once) else self.body
        return body if isinstance(body, bytes) else b""

    @property
    def head(self) -> bytes:
        """The head of one that may be direct.

        An HTTP proxy gets the whole URL, and its credential, where it forwards the request itself.
        What goes to an https upstream goes through its tunnel and has neither.
        """
        url, own = self.hop.url, dict[str, str]()
        target = url.raw_path_qs
        if self.proxy is not None and url.scheme == "http":
            target, credential = str(url), aiohttp.BasicAuth.from_url(self.proxy)
            if credential is not None:
                own["Proxy-Authorization"] = credential.encode()
        if self.body is not None or self.method == "POST":
            own["Content-Length"] = str(len(self.kept))
        return request_head(
            self.method, target, url.host_port_subcomponent or "", self.hop.headers, own
        )


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


@contextlib.asynccontextmanager
async def open_upstream(
    *, connect_timeout: float, proxy: URL | None, direct: bool = True
) -> AsyncIterator[Upstream]:
    """Yield the Upstream of this process; its connections are closed at the exit.

    ``connect_timeout`` counts seconds for one connection to be made. ``proxy`` comes from
    ``outbound.resolve_proxy``. ``direct``: answers may be read without the client library.
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
    socks = Ways(lambda way: session_over(connector=connector(way, limit=0)))
    pool = Connector()
    async with session_over(connector=pool) as session, contextlib.aclosing(socks):
        yield Upstream(session, proxy, timeout, socks, Connections(pool, session), direct)


def _failure(error: Exception, sent: object, *, timed_out: How) -> AttemptFailed | GemproxyError:
    """Return what ended an attempt: the client library blames the way for a body that breaks."""
    if isinstance(sent, Incoming) and sent.fault is not None:
        return error_for(sent.fault)
    return failure_of(error, timed_out=timed_out)


def _was_stale(error: Exception, failure: Exception) -> bool:
    """Return whether a connection died before any byte of an answer, as far as that is known."""
    if not isinstance(failure, AttemptFailed) or failure.how is not How.RESET:
        return False
    return not (isinstance(error, Broken) and error.heard)


def failure_of(error: Exception, *, timed_out: How) -> AttemptFailed:
    """Return what a client-library exception means for an attempt, of a WebSocket too."""
    if isinstance(error, Broken):
        return AttemptFailed(error.how, error.detail)
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
