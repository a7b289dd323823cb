"""Content codings, undone so that an answer can be judged.

The bytes that are passed on stay the upstream's. But a body whose gzip is false or cut short is
an answer that no client can read, behind a status that says 200, so it is looked into before it
goes out. What is checked: every member of a gzip body to its checksum (RFC 1952 section 2.2),
and both things that are called deflate (RFC 9110 section 8.4.1.2). Other codings are not undone.
"""

import zlib
from collections.abc import Iterator

_GZIP = 16 + zlib.MAX_WBITS
_WINDOWS = {"gzip": (_GZIP,), "x-gzip": (_GZIP,), "deflate": (zlib.MAX_WBITS, -zlib.MAX_WBITS)}
_PIECE = 1 << 16


class FalseCoding(Exception):
    """A body that is not what its Content-Encoding says."""


class TooMuch(Exception):
    """A body that is more than the limit once it is undone."""


def decoded(body: bytes, coding: str, limit: int) -> bytes | None:
    """Return ``body`` without its ``coding``, up to ``limit`` bytes; None: not judged.

    None is the answer for a coding that is not undone here, and for a body that is larger than
    the limit. Raises FalseCoding.
    """
    coding = coding.strip().lower()
    if coding in {"", "identity"} or not body:
        return body
    windows = _WINDOWS.get(coding, ())
    for window in windows:
        try:
            return b"".join(_pieces(body, window, limit))
        except TooMuch:
            return None
        except (zlib.error, FalseCoding):
            continue
    if windows:
        raise FalseCoding(coding)
    return None


def _pieces(body: bytes, window: int, limit: int) -> Iterator[bytes]:
    """Yield what one stream after the other holds; raise zlib.error, FalseCoding, TooMuch."""
    while body:
        stream = zlib.decompressobj(window)
        while not stream.eof:
            piece = stream.decompress(body, _PIECE)
            body = stream.unconsumed_tail
            limit -= len(piece)
            if limit < 0:
                raise TooMuch
            if not (piece or body or stream.eof):
                raise FalseCoding("it is cut short")
            yield piece
        body = stream.unused_data.lstrip(b"\0")  # padding, which gzip itself reads over


def beginning(body: bytes, coding: str, limit: int) -> bytes | None:
    """Return up to ``limit`` bytes of what a gzip body holds, None where it is none."""
    if coding.strip().lower() not in {"gzip", "x-gzip"}:
        return None
    try:
        return zlib.decompressobj(_GZIP).decompress(body, limit)
    except zlib.error:
        return None
