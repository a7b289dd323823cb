"""Server-sent events, cut into frames without changing a byte.

The line rules are those of the WHATWG HTML standard, section "Server-sent events":
lines end in CR, LF or CRLF in any mixture, a blank line ends an event, one leading
BOM is skipped, the values of the ``data`` lines are joined with LF. Two things differ
from a browser, because a proxy has to pass on what it reads:

- Every byte of the stream belongs to the ``raw`` of exactly one frame. A blank line
  that ends no event is a frame of its own, with no data.
- Gemini can end a stream with a bare JSON error outside SSE framing. A block without
  a ``data`` line that starts with a brace or a bracket has this JSON as its data.

Nothing is decoded to text: a chunk may end inside a character, a frame does not.

Most frames are one ``data: `` line and the same blank line as the frame before. These
are cut with ``bytes.find`` alone; everything else goes through the rules above. No byte
is looked at more than a few times, whatever the stream looks like: unfinished frames
are collected and searched from where the last search stopped, and the fast search for
a blank line is only made right behind a frame that ended in this same blank line.
"""

import io
import re

import attrs

from gemproxy.core.wire.flow import Flow, take
from gemproxy.core.wire.frame import Data, Frame, FrameTooLarge

CRLF = b"\r\n"
"""The line end of Gemini's event streams."""

_BOM = b"\xef\xbb\xbf"
_LF = 0x0A
_CR = 0x0D
_PLAIN_START = b"data: "

# A CR with nothing behind it may be half of a CRLF: it is no line end yet.
_LINE_END = re.compile(rb"\r?\n|\r(?=[^\n])")
# A line end and the blank line behind it. Of a CRLF in the first place the LF is enough,
# so the search may begin inside of it.
_LINE_END_AND_BLANK_LINE = re.compile(rb"(?:\n|\r(?!\n))(?:\r?\n|\r(?=[^\n]))")
# What a search has to see again: the last byte of a line end, and a CR in doubt behind it.
_OVERLAP = 2
# An unfinished frame of no more bytes is searched from its beginning.
_SHORT = 4096
# An unfinished frame of more bytes is no plain text.
_LARGE = 1 << 18


