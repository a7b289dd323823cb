"""The upstream's half of a WebSocket: its handshake, or the reason of its failure.

The client can get Gemini's answer only while its own handshake is open, so the upstream's handshake
comes first. Answers other than 101 are checked before the client library sees them, because it
would follow a redirect with the credential and discard the body of a refusal.

Compression is not offered. The proxy would have to inflate and deflate the frames again, a small
one can inflate to any size, and Live's audio and video have compressed formats.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from functools import partial
from typing import Any, Literal

import aiohttp
import attrs
from multidict import CIMultiDict
from yarl import URL

from gemproxy.core.errors import UpstreamFailure, UpstreamRejection
from gemproxy.core.repair.events import How
from gemproxy.relay.keepalive import make_socket
from gemproxy.relay.leases import Lease
from gemproxy.relay.session_answer import SessionAnswer
from gemproxy.relay.upstream import FAILURES, NO_OWN_HEADERS, Reply, failure_of
from gemproxy.relay.ways import Ways, connector, is_socks

UpstreamSocket = aiohttp.ClientWebSocketResponse[Literal[False]]

_SWITCHING_PROTOCOLS = 101
_ERRORS = 400
_ERROR_BODY_LIMIT = 1 << 20
_HANDSHAKE = "sec-websocket-"
"""The prefix of the headers of a handshake; each hop has its own."""


@attrs.define(eq=False)
class Dialled:
    """An open WebSocket to the upstream, and the transport under it.

    ``lease`` is what it was opened with. ``error`` is the google.rpc.Status that its close frame
    stands for, once somebody has read one there.
    """

    socket: UpstreamSocket
    transport: asyncio.Transport
    lease: Lease | None = None
    error: Mapping[str, Any] | None = attrs.field(default=None, repr=False)


@attrs.frozen(eq=False)
class Sockets:
    """The way to Gemini by WebSocket; made by ``open_sockets``."""

    _connector: aiohttp.BaseConnector
    _timeout: aiohttp.ClientTimeout
    _proxy: URL | None = attrs.field(repr=False)
    _max_message: int
    _socks: Ways[aiohttp.BaseConnector]

    async def connect(
        self,
        url: URL,
        headers: Mapping[str, str],
        protocols: Iterable[str],
        patience: float,
        proxy: URL | None = None,
    ) -> Dialled:
        """Make one handshake and return the open socket, which answers neither ping nor close.

        ``headers`` are the client's for the upstream; those of its own handshake are left out.
        ``protocols`` are the subprotocols that it offers. ``patience`` counts seconds. ``proxy`` is
        the way out; None for the one of all requests. Raises
        UpstreamRejection for an error status, UpstreamFailure for any other answer than a
        handshake, AttemptFailed for none.
        """
        look, way, proxy = _Look(), self._connector, proxy or self._proxy
        try:
            if proxy is not None and is_socks(proxy):
                way, proxy = self._socks.through(proxy), None
            async with asyncio.timeout(patience), self._session(look, way) as session:
                socket = await session.ws_connect(
                    url,
                    headers=_of_the_request(headers),
                    protocols=protocols,
                    proxy=proxy,
                    autoclose=False,
                    autoping=False,
                    max_msg_size=self._max_message,
                    decode_text=False,
                )
        except FAILURES as error:
            raise failure_of(error, timed_out=How.NO_FIRST_BYTE) from error
        assert look.transport is not None  # noqa: S101 (seen by now, with the 101)
        return Dialled(socket, look.transport)

    def _session(self, look: "_Look", way: aiohttp.BaseConnector) -> aiohttp.ClientSession:
        """Return a session for one handshake; the socket that comes of it needs it no longer."""
        return aiohttp.ClientSession(
            connector=way,
            connector_owner=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=NO_OWN_HEADERS,
            timeout=self._timeout,
            trust_env=False,
            middlewares=(look,),
        )


@contextlib.asynccontextmanager
async def open_sockets(
    *, connect_timeout: float, proxy: URL | None, max_message: int
) -> AsyncIterator[Sockets]:
    """Yield the Sockets of this process.

    ``connect_timeout`` counts seconds for one connection to be made. ``proxy`` comes from
    ``outbound.resolve_proxy``. A message of more than ``max_message`` bytes ends its session.
    """
    timeout = aiohttp.ClientTimeout(
        total=None, connect=connect_timeout, sock_connect=connect_timeout
    )
    socks = Ways(partial(connector, limit=0, force_close=True))
    async with (
        aiohttp.TCPConnector(limit=0, force_close=True, socket_factory=make_socket) as direct,
        contextlib.aclosing(socks),
    ):
        yield Sockets(direct, timeout, proxy, max_message, socks)


def _of_the_request(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """Return the headers that are not those of a handshake."""
    return CIMultiDict(
        (name, value) for name, value in headers.items() if not name.lower().startswith(_HANDSHAKE)
    )


@attrs.define(eq=False)
class _Look:
    """Looks at the answer to one handshake: lets 101 pass, and raises any other."""

    transport: asyncio.Transport | None = None

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        response = await handler(request)
        if response.status == _SWITCHING_PROTOCOLS and response.connection is not None:
            self.transport = response.connection.transport
            return response
        try:
            if response.status < _ERRORS:
                raise UpstreamFailure("The upstream did not switch to a WebSocket.")
            body = await Reply(SessionAnswer(response)).read_error(_ERROR_BODY_LIMIT)
            raise UpstreamRejection(response.status, body)
        finally:
            response.close()
