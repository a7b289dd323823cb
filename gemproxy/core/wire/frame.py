"""A frame: the unit of a stream, from Gemini and to the client."""

from typing import Protocol

import msgspec

from gemproxy.core.wire.flow import Flow

Data = bytes | memoryview
"""JSON text; in a large frame a view of its bytes, to avoid a copy."""


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One frame of a stream; a msgspec struct, like every object made for each event.

    ``raw`` holds its exact bytes, including the blank line that ends an event and the comma before
    an array element: joining the ``raw`` of all frames gives the stream. ``raw`` is empty for a
    frame of our own making; the client's voice frames it. ``data`` is its JSON text, or None if it
    has none (a comment, a keep-alive, the closing bracket). ``eol`` is for a frame of our own: the
    line end of the frame that it was made of, empty if there was none.
    """

    raw: bytes
    data: Data | None
    eol: bytes = b""

    @property
    def size(self) -> int:
        """How many bytes it holds: those of ``raw``, or of ``data`` if ``raw`` is empty."""
        return len(self.raw) or len(self.data or b"")

    def remade(self, data: bytes) -> "Frame":
        """Return a frame of our own that takes the place of this one, with ``data``."""
        return Frame(b"", data, line_end(self.raw) or self.eol)


class Decoder(Protocol):
    """Cuts the bytes of one attempt into frames, independent of their chunks.

    ``max_frame`` is the size limit of an unfinished frame in bytes.
    """

    max_frame: int

    def flow(self, data: bytes) -> tuple[Flow | None, bytes]:
        """Decode the plain events at the beginning; return them, and the bytes left to feed."""

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that ``data`` completes; raise FrameTooLarge beyond the limit."""

    def close(self) -> Frame | None:
        """Return the rest at the end of the body as a frame, or None if there is none."""


class FrameTooLarge(ValueError):
    """A frame exceeded the size limit before its end came."""


def line_end(raw: bytes) -> bytes:
    """Return the line end of the last line of ``raw``, empty if that has none."""
    if raw.endswith(b"\r\n"):
        return b"\r\n"
    return raw[-1:] if raw.endswith((b"\n", b"\r")) else b""