@attrs.define(eq=False)
class SSEDecoder:
    """Cuts one SSE body into frames; see frame.Decoder.

    ``max_frame`` is the cap on an unfinished frame in bytes. After FrameTooLarge the
    decoder is of no further use.
    """

    max_frame: int = 64 << 20
    # The unfinished frame as it came; there is no blank line in it, save for a CR in doubt at
    # its end. A buffer that grows in place, and gives away what it holds without a copy.
    _pending: io.BytesIO = attrs.field(init=False, repr=False, factory=io.BytesIO)
    _size: int = attrs.field(init=False, default=0)
    # How many of its first bytes are known to hold no line end.
    _clear: int = attrs.field(init=False, default=0)
    _last: bytes = attrs.field(init=False, repr=False, default=b"")
    # The two line ends that end the next frame if it is like the last; empty: do not guess.
    _separator: bytes = attrs.field(init=False, default=CRLF + CRLF)
    # The line end of the first frame; empty until there was one.
    _eol: bytes = attrs.field(init=False, default=b"")

    def flow(self, data: bytes) -> tuple[Flow | None, bytes]:
        """Take the plain events that come first, if any; return them and what is to be fed."""
        if not self._separator or self._size > _LARGE:
            return None, data
        if self._size:
            data = self._collect(data)
        taken = take(data, self._separator)
        if taken is None:
            return None, data
        self._eol = self._eol or line_end(self._separator)
        return taken, data[len(taken.raw) :]

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that ``data`` completes; raise FrameTooLarge beyond the cap."""
        clear = self._clear
        if self._size:
            data = self._collect(data)
        frames: list[Frame] = []
        start = self._cut_plain(data, 0, frames, clear)
        if start < len(data):
            self._cut(data, start, frames)
        if frames and not self._eol:
            self._eol = line_end(frames[0].raw)
        return frames

    def close(self) -> Frame | None:
        """Return what is left at the end of the body, or None when nothing is.

        A rest that carries data, whole or cut, is completed with the line ends it lacks.
        Whether the data is whole, only decoding it can tell. A rest without data comes as
        it is and is not fit to be followed by another frame.
        """
        rest = self._joined()
        if not rest:
            return None
        data = _payload(rest[self._skip(rest, 0) :])
        if data is None:
            return Frame(rest, None)
        return Frame(_completed(rest, self._eol or _first_line_end(rest)), data)

    def _collect(self, data: bytes) -> bytes:
        """Add ``data`` to the unfinished frame; return all of it once a blank line came."""
        if self._size <= _SHORT:
            whole = self._joined() + data
            if self._end(whole, 0) >= 0:
                return whole
            self._keep(whole, _first_break(whole, 0))
            return b""
        breaks = _first_break(data, 0)
        begun = self._last + data if breaks >= 0 or self._last.endswith(b"\r") else b""
        if _LINE_END_AND_BLANK_LINE.search(begun, max(breaks, 0)):
            self._pending.write(data)
            return self._joined()
        self._keep(data, breaks)
        return b""

    def _keep(self, data: bytes, breaks: int) -> None:
        """Add to the unfinished frame; raise FrameTooLarge beyond the cap.

        ``breaks`` is the offset of the first CR or LF, or -1.
        """
        if self._clear == self._size:
            self._clear += len(data) if breaks < 0 else breaks
        self._pending.write(data)
        self._last = (self._last + data[-_OVERLAP:])[-_OVERLAP:]
        self._size += len(data)
        if self._size > self.max_frame:
            raise FrameTooLarge(f"An event passed {self.max_frame} bytes without an end.")

    def _joined(self) -> bytes:
        """Take all of the unfinished frame."""
        whole = self._pending.getvalue()
        self._pending = io.BytesIO()
        self._last, self._size, self._clear = b"", 0, 0
        return whole

    def _cut(self, buffer: bytes, start: int, frames: list[Frame]) -> None:
        """Append the frames from ``start`` on by the general rules; keep what has no end."""
        while (end := self._end(buffer, start)) >= 0:
            raw = buffer[start:end]
            frames.append(Frame(raw, _payload(raw[self._skip(buffer, start) :])))
            self._separator = _separator(raw)
            start = self._cut_plain(buffer, end, frames)
        if start < len(buffer):
            self._keep(buffer[start:], _first_break(buffer, start) - start)

    def _cut_plain(self, buffer: bytes, start: int, frames: list[Frame], clear: int = 0) -> int:
        """Append frames while each is one ``data: `` line and the separator.

        There is no line end before ``clear``, which saves looking for one in an image.
        Returns the offset of the first byte that is left for the general rules.
        """
        separator = self._separator
        if not separator:
            return start
        mark = separator[:1]
        width = len(separator)
        other = _LF if mark == b"\r" else _CR  # found as an integer several times faster
        seek = max(start, clear)
        while buffer.startswith(_PLAIN_START, start):
            end = buffer.find(mark, seek)
            if not buffer.startswith(separator, end):  # nor at -1: it is longer than a byte
                break
            if buffer.find(other, seek, end) >= 0:
                break
            end += width
            raw = buffer[start:end]
            data = raw[6:-width] if len(raw) <= _LARGE else memoryview(raw)[6:-width]
            frames.append(Frame(raw, data))
            start = seek = end
        return start

    def _end(self, buffer: bytes, start: int) -> int:
        """Return the offset behind the frame at ``start``, or -1 while it has no end."""
        breaks = _first_break(buffer, start)
        if breaks < 0:
            return -1
        found = _LINE_END.match(buffer, start + self._skip(buffer, start))
        found = found or _LINE_END_AND_BLANK_LINE.search(buffer, breaks)
        return found.end() if found else -1

    def _skip(self, buffer: bytes, start: int) -> int:
        """Return the length of the BOM at ``start``: one counts, at the start of the stream."""
        at_start = start == 0 and not self._eol
        return len(_BOM) if at_start and buffer.startswith(_BOM) else 0


def event(payload: Data, eol: bytes) -> bytes:
    """Return the event that carries ``payload``, which has to be one line, with these line ends."""
    return b"data: " + payload + eol + eol


def line_end(raw: bytes) -> bytes:
    """Return the line end of the last line of ``raw``, or nothing if that has none."""
    if raw.endswith(CRLF):
        return CRLF
    return raw[-1:] if raw.endswith((b"\n", b"\r")) else b""


def _first_break(buffer: bytes, start: int) -> int:
    """Return the offset of the first CR or LF from ``start`` on, or -1.

    Spares the pieces of a large event the regex, which is a hundred times slower.
    """
    newline, carriage = buffer.find(b"\n", start), buffer.find(b"\r", start)
    return max(newline, carriage) if newline < 0 or carriage < 0 else min(newline, carriage)


def _payload(block: bytes) -> bytes | None:
    """Return the data of the event in ``block``, or the JSON that stands there unframed."""
    if block.startswith(_PLAIN_START):
        end = _first_break(block, 0)
        if not block[end:].strip(b"\r\n"):  # one line: an image is spared the search for others
            return block[len(_PLAIN_START) : end]
    values = [
        line[6:] if line.startswith(_PLAIN_START) else line[5:]
        for line in block.splitlines()
        if line.startswith(b"data:") or line == b"data"
    ]
    if values:
        return b"\n".join(values)
    text = block.strip()
    return text if text.startswith((b"{", b"[")) else None


def _separator(raw: bytes) -> bytes:
    """Return the two line ends that end ``raw`` if the fast path can look for them."""
    if raw.endswith(b"\r\n\r\n"):
        return b"\r\n\r\n"
    return b"\n\n" if raw.endswith(b"\n\n") else b""


def _first_line_end(rest: bytes) -> bytes:
    """Return the first line end of ``rest``, or Gemini's when there is none."""
    found = _LINE_END.search(rest)
    return found[0] if found else CRLF


def _completed(rest: bytes, eol: bytes) -> bytes:
    """Return ``rest`` with what it lacks to end in a blank line."""
    if rest.endswith(b"\r") and eol != b"\r":
        rest += b"\n"  # the other half of a CRLF; behind a bare CR it would merge with an LF
    last = rest.splitlines(keepends=True)[-1]
    if not last.strip(b"\r\n"):
        return rest
    return rest + (eol if last.endswith((b"\n", b"\r")) else eol + eol)
