"""Reads what an answer cost while it passes by, without a change to it.

What comes in gzip or deflate is unpacked beside, because clients ask for it and get it as it came.
An event stream is read line by line, and a document is kept up to a limit: of a larger one, or of
one that broke off, the last usage that is told behind the limit counts. An answer that tells no
usage is counted by the characters of its text.
"""

import json
import re
import zlib
from collections.abc import Iterator
from typing import Any

import attrs
import msgspec

from gemproxy.core.answer.counted import counted, counted_in
from gemproxy.core.answer.usage import Billed, Characters

_LIMIT = 1 << 20
_LINE = 1 << 20
_END = 1 << 16
_PIECE = 1 << 16
_UNPACKED = 64 << 20
_ANY_WINDOW = zlib.MAX_WBITS | 32
"""gzip or zlib, as the first bytes say."""
_TOLD = re.compile(r'"usage(?:Metadata)?"\s*:\s*(?={)')
_TEXTS = frozenset({"text", "content", "arguments", "reasoning_content", "delta"})
_scan = json.JSONDecoder().raw_decode


@attrs.define(eq=False)
class Bystander:
    """Takes the bytes of one answer; ``events`` says that it is an event stream.

    ``usage`` is the last cost that was told. ``packed`` says that it comes in gzip or deflate.
    ``readable`` is False for an answer that is compressed otherwise, wrongly or too well; its bytes
    count as characters.
    """

    events: bool
    readable: bool = True
    packed: bool = False
    usage: Billed | None = None
    size: int = 0
    _text: Characters = attrs.field(factory=Characters)
    _kept: bytearray = attrs.field(factory=bytearray, repr=False)
    _stream: Any = attrs.field(factory=lambda: zlib.decompressobj(_ANY_WINDOW), repr=False)
    _unpacked: int = 0

    @property
    def output(self) -> int:
        """The tokens of the output, by its characters."""
        return self._text.tokens

    def take(self, data: bytes) -> None:
        """Take what passes by."""
        self.size += len(data)
        if self.readable and self.packed:
            try:
                for piece in self._unpack(data):
                    self._see(piece)
            except zlib.error:
                self.readable = False
        elif self.readable:
            self._see(data)
        if not self.readable:
            self._text.plain += len(data)

    def _unpack(self, data: bytes) -> Iterator[bytes]:
        """Yield what ``data`` contains, in pieces. Raises zlib.error, also for too much."""
        while data:
            piece = self._stream.decompress(data, _PIECE)
            data = self._stream.unconsumed_tail
            self._unpacked += len(piece)
            if self._unpacked > _UNPACKED:
                raise zlib.error("too much")
            yield piece
            if self._stream.eof:  # another member may follow, or padding
                data = self._stream.unused_data.lstrip(b"\0")
                self._stream = zlib.decompressobj(_ANY_WINDOW)

    def _see(self, data: bytes) -> None:
        self._kept += data
        if self.events:
            lines = bytes(self._kept).split(b"\n")
            self._kept[:] = lines.pop()
            for line in lines:
                self._read(line)
            if len(self._kept) > _LINE:
                self._kept.clear()
        elif len(self._kept) > _LIMIT:
            del self._kept[:-_END]

    def close(self) -> None:
        """Take the end of the answer, whole or not."""
        kept = bytes(self._kept)
        self._kept.clear()
        if self.events:
            self._read(kept)
        elif kept:
            self.usage = counted_in(kept) or _last_told(kept)
            if self.usage is None:
                self._count(kept)

    def _read(self, line: bytes) -> None:
        """Read a line of an event stream."""
        if not line.startswith(b"data:"):
            return
        data = line[5:].strip()
        if b'"usage' in data:
            self.usage = counted_in(data) or self.usage
        if self.usage is None or not self.usage.output:
            self._count(data)

    def _count(self, document: bytes) -> None:
        try:
            said = msgspec.json.decode(document)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        for text in _texts(said):
            self._text.add(text)


def _texts(document: Any) -> Iterator[str]:  # noqa: ANN401 - JSON is any
    """Yield the strings that the model has said."""
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            for name, member in value.items():
                if isinstance(member, str):
                    if name in _TEXTS:
                        yield member
                else:
                    waiting.append(member)


def _last_told(document: bytes) -> Billed | None:
    """Return the last usage in a text that is no whole document."""
    text = document[-_END:].decode("utf-8", "replace")
    found: Billed | None = None
    for place in _TOLD.finditer(text):
        try:
            usage, _ = _scan(text, place.end())
        except (ValueError, RecursionError):
            continue
        found = counted(usage) or found
    return found
