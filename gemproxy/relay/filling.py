"""Reads the body of an answer straight into memory of its reader's, and little of it before that.

A protocol that gets bytes as objects gets up to 256 KiB of them for each read, and they are copied
wherever they are put together. ``Filling`` stands in front of a ``Direct`` on its connection and
lends the connection memory instead: at first a little, which all answers share and whose bytes
``Direct`` gets; when a reader wants the rest of the body, more of that, or the reader's own memory.
"""

import asyncio
from typing import Protocol

SIP = 1 << 15
"""Bytes that are read at once while nobody wants them."""
GULP = 1 << 16
"""Bytes that are read at once while somebody wants them, and lends no memory for them."""


class Filled(Protocol):
    """What stands behind a ``Filling``: ``relay.direct.Direct``."""

    def data_received(self, data: memoryview) -> None:
        """Take what came; the memory is used again."""

    def filled(self, size: int) -> None:
        """Take the news that so many bytes of the body were read into the reader's memory."""

    def pause_writing(self) -> None:
        """Note that the connection takes no more."""

    def resume_writing(self) -> None:
        """Go on with the request."""

    def eof_received(self) -> None:
        """Note that the upstream sends no more."""

    def connection_lost(self, error: Exception | None) -> None:
        """Take the end of the connection."""


class Filling(asyncio.BufferedProtocol):
    """The protocol of a connection whose answer ``behind`` reads; all share ``common``."""

    __slots__ = ("_behind", "_common", "_here", "_left")

    def __init__(self, behind: Filled, common: memoryview) -> None:
        self._behind, self._common = behind, common
        self._here = common[:SIP]
        self._left: memoryview | None = None

    def fill(self, target: memoryview) -> None:
        """Read into ``target`` from now on, until it is full."""
        self._left = target

    def gulp(self) -> None:
        """Read as much at once as there is memory that all share."""
        self._here = self._common

    def stop(self) -> None:
        """Let go of the reader's memory."""
        self._left = None

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next bytes go."""
        del sizehint
        return self._here if self._left is None else self._left

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read."""
        left = self._left
        if left is None:
            self._behind.data_received(self._common[:nbytes])
            return
        self._left = left[nbytes:] if nbytes < len(left) else None
        self._behind.filled(nbytes)

    def pause_writing(self) -> None:
        """Pass on that the connection takes no more."""
        self._behind.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that the connection takes more."""
        self._behind.resume_writing()

    def eof_received(self) -> None:
        """Pass on that the upstream sends no more."""
        self._behind.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass on the end of the connection."""
        self._behind.connection_lost(exc)
