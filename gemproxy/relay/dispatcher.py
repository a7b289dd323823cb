"""The one way up: every request to the upstream is an attempt of the dispatcher's.

For each attempt it takes a lease (``relay.leases``), which says with which credential and to which
base the attempt goes; builds the URL and the headers; gives the upstream the time that the
client's deadline leaves; sends the body; follows a download to where it is kept; and opens an
entry in the exchange's account. When the attempt is let go, the entry is closed and the lease
hears of it, exactly once: when the answer was whole, was refused, broke, or was left in the middle
by a client, be it while the attempt was still being opened.

A refusal that is the key's fault goes no further than here where the lease says that there may be
another key (``Lease.another``): the next lease is asked for at once, and the source raises what the
client hears when no key is left. So it is with a refusal of the location that a key's requests come
from (``Lease.detour``). A refusal has made nothing, so this holds for every request, those that
create included, whether answers are repaired or not. Only a body that was streamed up is gone.

The type of a body tells whether it may be sent twice (``relay.upstream``): plain ``bytes`` may.

``Want`` says what an answer is wanted for (``relay.wants``), and so in which coding it is asked
for. A URL that the upstream gave out for an upload comes with its credential, so no source is
asked for one, and the outcome is in the account alone.
"""

import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import attrs
from yarl import URL

from gemproxy.core.errors import KeyRefused, UpstreamRejection, upstream_error
from gemproxy.core.repair.blame import Fault, blame, is_of_the_location
from gemproxy.core.repair.events import Cause, How
from gemproxy.exchange.account import Entry
from gemproxy.exchange.exchange import Exchange
from gemproxy.exchange.trace import new_span_id
from gemproxy.relay.bodies import Once, Outgoing
from gemproxy.relay.coding import beginning
from gemproxy.relay.handshake import Dialled, Sockets
from gemproxy.relay.headers import retry_after, upstream_headers
from gemproxy.relay.leases import CredentialSource, Lease, OwnLease
from gemproxy.relay.redirects import FOLLOWED, MOST_HOPS, Hop, redirected
from gemproxy.relay.upstream import AttemptFailed, Reply, Upstream
from gemproxy.relay.wants import EVENTS, STREAM, Want

_SWITCHING_PROTOCOLS = 101
_ERRORS = 400
_NO_CLOSE_FRAME = 1006
_LENGTH = "Content-Length"
_ERROR_BODY_LIMIT = 1 << 20


@attrs.define(eq=False)
class Dispatcher:
    """Makes attempts. ``base`` is the upstream's base URL, ``source`` gives the leases.

    ``patience`` counts the seconds that an answer has to begin, unless its client sets a deadline.
    """

    upstream: Upstream
    sockets: Sockets
    source: CredentialSource
    base: URL
    patience: float

    def attempt(
        self, exchange: Exchange, body: Outgoing = None, want: Want = STREAM
    ) -> AbstractAsyncContextManager[Reply]:
        """Make one attempt and yield its answer; at the exit an unread body is abandoned.

        Raises AttemptFailed when no answer comes, and a GemproxyError for what is wrong with the
        request, its body included.
        """
        return _RoundTrip(self, exchange, body, want)

    def silence(self, exchange: Exchange) -> float:
        """Return the seconds for which an answer that has begun may pause."""
        return exchange.deadline.silence(self.patience)

    @asynccontextmanager
    async def socket(
        self, exchange: Exchange, protocols: Iterable[str], setup: bytes | None = None
    ) -> AsyncIterator[Dialled]:
        """Open a WebSocket and yield it; ``protocols`` are the subprotocols to offer.

        ``setup`` is the client's first message, if it was read before; it is not sent here. Raises
        as ``attempt`` does, UpstreamRejection for an error status, and UpstreamFailure for
        another answer than a handshake.
        """
        _ = exchange.target  # nothing is leased for what leads nowhere
        offered = tuple(protocols)
        while True:
            lease = await self.source.lease(exchange, setup)
            entry = _opened(exchange, lease)
            try:
                dialled = await self._dial(exchange, lease, entry, offered)
            except UpstreamRejection:
                if not _goes_elsewhere(lease, entry.status, entry.error):
                    raise
                entry.cause = Cause.STATUS
                continue
            finally:
                if entry.status != _SWITCHING_PROTOCOLS:
                    _over(entry, lease)
            break
        try:
            yield dialled
            entry.error = dialled.error
            entry.how = _how_closed(dialled.socket.close_code)
        finally:
            _over(entry, lease)

    async def _dial(
        self, exchange: Exchange, lease: Lease, entry: Entry, protocols: Iterable[str]
    ) -> Dialled:
        """Make one handshake, and note in ``entry`` what became of it."""
        hop = _first_hop(exchange, lease, None, EVENTS)
        patience = exchange.deadline.first_byte(self.patience)
        try:
            dialled = await self.sockets.connect(
                hop.url, hop.headers, protocols, patience, hop.proxy
            )
        except AttemptFailed as failure:
            entry.how = failure.how
            raise
        except UpstreamRejection as rejection:
            entry.status, entry.how = rejection.rejected_with, How.EOF
            entry.error = upstream_error(rejection.body)
            raise
        entry.status = _SWITCHING_PROTOCOLS
        lease.answered()
        dialled.lease = lease
        return dialled


