"""What may be said at the end of an answer that is passed through unread.

An error event helps where its reader understands it and where no event is half written; anywhere
else it would be read as part of the answer. So the path has to tell the dialect, the head that the
body is an event stream as it stands, and the stream must not have come to its own end: what comes
behind ``[DONE]`` nobody looks at.
"""

import re
from collections.abc import Mapping

import attrs

from gemproxy.relay.dialects import INTERACTIONS, MUTE, OPENAI, Dialect
from gemproxy.relay.headers import is_event_stream

_OK = 200
_CHAT = re.compile(r"/openai/(?:chat/)?completions/?$")
_INTERACTION = re.compile(r"/interactions(?:/[^/:]+)?/?$")
_DONE = rb"[\r\n]data:[ \t]*\[DONE\]"
_COMPLETED = rb'"event_type"\s{0,9}:\s{0,9}"interaction\.complete'
_END_MARKS = {OPENAI: re.compile(_DONE), INTERACTIONS: re.compile(_DONE + b"|" + _COMPLETED)}
_OVERLAP = 64
"""Bytes; an end mark is shorter."""


def passed_through(path: str, status: int, headers: Mapping[str, str]) -> Dialect:
    """Return how to end an answer that is passed through unread; MUTE where that is not known."""
    coding = headers.get("Content-Encoding", "identity").strip().lower()
    readable = status == _OK and is_event_stream(headers) and coding == "identity"
    if not readable or "Content-Length" in headers:
        return MUTE
    if _CHAT.search(path):
        return OPENAI
    return INTERACTIONS if _INTERACTION.search(path) else MUTE


@attrs.define(eq=False)
class EndMark:
    """Finds the event by which a stream of a dialect says that it is over, however it is cut."""

    _dialect: Dialect
    _overlap: bytes = b"\n"

    def is_in(self, data: bytes) -> bool:
        """Tell whether ``data``, the next bytes of the stream, complete it."""
        mark = _END_MARKS.get(self._dialect)
        if mark is None:
            return False
        looked_at = self._overlap + data
        self._overlap = looked_at[-_OVERLAP:]
        return mark.search(looked_at) is not None
