r"""The JSON array that Gemini streams without ``alt=sse``, cut into its elements.

The stream is ``[{...}\n,\r\n{...}\n]``, pretty printed, in chunks of any size. An element is a
frame as soon as its last brace has come; its ``raw`` includes the separators before it. An error
body is a bare object instead of an array and is cut in the same way.

The decoder reads only braces and strings, so an element that is not valid JSON is passed on for the
caller to decode and refuse. If neither an element nor a separator comes, the rest of the stream is
garbage: the decoder keeps it, and ``close()`` returns it as data that decodes to no object, unless
``leave()`` took it before. A byte order mark at the start is skipped.
"""

import re

import attrs

from gemproxy.core.wire.flow import Flow
from gemproxy.core.wire.frame import Frame, FrameTooLarge

_BOM = b"\xef\xbb\xbf"
_NO_SEPARATOR = re.compile(rb"[^\[, \t\r\n]")
# The next brace or quote, skipping short strings without escapes, which are most of an element.
# bytes.find handles long strings much faster. The second bound limits the regex's memory.
_NEXT = re.compile(rb'[^{}"]*(?:"[^"\\]{0,64}"[^{}"]*){0,32}[{}"]')
_OPEN, _QUOTE, _BACKSLASH = b'{"\\'


@attrs.define(eq=False)
class JSONArrayDecoder:
    """Cuts one JSON array into frames; see frame.Decoder.

    ``max_frame`` is the size limit of an unfinished element in bytes. After FrameTooLarge the
    decoder must not be used again.
    """

    max_frame: int = 64 << 20
    # The bytes that are in no frame yet, and how many of them were scanned.
    _pending: bytearray = attrs.field(init=False, repr=False, factory=bytearray)
    _scanned: int = attrs.field(init=False, default=0)
    # The offset in there where the element (or the garbage) begins, once it has begun.
    _start: int | None = attrs.field(init=False, default=None)
    _depth: int = attrs.field(init=False, default=0)
    _in_string: bool = attrs.field(init=False, default=False)
    # The closing bracket or garbage has come, so no more elements follow.
    _over: bool = attrs.field(init=False, default=False)
    # The first bytes may be a byte order mark.
    _at_start: bool = attrs.field(init=False, default=True)

    def flow(self, data: bytes) -> tuple[Flow | None, bytes]:
        """Return no events: this framing is too rare for a hot path."""
        return None, data

    def feed(self, data: bytes) -> list[Frame]:
        """Return the elements that ``data`` completes; raise FrameTooLarge beyond the limit."""
        self._pending += data
        frames: list[Frame] = []
        while self._has_begun() and self._has_ended():
            frames.append(self._take())
        if len(self._pending) > self.max_frame:
            raise FrameTooLarge(f"An element passed {self.max_frame} bytes without an end.")
        return frames

    @property
    def pending(self) -> bytes:
        """The bytes that are in no frame yet."""
        return bytes(self._pending)

    @property
    def stray(self) -> bytes:
        """The first byte of the garbage; empty if no garbage has come."""
        return bytes(self._pending[self._start :][:1]) if self._is_garbage else b""

    def leave(self) -> bytes:
        """Remove and return the garbage, for another decoder; bytes before it are dropped."""
        rest = bytes(self._pending[self._start :])
        self._pending.clear()
        self._start = None
        return rest

    @property
    def _is_garbage(self) -> bool:
        return self._over and self._start is not None

    def close(self) -> Frame | None:
        """Return the rest at the end of the body as a frame, or None if there is none.

        The closing bracket with all behind it has no data. Half an element and garbage
        are their own data.
        """
        raw = bytes(self._pending)
        self._pending.clear()
        if not raw:
            return None
        return Frame(raw, None if self._start is None else raw[self._start :])

    def _has_begun(self) -> bool:
        """Return whether an element has begun; skip the separators before it."""
        if self._over or self._start is not None:
            return not self._over
        if self._at_start and not self._passes_mark():
            return False
        found = _NO_SEPARATOR.search(self._pending, self._scanned)
        if found is None:
            self._scanned = len(self._pending)
            return False
        self._scanned = found.start()
        self._over = found[0] != b"{"
        if found[0] != b"]":
            self._start = found.start()
        return not self._over

    def _passes_mark(self) -> bool:
        """Return whether the start is known; skip a byte order mark."""
        if _BOM.startswith(self._pending) and len(self._pending) < len(_BOM):
            return False
        self._at_start = False
        if self._pending.startswith(_BOM):
            self._scanned = len(_BOM)
        return True

    def _has_ended(self) -> bool:
        """Return whether the element is complete; continue where the last scan ended."""
        while not self._in_string or self._leave_string():
            found = _NEXT.match(self._pending, self._scanned)
            if found is None:
                self._scanned = len(self._pending)
                return False
            self._scanned = found.end()
            byte = self._pending[found.end() - 1]
            if byte == _QUOTE:
                self._in_string = True
                continue
            self._depth += 1 if byte == _OPEN else -1
            if self._depth == 0:
                return True
        return False

    def _leave_string(self) -> bool:
        """Return whether the string is complete; if it is, move past it."""
        pending = self._pending
        while (quote := pending.find(_QUOTE, self._scanned)) >= 0:
            self._scanned = quote + 1
            if not _is_escaped(pending, quote):
                self._in_string = False
                return True
        self._scanned = len(pending)
        return False

    def _take(self) -> Frame:
        """Return the element that ends where the scan stopped, as a frame."""
        raw = bytes(self._pending[: self._scanned])
        frame = Frame(raw, raw[self._start :])
        del self._pending[: self._scanned]
        self._scanned = 0
        self._start = None
        return frame


def _is_escaped(text: bytearray, quote: int) -> bool:
    """Return whether an odd number of backslashes stands before ``quote`` in a string."""
    before = quote - 1
    while text[before] == _BACKSLASH:
        before -= 1
    return (quote - before) % 2 == 0