@attrs.define(eq=False)
class _RoundTrip:
    """An attempt as a context; a class, because a generator costs as much as all the rest of it."""

    _dispatcher: Dispatcher
    _exchange: Exchange
    _body: Outgoing
    _want: Want
    _lease: Lease = attrs.field(init=False)
    _entry: Entry = attrs.field(init=False)
    _reply: Reply = attrs.field(init=False)

    async def __aenter__(self) -> Reply:
        _ = self._exchange.target  # nothing is leased for what leads nowhere
        reply = await self._ask()
        while reply.status >= _ERRORS and await self._is_refused_elsewhere(reply):
            reply = await self._ask()
        return reply

    async def __aexit__(self, *_: object) -> None:
        reply, entry = self._reply, self._entry
        try:
            reply.close()  # may raise what a callback of the connection did
        finally:
            entry.how, entry.error, entry.bytes = reply.how, reply.error, reply.size
            if reply.usage is not None:
                entry.usage, entry.named = reply.usage, reply.named
            if reply.status >= _ERRORS:
                entry.retry_after = retry_after(reply.headers)
            _over(entry, self._lease)

    async def _ask(self) -> Reply:
        """Take a lease and make the request with it."""
        dispatcher, exchange, want = self._dispatcher, self._exchange, self._want
        if exchange.given is None or exchange.given.key:
            lease = await dispatcher.source.lease(exchange, _in_memory(self._body))
        else:
            lease = OwnLease(dispatcher.base, exchange.given.credential)
        self._lease = lease
        entry = self._entry = _opened(exchange, lease)
        try:
            hop = _first_hop(exchange, lease, self._body, want)
            reply = await self._send(hop)
            if want.follows and exchange.method in FOLLOWED:
                reply = await self._follow(hop, reply)
        except BaseException as error:
            if isinstance(error, AttemptFailed):
                entry.how = error.how
            _over(entry, lease)
            raise
        entry.status, entry.answered = reply.status, time.monotonic()
        lease.answered()
        reply.lease = lease
        reply.witness = lease.witness(exchange, reply.status, reply.headers)
        self._reply = reply
        return reply

    async def _is_refused_elsewhere(self, reply: Reply) -> bool:
        """Return whether an error answer is let go, and another key is asked for.

        Raises KeyRefused where it should be and the body is gone.
        """
        lease = self._lease
        if not (lease.another or lease.detour):
            return False
        try:
            begun = await reply.read_error(_ERROR_BODY_LIMIT)
        except BaseException:
            await self.__aexit__()
            raise
        coding = reply.headers.get("Content-Encoding", "")
        if reply.error is None and coding:
            reply.error = upstream_error(beginning(begun, coding, _ERROR_BODY_LIMIT) or b"")
        if not _goes_elsewhere(lease, reply.status, reply.error):
            reply.put_back(begun)
            return False
        self._entry.cause = Cause.STATUS
        await self.__aexit__()
        if not isinstance(self._body, bytes | Once | None):
            raise KeyRefused
        return True

    async def _send(self, hop: Hop) -> Reply:
        """Make one request."""
        dispatcher, exchange = self._dispatcher, self._exchange
        patience = exchange.deadline.first_byte(dispatcher.patience)
        return await dispatcher.upstream.open(
            exchange.method, hop, self._body, patience, self._want
        )

    async def _follow(self, hop: Hop, reply: Reply) -> Reply:
        """Return the answer where the redirects end, or one that is not followed."""
        base = self._lease.base
        for _ in range(MOST_HOPS):
            onward = redirected(base, hop, reply.status, reply.headers)
            if onward is None:
                break
            reply.close()
            hop = onward
            reply = await self._send(hop)
        return reply


def _goes_elsewhere(lease: Lease, status: int | None, error: Mapping[str, Any] | None) -> bool:
    """Return whether another key may serve where this one was refused."""
    if lease.another and blame(status, error) is Fault.KEY:
        return True
    return lease.detour and is_of_the_location(error)


def _opened(exchange: Exchange, lease: Lease) -> Entry:
    """Open the attempt's entry in the account."""
    entry = Entry(time.monotonic(), lease.key, project=lease.project)
    trace = exchange.account.trace
    if trace is not None and trace.onward:
        entry.span_id = new_span_id()
    exchange.account.entries.append(entry)
    return entry


def _over(entry: Entry, lease: Lease) -> None:
    """Close the entry, and have the lease hear of it."""
    entry.ended = time.monotonic()
    lease.over(entry)


def _first_hop(exchange: Exchange, lease: Lease, body: Outgoing, want: Want) -> Hop:
    """Return the request as it goes up: its URL, and its headers with its one credential.

    Bytes have their length, which the client library writes; a stream has the one that its client
    named, if it did.
    """
    lent = bool(exchange.account.access)
    target = exchange.target.lent() if lent else exchange.target
    url, sent, identity = target.on(lease.base), lease.credential, want.identity
    if sent is not None:
        sent = sent.for_path(url.raw_path)
    if identity is None:
        identity = "Accept-Encoding" in exchange.headers
    identity = identity or bool(lease.project)  # its names are read
    headers = upstream_headers(exchange.headers, sent, identity=identity, lent=lent)
    read = isinstance(body, bytes) or (isinstance(body, Once) and not body.file)
    if lent and read:
        headers["Content-Type"] = "application/json"  # as its names were read
    elif not isinstance(body, bytes | Once | None) and _LENGTH in exchange.headers:
        headers[_LENGTH] = exchange.headers[_LENGTH]
    trace = exchange.account.trace
    if trace is not None and trace.onward:
        headers.update(trace.headers(exchange.account.entries[-1].span_id))
    return Hop(url, exchange.deadline.stamped(headers), lease.proxy)


def _in_memory(body: Outgoing) -> bytes | None:
    """Return the bytes of a body, None for no body and for a stream."""
    if isinstance(body, Once):
        return body.data
    return body if isinstance(body, bytes) else None


def _how_closed(code: int | None) -> How | None:
    """Return how a WebSocket ended, by its close code; None while it is open."""
    if code is None:
        return None
    return How.RESET if code == _NO_CLOSE_FRAME else How.EOF
