"""The protocols of voices; see the package."""

from collections.abc import Mapping
from typing import Any, Protocol

from gemproxy.core.repair.events import Out
from gemproxy.core.wire.frame import Frame

Payload = Mapping[str, Any]
"""A google.rpc error body: ``{"error": {...}}``."""


class Asides(Protocol):
    """Our own additions to one client's answer."""

    @property
    def name(self) -> str:
        """The kind of client, by its name in tests and logs."""

    def heartbeat(self) -> bytes | None:
        """Return bytes that keep the connection warm between frames, or None for none."""

    def last_words(self, payload: Payload, tail: bytes) -> bytes:
        """Return the error as the last bytes of this client's stream.

        ``tail`` are the last bytes that went out, up to four. The result is empty if an error
        cannot follow them, because it would be read as the rest of an incomplete event. The error
        does not complete the answer: the cut after it shows the failure.
        """

    def refusal(self, payload: Payload) -> bytes:
        """Return the body of an error answer, if no stream has begun."""


class Voice(Asides, Protocol):
    """Turns frames into the bytes of one client's stream, with our additions.

    Each connection has its own voice, which remembers the line end of the client's first frame, and
    whether there was a frame. So its results must go out in the same order.
    """

    @property
    def content_type(self) -> str:
        """The Content-Type of the stream, if it is not the upstream's own."""

    def say(self, out: tuple[Out, ...]) -> bytes:
        """Return the bytes of some frames; those of an undisturbed run are unchanged."""

    def close(self, tail: Frame | None) -> bytes:
        """Return the end of a complete answer: the upstream's ``tail`` if it ends it."""
