"""The voice of Gemini's event streams.

Frames that came as events pass byte for byte. A frame of our own becomes one ``data: `` line and a
blank one, with the line ends of the client's first frame, or with Gemini's where that is ours,
too.
"""

from typing import ClassVar

import attrs

from gemproxy.core.repair.events import Out, Run
from gemproxy.core.wire.frame import Frame
from gemproxy.core.wire.sse import CRLF, event, line_end


@attrs.define(eq=False)
class EventVoice:
    """Speaks to one client that reads an event stream; see ``Voice``."""

    content_type: ClassVar[str] = "text/event-stream"
    _eol: bytes = attrs.field(default=b"", init=False)  # empty until a frame went out

    def say(self, out: tuple[Out, ...]) -> bytes:
        """Return the bytes of some frames; an undisturbed run is returned as it came."""
        match out:
            case [Run(rewritten=False, raw=raw)] if self._eol:
                return raw  # the hot path: a read is a run, and goes out as it is
        return b"".join(map(self._said, out))

    def close(self, tail: Frame | None) -> bytes:
        """Return the upstream's own end: an event stream has no end mark that could be missing."""
        return b"" if tail is None else tail.raw

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
        self._eol = self._eol or line_end(frame.raw) or CRLF
        return frame.raw or event(frame.data, self._eol)
