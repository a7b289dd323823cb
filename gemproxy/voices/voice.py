"""What voices can do; see the package."""

from collections.abc import Mapping
from typing import Any, Protocol

from gemproxy.core.repair.events import Out
from gemproxy.core.wire.frame import Frame

Payload = Mapping[str, Any]
"""A google.rpc error body: ``{"error": {...}}``."""


class Asides(Protocol):
    """What may be said to one client besides passing on what the upstream says."""

    @property
    def name(self) -> str:
        """The kind of client, as it is called in tests and logs."""

    def heartbeat(self) -> bytes | None:
        """Return bytes that keep the connection warm between frames, or None for none."""

    def last_words(self, payload: Payload, tail: bytes) -> bytes:
        """Return the error as the last thing that this client receives in its stream.

        ``tail`` are the last bytes that went out, none or up to four. Returns nothing where they
        leave no room for an error: it would be read as the other half of something. The answer
        is not completed by it: the cut that follows is what shows that it has failed.
        """

    def refusal(self, payload: Payload) -> bytes:
        """Return the body of an error answer, where no stream has begun."""


class Voice(Asides, Protocol):
    """Frames -> the bytes of one client's stream, and asides.

    There is one for each connection. What it returns has to go out, in the same order: it
    remembers how the lines of the client's first frame end, and whether there was a frame at all.
    """

    @property
    def content_type(self) -> str:
        """The type of the stream, where it is not the upstream's own."""

    def say(self, out: tuple[Out, ...]) -> bytes:
        """Return the bytes of some frames; an undisturbed run is returned as it came."""

    def close(self, tail: Frame | None) -> bytes:
        """Return what ends a complete answer: ``tail``, the upstream's own end, if it does."""
