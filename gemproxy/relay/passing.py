"""The error at the end of an answer that is passed through unread.

An error event helps only if its reader understands it and if no event is half written; otherwise it
would be read as part of the answer. So the path must identify the reader, the head must announce an
uncompressed event stream, and the stream must not have reached its own end, because clients ignore
everything after ``[DONE]``.
"""

import re
from collections.abc import Mapping

import attrs

from gemproxy.relay.headers import is_event_stream
from gemproxy.voices.mute import MuteVoice
from gemproxy.voices.sse import INTERACTIONS, OPENAI, EventVoice, Manner
from gemproxy.voices.voice import Asides

_OK = 200
_CHAT = re.compile(r"/openai/(?:chat/)?completions/?$")
_INTERACTION = re.compile(r"/interactions(?:/[^/:]+)?/?$")
_OVERLAP = 64
"""Bytes; an end mark is shorter."""


def passed_through(path: str, status: int, headers: Mapping[str, str]) -> "PassedThrough":
    """Classify an answer that is passed through unread by its path and its head."""
    coding = headers.get("Content-Encoding", "identity").strip().lower()
    readable = status == _OK and is_event_stream(headers) and coding == "identity"
    if not readable or "Content-Length" in headers:
        return PassedThrough()
    if _CHAT.search(path):
        return PassedThrough(OPENAI)
    return PassedThrough(INTERACTIONS if _INTERACTION.search(path) else None)


@attrs.define(eq=False)
class PassedThrough:
    """An answer that passes through; ``manner`` is its reader's dialect, if known."""

    manner: Manner | None = None
    _overlap: bytes = b"\n"

    @property
    def voice(self) -> Asides:
        """The voice for an error at its end."""
        return MuteVoice() if self.manner is None else EventVoice(self.manner)

    def ends_in(self, data: bytes) -> bool:
        """Return whether ``data``, the next bytes, complete the last event of the stream.

        The event may be cut anywhere. Clients ignore everything after it, so no error may follow.
        """
        if self.manner is None or self.manner.end_mark is None:
            return False
        looked_at = self._overlap + data
        self._overlap = looked_at[-_OVERLAP:]
        return self.manner.end_mark.search(looked_at) is not None
