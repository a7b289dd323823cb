"""A large frame without the base64 of its images, for a decoder that ignores them.

An image is one JSON string of base64, often all but a few hundred bytes of its frame. A JSON
decoder that skips the string still walks through it; ``bytes.find`` reaches its closing quote
several times faster. Only ASCII without a backslash is removed, so the shortened text is JSON
exactly if the whole frame is, except for control characters in the string.

``lifted`` does the same for a whole answer and keeps the base64, so that an answer with a picture
of megabytes is decoded, judged and passed on without a copy of it.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Protocol

import attrs

from gemproxy.core.wire.frame import Data

_NAME = b'"inlineData"'
_UP_TO_ITS_BYTES = re.compile(
    _NAME + rb"""\s*:\s*\{\s*(?:"mimeType"\s*:\s*"[^"\\]{0,256}"\s*,\s*)?"data"\s*:\s*"(?=[^"])"""
)
# The unescaped quote before the name opens or closes a string; the text after it allows only
# the former. Inside a string there is no such quote.


_MARK = "@"
"""In front of the number of an image in its place: no character of base64."""

_STANDARD = bytes.maketrans(b"-_", b"+/")
_GROUP = 4
"""Characters of base64 that belong together."""
_SLICE = 1 << 16
"""Bytes that are looked at together."""


class Searchable(Protocol):
    """Bytes that can be searched without a copy: ``bytes``, a ``bytearray``, mapped memory."""

    def find(self, sub: bytes, start: int, end: int, /) -> int:
        """Return where ``sub`` stands between two places, -1 if it does not."""

    def __buffer__(self, flags: int, /) -> memoryview:
        """Return the bytes."""


class _Unplain(Exception):
    """The base64 of an image that is no plain JSON string."""


def without_images(data: memoryview) -> Data:
    """Return the JSON text ``data``, a view of its frame, with images emptied, or ``data``."""
    whole = data.obj
    if bytes(data[:1]) != b"{" or not isinstance(whole, bytes) or not whole.isascii():
        return data
    first = start = whole.index(b"{")  # no brace stands before the data of a frame
    pieces: list[bytes] = []
    try:
        for begin, end in _images(whole, first):
            pieces.append(whole[start:begin])
            start = end
    except _Unplain:
        return data
    if start == first:
        return data
    pieces.append(whole[start : first + len(data)])
    return b"".join(pieces)


@attrs.frozen
class Lifted:
    """A JSON text with a mark in the place of each image's base64, and what stood there."""

    text: bytes = attrs.field(repr=False)
    _images: Sequence[bytes | memoryview] = attrs.field(default=(), repr=False)

    def found(self, data: str) -> bytes | memoryview | None:
        """Return the base64 for which ``data`` is a mark, None if it is none."""
        mark, _, number = data.partition(_MARK)
        if not mark and number.isdecimal() and int(number) < len(self._images):
            return self._images[int(number)]
        return None

    def image(self, data: str) -> bytes | memoryview:
        """Return the base64 for which ``data``, a string of the text, stands: perhaps itself.

        It is in the standard alphabet and padded, as not every reader takes another one.
        """
        found = self.found(data)
        if found is not None:
            return found
        raw = data.encode("ascii", "replace")
        is_odd = b"-" in raw or b"_" in raw or len(raw) % _GROUP
        return _standard(raw) if is_odd else raw


def lifted(body: Searchable, size: int, start: int = 0) -> Lifted:
    """Lift the images out of an answer, the bytes of ``body`` from ``start`` to ``size``.

    One that is not plain stays as it is. ``body`` stays in use for its images.
    """
    text, images, copied = bytearray(), list[bytes | memoryview](), start
    whole, read = memoryview(body)[:size], start
    try:
        while (name := body.find(_NAME, read, size)) >= 0:
            read = name + len(_NAME)
            image = _UP_TO_ITS_BYTES.match(whole, name)
            if image is None:
                continue
            begin = image.end()
            read, is_odd = _end(whole, begin)
            text += whole[copied:begin]
            text += f"{_MARK}{len(images)}".encode()
            images.append(_standard(bytes(whole[begin:read])) if is_odd else whole[begin:read])
            copied = read
    except _Unplain:
        return Lifted(bytes(whole[start:]))
    text += whole[copied:]
    return Lifted(bytes(text), images)


def _images(whole: bytes, start: int) -> Iterator[tuple[int, int]]:
    """Yield where the base64 of each image begins and ends; raise _Unplain."""
    while (name := whole.find(_NAME, start)) >= 0:
        image = _UP_TO_ITS_BYTES.match(whole, name)
        start = begin = image.end() if image else name + len(_NAME)
        if image:
            start = end = whole.find(b'"', begin)
            if end < 0 or whole.find(b"\\", begin, end) >= 0:
                raise _Unplain
            yield begin, end


def _end(whole: memoryview, begin: int) -> tuple[int, bool]:
    """Return where base64 ends, and whether it is in the alphabet for URLs, or lacks its padding.

    Raises _Unplain for what is no plain ASCII. A slice is in the processor's cache for all looks.
    """
    is_odd = False
    for start in range(begin, len(whole), _SLICE):
        piece = bytes(whole[start : start + _SLICE])
        length = piece.find(b'"')
        if length >= 0:
            piece = piece[:length]
        if not piece.isascii() or b"\\" in piece:
            raise _Unplain
        is_odd = is_odd or b"-" in piece or b"_" in piece
        if length >= 0:
            end = start + length
            return end, is_odd or (end - begin) % _GROUP > 0
    raise _Unplain


def _standard(raw: bytes) -> bytes:
    return raw.translate(_STANDARD) + b"=" * (-len(raw) % _GROUP)
