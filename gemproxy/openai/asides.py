"""The voice of a client of OpenAI's that waits for one event, such as that of its picture."""

from typing import ClassVar

import attrs

from gemproxy.openai import words
from gemproxy.voices.voice import Payload


@attrs.frozen
class EventAsides:
    """Speaks to one client; see ``Asides``."""

    name: ClassVar[str] = "openai-events"

    def heartbeat(self) -> bytes:
        """Return an SSE comment."""
        return words.HEARTBEAT

    def last_words(self, payload: Payload, tail: bytes) -> bytes:
        """Return the error as an event, or nothing within one."""
        return words.last_words(payload, tail)

    def refusal(self, payload: Payload) -> bytes:
        """Return the body of an error answer."""
        return words.body(payload)
