"""The media type of bytes: what they are decides, then what they are called.

Clients name types wrongly or not at all (``image/jpg``, ``png``, nothing), and Gemini refuses a
picture whose bytes are of another type than its name. The types that Gemini takes are those of its
pages on images, audio, video and documents (https://ai.google.dev/gemini-api/docs).
"""

import mimetypes
import re

from gemproxy.core.picture import TAKEN, type_of

_MAGIC = (
    (0, b"%PDF-", "application/pdf"),
    (8, b"WAVE", "audio/wav"),
    (0, b"ID3", "audio/mp3"),
    (0, b"\xff\xfb", "audio/mp3"),
    (0, b"\xff\xf3", "audio/mp3"),
    (0, b"\xff\xf2", "audio/mp3"),
    (0, b"\xff\xfa", "audio/mp3"),
    (0, b"\xff\xf1", "audio/aac"),
    (0, b"\xff\xf9", "audio/aac"),
    (0, b"fLaC", "audio/flac"),
    (0, b"OggS", "audio/ogg"),
    (8, b"AIFF", "audio/aiff"),
    (8, b"AIFC", "audio/aiff"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
)
"""(offset, bytes there, type); WAVE and AIFF stand behind the head of their container."""

_HEADS = {"audio/wav": b"RIFF", "audio/aiff": b"FORM"}

_BRANDS = {
    b"avif": "image/avif",
    b"M4A ": "audio/mp4",
    b"qt  ": "video/quicktime",
}
"""Types by the brand behind ``ftyp`` (ISO/IEC 14496-12); others are video/mp4."""

_FAMILIES = (
    ("video/mp4", "audio/mp4", "audio/m4a", "video/quicktime", "video/3gpp", "video/x-m4v"),
    ("audio/ogg", "video/ogg", "audio/opus"),
    ("video/webm", "audio/webm", "video/x-matroska"),
    ("image/heic", "image/heif"),
)
"""Types that share a container: the bytes fit all of a row, so the name decides among them."""

_ALIASES = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/mpeg": "audio/mp3",
    "audio/mpeg3": "audio/mp3",
    "audio/mpga": "audio/mp3",
    "audio/x-mp3": "audio/mp3",
    "audio/x-aiff": "audio/aiff",
    "audio/x-aac": "audio/aac",
    "audio/x-flac": "audio/flac",
    "audio/x-m4a": "audio/m4a",
    "video/mov": "video/quicktime",
    "application/x-pdf": "application/pdf",
    "text/x-markdown": "text/markdown",
}
_SHORT = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heif",
    "pdf": "application/pdf",
    "wav": "audio/wav",
    "mp3": "audio/mp3",
    "aac": "audio/aac",
    "m4a": "audio/m4a",
    "ogg": "audio/ogg",
    "opus": "audio/opus",
    "flac": "audio/flac",
    "aiff": "audio/aiff",
    "webm": "audio/webm",
    "mp4": "video/mp4",
}
"""Names without a slash, as in ``input_audio.format``."""

_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+")
_KINDS = ("audio/", "video/", "text/")
_TEXT = "text/plain"
_ANYTHING = "application/octet-stream"
_HEAD = 12  # bytes
_BY_NAME = mimetypes.MimeTypes()


class Untaken(ValueError):
    """Gemini does not take this; the text is the rest of a sentence about it."""


def media_type(data: bytes, named: str = "", filename: str = "") -> str:
    """Return the type under which ``data`` goes up; raise Untaken for one that Gemini refuses.

    ``named`` is the type as the client wrote it, with or without parameters.
    """
    asked = _normal(named) or _normal(_BY_NAME.guess_type(filename)[0] or "")
    seen = sniffed(data)
    kind = _among(seen, asked) if seen else asked
    if kind in TAKEN or kind == "application/pdf" or kind.startswith(_KINDS):
        return kind
    if kind != "image/svg+xml" and kind.startswith("image/"):
        raise Untaken(f"is {kind}, which Gemini does not take")
    if _is_text(data):
        return _TEXT
    raise Untaken(f"is {kind}, which Gemini does not take" if kind else "has no type that is known")


def sniffed(data: bytes) -> str:
    """Return the type that the first bytes show, empty if they show none."""
    picture = type_of(data[:_HEAD])
    if picture is not None:
        return picture
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "video/mp4")
    for offset, magic, kind in _MAGIC:
        if data[offset : offset + len(magic)] == magic and data.startswith(_HEADS.get(kind, b"")):
            return kind
    return ""


def type_by_name(name: str, given: str = "") -> str:
    """Return the type of something whose bytes are not here, empty if its name does not say it."""
    return _normal(given) or _normal(_BY_NAME.guess_type(name)[0] or "")


def _normal(named: str) -> str:
    """Return a type in Gemini's spelling, without parameters; empty for what is no type."""
    plain = named.partition(";")[0].strip().lower()
    plain = _SHORT.get(plain, plain)
    known = _TYPE.fullmatch(plain) and plain != _ANYTHING
    return _ALIASES.get(plain, plain) if known else ""


def _among(seen: str, asked: str) -> str:
    shared = any(seen in row and asked in row for row in _FAMILIES)
    return asked if shared else seen


def _is_text(data: bytes) -> bool:
    try:
        return bool(data) and "\0" not in data.decode()
    except UnicodeDecodeError:
        return False
