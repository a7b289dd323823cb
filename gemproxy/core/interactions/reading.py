"""How the bytes of an interaction's attempt are read: its row of ``core.repair.reading``.

An answer that is not an event stream never comes here, so nothing has to be found out about its
framing, and no event is translated.
"""

import math
from typing import ClassVar

import attrs

from gemproxy.core.interactions.event import SILENT, EventReceived, read
from gemproxy.core.repair.reading import Reading
from gemproxy.core.wire.flow import Flow
from gemproxy.core.wire.frame import Decoder, Frame


@attrs.define(eq=False)
class EventReader:
    """Takes the events of one attempt from its bytes, as they came."""

    decoder: Decoder
    foreign: ClassVar[bool] = False

    def flow(self, data: bytes, /) -> tuple[Flow | None, bytes]:
        """Return all of ``data`` to be fed: an interaction's events are judged one by one."""
        return None, data

    def feed(self, data: bytes) -> list[Frame]:
        """Return the events that ``data`` completes; raise FrameTooLarge beyond the cap."""
        return self.decoder.feed(data)

    def close(self) -> tuple[list[Frame], Frame | None]:
        """Return a last event that lacks only its blank line; nothing else is left to pass on."""
        tail = self.decoder.close()
        return [tail] if tail is not None and tail.data else [], None


@attrs.define(eq=False)
class EventOpening:
    """The beginning of an answer that is an event stream."""

    decoder: Decoder
    content_type: str
    begun: bytes = b""
    is_json: ClassVar[bool] = False
    misnamed: ClassVar[bool] = False

    def take(self, data: bytes) -> EventReader:
        """Return the reader, which is known from the first byte on."""
        self.begun = data
        return self.settled()

    def settled(self) -> EventReader:
        """Return the reader."""
        return EventReader(self.decoder)

    @staticmethod
    def another_answer() -> None:
        """Return that there is no other answer."""


INTERACTION = Reading(
    opening=EventOpening, read=read, received=EventReceived, silence=SILENT, most_silent=math.inf
)
