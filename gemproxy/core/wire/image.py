"""A large frame without the base64 of its images, for a decoder that ignores them.

An image is one JSON string of base64, often all but a few hundred bytes of its frame. A JSON
decoder that skips the string still walks through it; ``bytes.find`` reaches its closing quote
several times faster. Only ASCII without a backslash is removed, so the shortened text is JSON
exactly if the whole frame is, except for control characters in the string.
"""

import re

from gemproxy.core.wire.frame import Data

_NAME = b'"inlineData"'
_UP_TO_ITS_BYTES = re.compile(
    _NAME + rb"""\s*:\s*\{\s*(?:"mimeType"\s*:\s*"[^"\\]{0,256}"\s*,\s*)?"data"\s*:\s*"(?=[^"])"""
)
# The unescaped quote before the name opens or closes a string; the text after it allows only
# the former. Inside a string there is no such quote.


def without_images(data: memoryview) -> Data:
    """Return the JSON text ``data``, a view of its frame, with images emptied, or ``data``."""
    whole = data.obj
    if bytes(data[:1]) != b"{" or not isinstance(whole, bytes) or not whole.isascii():
        return data
    first = start = whole.index(b"{")  # no brace stands before the data of a frame
    pieces: list[bytes] = []
    while (name := whole.find(_NAME, start)) >= 0:
        image = _UP_TO_ITS_BYTES.match(whole, name)
        begin = image.end() if image else name + len(_NAME)
        end = whole.find(b'"', begin) if image else begin
        if end < 0 or whole.find(b"\\", begin, end) >= 0:
            return data
        pieces.append(whole[start:begin])
        start = end
    pieces.append(whole[start : first + len(data)])
    return b"".join(pieces) if first < start else data
