"""A large frame without the bytes of its images, for the decoder that does not need them.

An image comes as one JSON string of base64, often all but a few hundred bytes of its frame.
A JSON decoder that skips it still walks through it, several times slower than its closing
quote is found. What is left out was ASCII without a backslash, so that what is left is JSON
exactly where the whole frame is, save for control characters in the string.
"""

import re

from gemproxy.core.wire.frame import Data

_NAME = b'"inlineData"'
_UP_TO_ITS_BYTES = re.compile(
    _NAME + rb"""\s*:\s*\{\s*(?:"mimeType"\s*:\s*"[^"\\]{0,256}"\s*,\s*)?"data"\s*:\s*"(?=[^"])"""
)
# The unescaped quote before the name opens a string or closes one; what follows it allows
# only the first. Inside a string there are none.


def without_images(data: memoryview) -> Data:
    """Return the JSON text ``data``, a view of its frame, with empty images, or ``data`` itself."""
    whole = data.obj
    if bytes(data[:1]) != b"{" or not isinstance(whole, bytes) or not whole.isascii():
        return data
    first = start = whole.index(b"{")  # what a frame has before its data holds no brace
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
