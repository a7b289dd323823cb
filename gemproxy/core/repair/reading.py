"""How the bytes of an attempt become inputs of the machine: a row for each kind of answer.

The intake is one for all kinds. What differs is in a `Reading`: who finds out how an answer is
framed, what decodes a frame, and which input carries it. `STREAM` is the row of Gemini's streams;
``core.interactions.reading`` has the other.
"""

from collections.abc import Callable
from typing import Any, Protocol

import attrs

from gemproxy.core.answer import chunk, reframing
from gemproxy.core.repair.events import Received
from gemproxy.core.wire.flow import Flow
from gemproxy.core.wire.frame import Data, Decoder, Frame


class AttemptReader(Protocol):
    """Takes the frames of one attempt from its bytes."""

    @property
    def foreign(self) -> bool:
        """Whether the answer is in another framing than the client's."""

    def flow(self, data: bytes, /) -> tuple[Flow | None, bytes]:
        """Take the plain events that come first, if any; return them and what is to be fed."""

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that ``data`` completes; raise FrameTooLarge beyond the cap."""

    def close(self) -> tuple[list[Frame], Frame | None]:
        """Return what the end of the body completes, and what is left without data."""


class Opening(Protocol):
    """The beginning of one attempt's answer, until it is known how it is framed."""

    @property
    def begun(self) -> bytes:
        """What came while nothing was known; the reader takes it first."""

    @property
    def is_json(self) -> bool:
        """Whether JSON has begun."""

    @property
    def misnamed(self) -> bool:
        """Whether the Content-Type is that of another framing than the client's."""

    def take(self, data: bytes) -> AttemptReader | None:
        """Take what a read brought; return the reader, once it is known which.

        Raises FrameTooLarge when too much came of which it is not known.
        """

    def settled(self) -> AttemptReader:
        """Return the reader for an answer of which no more is known."""

    def another_answer(self) -> bytes | None:
        """Return the whole body when it is no answer of this kind, to be passed on as it is."""


@attrs.frozen
class Reading:
    """A row of the table.

    ``opening`` begins an attempt: it takes a decoder of the client's framing and the answer's
    Content-Type. ``read`` returns what the data of a frame says, or raises Undecodable;
    ``silence`` is said by a frame without data. ``received`` makes the machine's input of a frame
    and what it says. An attempt may bring ``most_silent`` frames without data.
    """

    opening: Callable[[Decoder, str], Opening]
    read: Callable[[Data], Any]
    received: Callable[[Frame, Any], object]
    silence: Any
    most_silent: float


STREAM = Reading(
    opening=reframing.StreamOpening,
    read=chunk.read,
    received=Received,
    silence=chunk.SILENT,
    most_silent=100_000,  # the pings of a day, or a flood: some are held, each for itself
)
