"""Server-sent events, cut into frames without changing a byte.

The line rules are those of the WHATWG HTML standard, section "Server-sent events": lines end in CR,
LF or CRLF in any mixture, a blank line ends an event, one leading BOM is skipped, and the values of
the ``data`` lines are joined with LF. Two rules differ from a browser's, because a proxy must pass
on every byte:

- Every byte of the stream belongs to the ``raw`` of exactly one frame. A blank line that ends no
  event is a frame of its own, without data.
- Gemini can end a stream with a bare JSON error outside SSE framing. If a block without a ``data``
  line starts with a brace or a bracket, this JSON is its data.

The decoder works on bytes: a chunk may end inside a character, a frame does not.

Most frames are one ``data: `` line and the same blank line as the frame before. ``bytes.find``
alone cuts these; all others go through the rules above. Each byte is read only a few times for any
stream: unfinished frames are collected and searched from where the last search stopped, and the
fast search for a blank line starts only right after a frame that ended in the same blank line.
"""

import io
import re

import attrs

from gemproxy.core.wire.flow import Flow, take
from gemproxy.core.wire.frame import Data, Frame, FrameTooLarge, line_end

CRLF = b"\r\n"
"""The line end of Gemini's event streams."""

_BOM = b"\xef\xbb\xbf"
_LF = 0x0A
_CR = 0x0D
_PLAIN_START = b"data: "

# A CR at the end of the data may be half of a CRLF, so it is not a line end yet.
_LINE_END = re.compile(rb"\r?\n|\r(?=[^\n])")
# A line end and the blank line after it. The LF of a first CRLF is enough, so the search may
# begin inside it.
_LINE_END_AND_BLANK_LINE = re.compile(rb"(?:\n|\r(?!\n))(?:\r?\n|\r(?=[^\n]))")
# Bytes that a search must read again: the last one of a line end, and an undecided CR after it.
_OVERLAP = 2
# An unfinished frame up to this size is searched from its beginning.
_SHORT = 4096
# An unfinished frame beyond this size is not plain text.
_LARGE = 1 << 18


@attrs.define(eq=False)
class SSEDecoder:
    """Cuts one SSE body into frames; see frame.Decoder.

    ``max_frame`` is the size limit of an unfinished frame in bytes. After FrameTooLarge the
    decoder must not be used again.
    """

    max_frame: int = 64 << 20
    # The unfinished frame as it came. It contains no blank line, except for an undecided CR at its
    # end. The buffer grows in place and returns its content without a copy.
    _pending: io.BytesIO = attrs.field(init=False, repr=False, factory=io.BytesIO)
    _size: int = attrs.field(init=False, default=0)
    # How many of its first bytes are known to contain no line end.
    _clear: int = attrs.field(init=False, default=0)
    _last: bytes = attrs.field(init=False, repr=False, default=b"")
    # The two line ends that end the next frame if it is like the last; empty: unknown.
    _separator: bytes = attrs.field(init=False, default=CRLF + CRLF)
    # The line end of the first frame; empty before it.
    _eol: bytes = attrs.field(init=False, default=b"")

    def flow(self, data: bytes) -> tuple[Flow | None, bytes]:
        """Decode the plain events at the beginning; return them, and the bytes left to feed."""
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
        """Return the frames that ``data`` completes; raise FrameTooLarge beyond the limit."""
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
        """Return the rest at the end of the body as a frame, or None if there is none.

        A rest with data, whole or cut, is completed with the missing line ends; decoding shows
        whether the data is whole. A rest without data is returned unchanged, and no other frame may
        follow it.
        """
        rest = self._joined()
        if not rest:
            return None
        data = _payload(rest[self._skip(rest, 0) :])
        if data is None:
            return Frame(rest, None)
        return Frame(_completed(rest, self._eol or _first_line_end(rest)), data)

    def _collect(self, data: bytes) -> bytes:
        """Add ``data`` to the unfinished frame; return all of it once a blank line has come."""
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
        """Add to the unfinished frame; raise FrameTooLarge beyond the limit.

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
        """Remove and return the unfinished frame."""
        whole = self._pending.getvalue()
        self._pending = io.BytesIO()
        self._last, self._size, self._clear = b"", 0, 0
        return whole

    def _cut(self, buffer: bytes, start: int, frames: list[Frame]) -> None:
        """Append the frames from ``start`` on by the general rules; keep an unfinished rest."""
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
        """Return the offset after the frame at ``start``, or -1 while it has no end."""
        breaks = _first_break(buffer, start)
        if breaks < 0:
            return -1
        found = _LINE_END.match(buffer, start + self._skip(buffer, start))
        found = found or _LINE_END_AND_BLANK_LINE.search(buffer, breaks)
        return found.end() if found else -1

    def _skip(self, buffer: bytes, start: int) -> int:
        """Return the length of a BOM at ``start``, which counts only at the stream's start."""
        at_start = start == 0 and not self._eol
        return len(_BOM) if at_start and buffer.startswith(_BOM) else 0


def event(payload: Data, eol: bytes) -> bytes:
    """Return the event with ``payload``, which must be one line, and these line ends."""
    return b"data: " + payload + eol + eol


def _first_break(buffer: bytes, start: int) -> int:
    """Return the offset of the first CR or LF from ``start`` on, or -1.

    Spares the pieces of a large event the regex, which is a hundred times slower.
    """
    newline, carriage = buffer.find(b"\n", start), buffer.find(b"\r", start)
    return max(newline, carriage) if newline < 0 or carriage < 0 else min(newline, carriage)


def _payload(block: bytes) -> bytes | None:
    """Return the data of the event in ``block``, or its unframed JSON."""
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
    """Return the two line ends that end ``raw`` if the fast path can search for them."""
    if raw.endswith(b"\r\n\r\n"):
        return b"\r\n\r\n"
    return b"\n\n" if raw.endswith(b"\n\n") else b""


def _first_line_end(rest: bytes) -> bytes:
    """Return the first line end of ``rest``, or Gemini's if there is none."""
    found = _LINE_END.search(rest)
    return found[0] if found else CRLF


def _completed(rest: bytes, eol: bytes) -> bytes:
    """Return ``rest`` with the line ends that it lacks to end in a blank line."""
    if rest.endswith(b"\r") and eol != b"\r":
        rest += b"\n"  # the other half of a CRLF; behind a bare CR it would merge with an LF
    last = rest.splitlines(keepends=True)[-1]
    if not last.strip(b"\r\n"):
        return rest
    return rest + (eol if last.endswith((b"\n", b"\r")) else eol + eol)
