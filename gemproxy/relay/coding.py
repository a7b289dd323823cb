"""Decodes content codings to check an answer.

The client gets the upstream's bytes. But no client can read a body with invalid or truncated gzip,
although its status is 200, so it is checked before it goes out: every member of a gzip body with
its checksum (RFC 1952 section 2.2), and both formats called deflate (RFC 9110 section 8.4.1.2).
Other codings are not decoded.
"""

import zlib
from collections.abc import Iterator

_GZIP = 16 + zlib.MAX_WBITS
_WINDOWS = {"gzip": (_GZIP,), "x-gzip": (_GZIP,), "deflate": (zlib.MAX_WBITS, -zlib.MAX_WBITS)}
_PIECE = 1 << 16


class FalseCoding(Exception):
    """A body that does not match its Content-Encoding."""


class TooMuch(Exception):
    """A body that exceeds the limit when decoded."""


def decoded(body: bytes, coding: str, limit: int) -> bytes | None:
    """Return the decoded ``body``, up to ``limit`` bytes; None: not checked.

    None is returned for a coding that is not supported here, and for a body larger than the limit.
    Raises FalseCoding.
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
    """Yield the content of each stream; raise zlib.error, FalseCoding, TooMuch."""
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
        body = stream.unused_data.lstrip(b"\0")  # padding, which gzip itself skips


def beginning(body: bytes, coding: str, limit: int) -> bytes | None:
    """Return up to ``limit`` decoded bytes of a gzip body, None if it is not gzip."""
    if coding.strip().lower() not in {"gzip", "x-gzip"}:
        return None
    try:
        return zlib.decompressobj(_GZIP).decompress(body, limit)
    except zlib.error:
        return None
