"""A frame: the unit in which Gemini streams, and in which we pass it on."""

from typing import Protocol

import msgspec

from gemproxy.core.wire.flow import Flow

Data = bytes | memoryview
"""JSON text; in a large frame a view of its bytes, which are not copied."""


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One frame of a stream; a msgspec struct like all that is made for each event.

    ``raw`` holds its exact bytes with all that belongs to it (the blank line that
    ends an event, the comma before an array element): the raws of a stream, joined,
    are the stream. It is empty for a frame of our own making, which the client's voice
    frames. ``data`` is the JSON text it carries, or None where it carries none
    (a comment, a keep-alive, the closing bracket).
    """

    raw: bytes
    data: Data | None

    @property
    def size(self) -> int:
        """How many bytes it keeps: those of its data where it has no bytes of its own."""
        return len(self.raw) or len(self.data or b"")


class Decoder(Protocol):
    """Bytes of one attempt -> frames, whatever the chunking.

    ``max_frame`` is the cap on an unfinished frame in bytes.
    """

    max_frame: int

    def flow(self, data: bytes) -> tuple[Flow | None, bytes]:
        """Take the plain events that come first, if any; return them and what is to be fed."""

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that ``data`` completes; raise FrameTooLarge beyond the cap."""

    def close(self) -> Frame | None:
        """Return what is left at the end of the body, or None when nothing is."""


class FrameTooLarge(ValueError):
    """A frame passed the cap before its end was seen."""
