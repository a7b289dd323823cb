"""The voice of event streams.

Frames that came as events pass byte for byte. A frame of our own becomes one ``data: `` line and a
blank one, with the line ends of the client's first frame, or with Gemini's where that is ours,
too. What else may be said differs in values from client to client: see ``Manner``.
"""

import re
from collections.abc import Callable
from typing import ClassVar

import attrs

from gemproxy.core.repair.events import Out, Run
from gemproxy.core.wire.frame import Frame, line_end
from gemproxy.core.wire.sse import CRLF, event
from gemproxy.voices import words
from gemproxy.voices.voice import Payload

_BLANK_LINES = (b"\n\n", b"\r\r", b"\n\r\n", b"\r\r\n")
"""What an event ends with: a line end, and a line without anything (WHATWG HTML, 9.2.6)."""

_DONE = rb"[\r\n]data:[ \t]*\[DONE\]"
_COMPLETED = rb'"event_type"\s{0,9}:\s{0,9}"interaction\.complete'


@attrs.frozen
class Manner:
    """How to speak to one kind of client that reads events.

    ``words`` words an error as the last thing it gets, given the line end of what it has;
    empty when it has nothing. ``blank_lines`` says that they are tolerated between events, and
    ``at_first`` that one in Gemini's style is before the first event. ``end_mark`` is how its
    streams say that they are over: nobody looks at anything behind it.
    """

    name: str
    words: Callable[[Payload, bytes], bytes] = words.as_event
    blank_lines: bool = True
    at_first: bool = True
    end_mark: re.Pattern[bytes] | None = None


STANDARD = Manner("standard")
GO = Manner("go", words.bare, at_first=False)  # another style than the stream's would glue events
FRAGILE = Manner("fragile", blank_lines=False)
INTERACTIONS = Manner(
    "interactions",
    words.as_event_of_an_interaction,
    end_mark=re.compile(_DONE + b"|" + _COMPLETED),
)
OPENAI = Manner("openai", words.as_event_of_openai, end_mark=re.compile(_DONE))


@attrs.define(eq=False)
class EventVoice:
    """Speaks to one client that reads an event stream; see ``Voice``."""

    content_type: ClassVar[str] = "text/event-stream"
    manner: Manner = STANDARD
    _eol: bytes = attrs.field(default=b"", init=False)  # empty until a frame went out

    @property
    def name(self) -> str:
        """The kind of client."""
        return self.manner.name

    def say(self, out: tuple[Out, ...]) -> bytes:
        """Return the bytes of some frames; an undisturbed run is returned as it came."""
        match out:
            case [Run(rewritten=False, raw=raw)] if self._eol:
                return raw  # the hot path: a read is a run, and goes out as it is
        return b"".join(map(self._said, out))

    def close(self, tail: Frame | None) -> bytes:
        """Return the upstream's own end: an event stream has no end mark that could be missing."""
        return b"" if tail is None else tail.raw

    def heartbeat(self) -> bytes | None:
        """Return a blank line in the style of the stream, or None where it is not tolerated."""
        if not self.manner.blank_lines or not (self._eol or self.manner.at_first):
            return None
        return (self._eol or CRLF) * 2

    def last_words(self, payload: Payload, tail: bytes) -> bytes:
        """Return the error, or nothing within an event: it would be read as the rest of it."""
        if tail and not tail.endswith(_BLANK_LINES):
            return b""
        return self.manner.words(payload, line_end(tail))

    def refusal(self, payload: Payload) -> bytes:
        """Return the body of an error answer: an object."""
        return words.refusal(payload)

    def _said(self, out: Out) -> bytes:
        if not isinstance(out, Run):
            return b"".join(map(self._framed, out.frames))
        self._eol = self._eol or line_end(out.separator)
        if out.rewritten and out.separator != self._eol * 2:
            return b"".join(map(self._framed, out.frames()))
        return out.raw

    def _framed(self, frame: Frame) -> bytes:
        if frame.data is None:
            return frame.raw
        self._eol = self._eol or line_end(frame.raw) or frame.eol or CRLF
        return frame.raw or event(frame.data, self._eol)
