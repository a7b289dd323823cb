"""The voice of a client of OpenAI's that waits for one JSON document, or is refused.

White space may stand before a JSON value; so an error may take the place of a document that has not
begun, as for Gemini's clients (``voices.document``).
"""

from typing import ClassVar

import attrs

from gemproxy.openai import words
from gemproxy.voices.voice import Payload


@attrs.frozen
class OpenAIDocumentVoice:
    """Speaks to one client of OpenAI's that reads one JSON value; see ``Asides``."""

    name: ClassVar[str] = "openai"

    def heartbeat(self) -> bytes:
        """Return white space, which JSON allows before a value."""
        return b"\n"

    def last_words(self, payload: Payload, tail: bytes) -> bytes:
        """Return the error in the place of the document, or nothing once that has begun."""
        return b"" if tail.strip() else words.body(payload)

    def refusal(self, payload: Payload) -> bytes:
        """Return the body of an error answer."""
        return words.body(payload)
