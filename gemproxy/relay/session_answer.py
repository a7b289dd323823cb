"""An answer that the client library's session reads: ``Direct``'s counterpart.

Requests whose body is streamed up, downloads, and what goes through a SOCKS proxy come this way,
and all requests where the operator wants it so.
"""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import attrs
from multidict import CIMultiDictProxy

from gemproxy.relay.bell import Bell


@attrs.define(eq=False)
class SessionAnswer:
    """One answer of the session's, with the methods of ``relay.direct.Direct``."""

    _response: aiohttp.ClientResponse
    size: int = 0
    readany: Callable[[], Awaitable[bytes]] = attrs.field(init=False)
    _connection: "asyncio.Future[None] | None" = None

    def __attrs_post_init__(self) -> None:
        self.readany = self._response.content.readany

    @property
    def status(self) -> int:
        """The status of the answer."""
        return self._response.status

    @property
    def reason(self) -> str | None:
        """The reason phrase of the answer."""
        return self._response.reason

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The headers of the answer."""
        return self._response.headers

    async def fill(self, target: memoryview) -> int:
        """Return 0: the library reads into memory of its own."""
        del target
        return 0

    def ring(self, bell: Bell) -> None:
        """Leave the waking to the library's reader."""

    def abort(self) -> None:
        """Close the connection; a pending ``readany`` raises."""
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


def _look_at(closed: "asyncio.Future[None]") -> None:
    """Take the exception of a connection that broke, or asyncio complains that nobody did."""
    if not closed.cancelled():
        closed.exception()
