"""Decodes an answer that comes compressed although nobody asked for that.

The answer is read as it comes, so it is decoded as it comes, at most ``PIECE`` bytes at a time:
a small body may decode to gigabytes. gzip may have several members (RFC 1952 section 2.2), and both
formats called deflate are read (RFC 9110 section 8.4.1.2). ``relay.coding`` checks a whole body.
"""

import zlib

from gemproxy.relay.coding import FalseCoding

PIECE = 1 << 18
"""Bytes of decoded body that are made at a time."""

_GZIP = 16 + zlib.MAX_WBITS
_UNREAD = frozenset({"br", "zstd"})
_ZLIB_METHOD = 8


def unpacking(coding: str) -> "Unpacking | None":
    """Return what decodes a Content-Encoding; None for a body that is read as it is.

    Raises FalseCoding for a coding that needs a package which is no part of gemproxy.
    """
    coding = coding.strip().lower()
    if coding in _UNREAD:
        raise FalseCoding(coding)
    return Unpacking(coding) if coding in {"gzip", "deflate"} else None


class Unpacking:
    """Decodes one body: ``take`` what came, ``give`` what is in it until there is no more."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._rest = b""
        self._full = False
        self._stream: "zlib._Decompress | None" = None  # noqa: UP037 (a name of the stubs)

    def take(self, data: bytes) -> None:
        """Take more of the body as it came."""
        self._rest += data

    def give(self) -> bytes:
        """Return up to PIECE bytes, b"" when more of the body has to come. Raises FalseCoding."""
        try:
            while self._rest or self._full:
                made = self._step()
                if made:
                    return made
        except zlib.error:
            raise FalseCoding(self._coding) from None
        return b""

    def _step(self) -> bytes:
        stream = self._stream
        if stream is None or (stream.eof and not self._full):
            if stream is not None:
                self._rest = self._rest.lstrip(b"\0")  # padding, which gzip itself skips
                if not self._rest:
                    return b""
            stream = self._stream = zlib.decompressobj(self._window())
        made = stream.decompress(self._rest, PIECE)
        self._full = len(made) == PIECE  # zlib may have more without more input
        self._rest = stream.unused_data if stream.eof else stream.unconsumed_tail
        return made

    def _window(self) -> int:
        if self._coding == "gzip":
            return _GZIP
        return zlib.MAX_WBITS if self._rest[0] & 0x0F == _ZLIB_METHOD else -zlib.MAX_WBITS

    def end(self) -> None:
        """Raise FalseCoding for a body that is cut short."""
        if self._stream is not None and not self._stream.eof:
            raise FalseCoding(self._coding)
