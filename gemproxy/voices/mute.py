"""The voice for answers that pass through unread: nothing is said into them."""

from typing import ClassVar

import attrs

from gemproxy.voices import words
from gemproxy.voices.voice import Payload


@attrs.frozen
class MuteVoice:
    """Says nothing to a client once its answer has begun; see ``Asides``."""

    name: ClassVar[str] = "mute"

    def heartbeat(self) -> bytes | None:
        """Return None."""
        return None

    def last_words(self, _payload: Payload, _tail: bytes) -> bytes:
        """Return nothing: the cut alone has to do."""
        return b""

    def refusal(self, payload: Payload) -> bytes:
        """Return the body of an error answer: an object."""
        return words.refusal(payload)
