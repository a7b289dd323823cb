r"""The JSON array that Gemini streams without ``alt=sse``, cut into its elements.

The stream is ``[{...}\n,\r\n{...}\n]``, pretty printed, with chunks that end anywhere.
An element is a frame as soon as its last brace is there; what stands before it belongs
to its ``raw``. An error body is a bare object instead of an array and is cut the same way.

Only braces and strings are looked at, so an element that is not valid JSON is passed on
for the caller to decode and refuse. Where neither an element nor a separator stands, the
rest of the stream is garbage: it is kept, and ``close()`` returns it as data that decodes
to no object, unless it is taken away before. A byte order mark at the start is passed over.
"""

import re

import attrs

from gemproxy.core.wire.flow import Flow
from gemproxy.core.wire.frame import Frame, FrameTooLarge

_BOM = b"\xef\xbb\xbf"
_NO_SEPARATOR = re.compile(rb"[^\[, \t\r\n]")
# The next brace or quote, but past short strings without escapes: they are most of an
# element. Long strings are left to bytes.find, which is far faster on them. The second
# bound keeps small what the regex has to remember.
_NEXT = re.compile(rb'[^{}"]*(?:"[^"\\]{0,64}"[^{}"]*){0,32}[{}"]')
_OPEN, _QUOTE, _BACKSLASH = b'{"\\'


@attrs.define(eq=False)
class JSONArrayDecoder:
    """Cuts one JSON array into frames; see frame.Decoder.

    ``max_frame`` is the cap on an unfinished element in bytes. After FrameTooLarge the
    decoder is of no further use.
    """

    max_frame: int = 64 << 20
    # What is in no frame yet, and how much of it was looked at.
    _pending: bytearray = attrs.field(init=False, repr=False, factory=bytearray)
    _scanned: int = attrs.field(init=False, default=0)
    # Where the element (or the garbage) begins in there, once it has begun.
    _start: int | None = attrs.field(init=False, default=None)
    _depth: int = attrs.field(init=False, default=0)
    _in_string: bool = attrs.field(init=False, default=False)
    # The closing bracket was seen, or garbage: there are no more elements.
    _over: bool = attrs.field(init=False, default=False)
    # The first bytes may be a byte order mark.
    _at_start: bool = attrs.field(init=False, default=True)

    def flow(self, data: bytes) -> tuple[Flow | None, bytes]:
        """Take nothing: this framing is too rare for a hot path."""
        return None, data

    def feed(self, data: bytes) -> list[Frame]:
        """Return the elements that ``data`` completes; raise FrameTooLarge beyond the cap."""
        self._pending += data
        frames: list[Frame] = []
        while self._has_begun() and self._has_ended():
            frames.append(self._take())
        if len(self._pending) > self.max_frame:
            raise FrameTooLarge(f"An element passed {self.max_frame} bytes without an end.")
        return frames

    @property
    def pending(self) -> bytes:
        """What is in no frame yet."""
        return bytes(self._pending)

    @property
    def stray(self) -> bytes:
        """The first byte of what is neither an element nor a separator; empty where none came."""
        return bytes(self._pending[self._start :][:1]) if self._is_garbage else b""

    def leave(self) -> bytes:
        """Take away the garbage, for another decoder; what stands before it is lost."""
        rest = bytes(self._pending[self._start :])
        self._pending.clear()
        self._start = None
        return rest

    @property
    def _is_garbage(self) -> bool:
        return self._over and self._start is not None

    def close(self) -> Frame | None:
        """Return what is left at the end of the body, or None when nothing is.

        The closing bracket with all behind it has no data. Half an element and garbage
        are their own data.
        """
        raw = bytes(self._pending)
        self._pending.clear()
        if not raw:
            return None
        return Frame(raw, None if self._start is None else raw[self._start :])

    def _has_begun(self) -> bool:
        """Say whether there is an element; skip the separators before it."""
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
        """Say whether the start is known; skip the byte order mark that it may be."""
        if _BOM.startswith(self._pending) and len(self._pending) < len(_BOM):
            return False
        self._at_start = False
        if self._pending.startswith(_BOM):
            self._scanned = len(_BOM)
        return True

    def _has_ended(self) -> bool:
        """Say whether the element is complete; go on from where the last look ended."""
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
        """Say whether the string is complete; if it is, go on behind it."""
        pending = self._pending
        while (quote := pending.find(_QUOTE, self._scanned)) >= 0:
            self._scanned = quote + 1
            if not _is_escaped(pending, quote):
                self._in_string = False
                return True
        self._scanned = len(pending)
        return False

    def _take(self) -> Frame:
        """Cut off the element that ends where the scan has stopped."""
        raw = bytes(self._pending[: self._scanned])
        frame = Frame(raw, raw[self._start :])
        del self._pending[: self._scanned]
        self._scanned = 0
        self._start = None
        return frame


def _is_escaped(text: bytearray, quote: int) -> bool:
    """Say whether an odd number of backslashes stands before ``quote``, inside a string."""
    before = quote - 1
    while text[before] == _BACKSLASH:
        before -= 1
    return (quote - before) % 2 == 0
