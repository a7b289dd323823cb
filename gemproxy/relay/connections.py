"""Connections to the upstream: the client library's, with its pool, TLS, names and proxies.

``Connector`` is the session's connector, and ``Connections`` takes connections from it without the
session, for answers that are read directly (``relay.direct``). Both share one pool.

**No bytes that came unasked are handed on.** While a connection is idle the library's protocol
keeps what comes, and its session would give it to the next request, which may be another user's. So
a connection on which anything came is closed when it is taken. That includes what the loop has not
read yet, an end among it: the system is asked, since a loop with much to do reads late. Bytes that
come behind the request cannot be told from its answer.

Of the library these are used without the session: ``connector.connect(request, [], timeout)``,
which returns a connection with ``transport``, ``protocol``, ``release`` and ``close``; a
``ClientRequest``, which tells it the origin, TLS and the proxy and is never sent; and
``protocol.should_close``.
"""

import asyncio
import contextvars
import select
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import aiohttp
import attrs
from aiohttp.connector import Connection
from yarl import URL

from gemproxy.relay.keepalive import make_socket

if TYPE_CHECKING:
    from aiohttp.tracing import Trace

Connect = Callable[..., Awaitable[Connection]]

_MOST_ORIGINS = 256
_MOST_KEPT = 1 << 16
"""Connections that may be unusable in a row: a SOCKS proxy's do not tell whether they are new."""


@attrs.define
class Way:
    """What is known of the connection of one request: whether it was made for it."""

    fresh: bool = False


_way: contextvars.ContextVar[Way | None] = contextvars.ContextVar("way", default=None)


def new_way() -> Way:
    """Return what the connection of the next request in this context is noted in."""
    way = Way()
    _way.set(way)
    return way


def _make_socket(address: "aiohttp.AddrInfoType") -> socket.socket:
    """Make the socket for a connection; a request that needs none goes on one that was left.

    The session's tracing tells the same at ten times the cost, in each request.
    """
    way = _way.get()
    if way is not None:
        way.fresh = True
    return make_socket(address)


async def vetted(
    connect: Connect,
    request: aiohttp.ClientRequest,
    *more: Any,  # noqa: ANN401 (the library's own)
    by_socket: bool = False,
) -> Connection:
    """Return a connection that ``connect`` gives, on which nothing came unasked.

    ``by_socket``: its sockets tell whether they are new, so those of kept connections are looked
    at. On a new one something may have come that belongs to TLS.
    """
    way = _way.get() or new_way()
    for _ in range(_MOST_KEPT):
        way.fresh = False
        connection: Connection = await connect(request, *more)
        protocol, transport = connection.protocol, connection.transport
        if (
            protocol is not None
            and transport is not None
            and not protocol.should_close
            and (way.fresh or not by_socket or _is_silent(transport))
        ):
            return connection
        connection.close()
        if way.fresh:
            break
    raise aiohttp.ServerDisconnectedError("bytes came before a request")


def _is_silent(transport: asyncio.Transport) -> bool:
    """Return whether the system has nothing for a connection, neither bytes nor an end."""
    looking = select.poll()
    looking.register(transport.get_extra_info("socket"), select.POLLIN)
    return not looking.poll(0)


class Connector(aiohttp.TCPConnector):
    """Gives out no connection on which bytes came unasked."""

    def __init__(self) -> None:
        super().__init__(limit=0, socket_factory=_make_socket)

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: "list[Trace]",
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 (the library's own)
    ) -> Connection:
        """Return a connection for a request; the library calls this, and ``Connections``."""
        return await vetted(super().connect, req, traces, timeout, by_socket=True)


@attrs.define(eq=False)
class Connections:
    """Takes connections from the connector of ``session``."""

    _connector: Connector
    _session: aiohttp.ClientSession
    _known: dict[tuple[str, str | None, int | None, URL | None], aiohttp.ClientRequest] = (
        attrs.field(factory=dict, init=False, repr=False)
    )

    async def take(self, url: URL, proxy: URL | None, limits: aiohttp.ClientTimeout) -> Connection:
        """Return a connection to the origin of ``url``, which goes through an HTTP proxy if given.

        Raises what the library raises for a session's request.
        """
        try:
            return await self._connector.connect(self._request(url, proxy), [], limits)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error  # as the session does

    def _request(self, url: URL, proxy: URL | None) -> aiohttp.ClientRequest:
        """Return the request that tells the connector where to; it serves for all to one origin."""
        known, key = self._known, (url.scheme, url.raw_host, url.port, proxy)
        found = known.get(key)
        if found is None:
            if len(known) >= _MOST_ORIGINS:
                known.clear()
            found = known[key] = aiohttp.ClientRequest(
                "POST",
                url.origin(),
                loop=asyncio.get_running_loop(),
                session=self._session,
                proxy=proxy,
            )
        return found
