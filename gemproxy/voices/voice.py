"""What every voice can do; see the package."""

from typing import ClassVar, Protocol

from gemproxy.core.repair.events import Out
from gemproxy.core.wire.frame import Frame


class Voice(Protocol):
    """Frames -> the bytes of one client's stream.

    There is one for each connection, because it knows what went out: how the lines of the
    client's first frame end, and whether there was a frame at all. What it returns has to go out,
    in the same order.
    """

    content_type: ClassVar[str]

    def say(self, out: tuple[Out, ...]) -> bytes:
        """Return the bytes of some frames; an undisturbed run is returned as it came."""

    def close(self, tail: Frame | None) -> bytes:
        """Return what ends a complete answer: ``tail``, the upstream's own end, if it does."""
