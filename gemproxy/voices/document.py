"""The voice of a client that waits for one JSON document, while a stream is collected for it.

White space may stand before a JSON value. As long as nothing else went out, an error can take the
document's place: the connection is cut behind it, because the status is out by then.
"""

from typing import ClassVar

import attrs

from gemproxy.core.wire.frame import line_end
from gemproxy.voices import words
from gemproxy.voices.voice import Payload


@attrs.frozen
class DocumentVoice:
    """Speaks to one client that reads one JSON value; see ``Asides``."""

    name: ClassVar[str] = "document"

    def heartbeat(self) -> bytes:
        """Return white space, which JSON allows before a value."""
        return b"\n"

    def last_words(self, payload: Payload, tail: bytes) -> bytes:
        """Return the error in the place of the document, or nothing once that has begun."""
        return b"" if tail.strip() else words.bare(payload, line_end(tail))

    def refusal(self, payload: Payload) -> bytes:
        """Return the body of an error answer: an object."""
        return words.refusal(payload)
