"""How large pictures, sound, films and documents are, from the head of their bytes.

A header that is cheap to read says the dimensions of a picture, the seconds of sound or of a film,
the pages of a PDF. None is decoded. What cannot be read, or has no such header, is None, and the
caller judges it by its bytes. Sources: PNG (W3C), GIF89a, JPEG (ITU T.81), WebP, ISO 14496-12 for
MP4 and HEIC, RIFF, FLAC, MPEG audio, Matroska, and PDF 32000.
"""

import re
import struct
from collections.abc import Iterator

import attrs

_HEAD = 1 << 12
_MANY_SEGMENTS = 256
MOST_PAGES = 1000
"""Google takes documents of up to 1000 pages."""
_PAGE = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
_COUNT = re.compile(rb"/Count\s+(\d{1,5})|/Linearized[^>]{0,200}?/N\s+(\d{1,5})")
_EXTENDED = 2**32 - 1
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""JPEG's markers of a frame, SOF0 to SOF15."""
_MPEG_VERSIONS = {3: 1, 2: 2, 0: 2}
_MPEG_RATES = {
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""kbit/s of layer III, by the version of MPEG."""
_MPEG_SAMPLES = {1: (44100, 48000, 32000), 2: (22050, 24000, 16000)}


@attrs.frozen
class Size:
    """The dimensions of a picture in pixels."""

    width: int
    height: int


def size_of(head: bytes) -> Size | None:
    """Return the dimensions of a picture whose bytes begin with ``head``, None if unread."""
    for read in (_png, _gif, _jpeg, _webp, _heif):
        try:
            found = read(head)
        except (struct.error, IndexError):
            continue
        if found is not None and found.width > 0 and found.height > 0:
            return found
    return None


def seconds_of(head: bytes, size: int) -> float | None:
    """Return the seconds of sound or of a film of ``size`` bytes that begin with ``head``."""
    for read in (_wav, _flac, _iso, _matroska, _mpeg):
        try:
            found = read(head, size)
        except (struct.error, IndexError, ZeroDivisionError, OverflowError):
            continue
        if found is not None and 0 < found < float("inf"):
            return found
    return None


def pages_of(document: bytes) -> int | None:
    """Return the pages of a PDF as far as its text names them, None if it names none."""
    pages = max(len(_PAGE.findall(document)), counted_pages(document) or 0)
    return min(pages, MOST_PAGES) if pages else None


def counted_pages(document: bytes) -> int | None:
    """Return the largest count of pages in a part of a PDF, None if there is none."""
    named = [int(tree or linearized) for tree, linearized in _COUNT.findall(document)]
    pages = max(named, default=0)
    return min(pages, MOST_PAGES) if pages else None


def _png(head: bytes) -> Size | None:
    if head[:8] != b"\x89PNG\r\n\x1a\n":
        return None
    return Size(*struct.unpack_from(">II", head, 16))


def _gif(head: bytes) -> Size | None:
    if head[:4] != b"GIF8":
        return None
    return Size(*struct.unpack_from("<HH", head, 6))


def _jpeg(head: bytes) -> Size | None:
    if head[:2] != b"\xff\xd8":
        return None
    at = 2
    for _ in range(_MANY_SEGMENTS):
        while head[at] == 0xFF and head[at + 1] == 0xFF:  # noqa: PLR2004 - a filling byte
            at += 1
        marker = head[at + 1]
        if head[at] != 0xFF:  # noqa: PLR2004 - no marker
            return None
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", head, at + 5)
            return Size(width, height)
        at += 2 + struct.unpack_from(">H", head, at + 2)[0]
    return None


def _webp(head: bytes) -> Size | None:
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        return None
    kind = head[12:16]
    if kind == b"VP8X":
        return Size(*(int.from_bytes(head[at : at + 3], "little") + 1 for at in (24, 27)))
    if kind == b"VP8L":
        packed = struct.unpack_from("<I", head, 21)[0]
        return Size((packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", head, 26)
        return Size(width & 0x3FFF, height & 0x3FFF)
    return None


def _heif(head: bytes) -> Size | None:
    """Return the largest extent that is named: thumbnails and tiles have extents, too."""
    if head[4:8] != b"ftyp":
        return None
    sizes = [Size(*struct.unpack_from(">II", head, at + 8)) for at in _places(head, b"ispe")]
    return max(sizes, key=lambda size: size.width * size.height, default=None)


def _places(head: bytes, name: bytes) -> Iterator[int]:
    at = head.find(name)
    while at >= 0:
        yield at
        at = head.find(name, at + 1)


def _wav(head: bytes, size: int) -> float | None:
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    at = head.index(b"fmt ") if b"fmt " in head else len(head)
    rate: int = struct.unpack_from("<I", head, at + 16)[0]
    return size / rate


def _flac(head: bytes, _size: int) -> float | None:
    if head[:4] != b"fLaC":
        return None
    packed = int.from_bytes(head[18:26], "big")
    return (packed & (1 << 36) - 1) / (packed >> 44)


def _iso(head: bytes, _size: int) -> float | None:
    """Return the duration in the movie header of MP4, MOV or M4A, where it is in the head."""
    at = head.find(b"mvhd")
    if head[4:8] != b"ftyp" or at < 0:
        return None
    if head[at + 4] == 1:
        scale, duration = struct.unpack_from(">IQ", head, at + 24)
    else:
        scale, duration = struct.unpack_from(">II", head, at + 16)
    return None if duration >= _EXTENDED else duration / scale


def _matroska(head: bytes, _size: int) -> float | None:
    """Return the duration of WebM or Matroska: its element 4489, in units of element 2AD7B1."""
    if head[:4] != b"\x1a\x45\xdf\xa3":
        return None
    head = head[:_HEAD]
    scale, at = 1_000_000, head.find(b"\x2a\xd7\xb1\x83")
    if at >= 0:
        scale = int.from_bytes(head[at + 4 : at + 7], "big")
    for length, form in ((b"\x88", ">d"), (b"\x84", ">f")):
        at = head.find(b"\x44\x89" + length)
        if at >= 0:
            return float(struct.unpack_from(form, head, at + 3)[0]) * scale / 1e9
    return None


def _mpeg(head: bytes, size: int) -> float | None:
    """Return the seconds of MP3, by the count of frames where there is one, else by its rate."""
    at = 0
    if head[:3] == b"ID3":
        parts = head[6:10]
        at = 10 + (parts[0] << 21 | parts[1] << 14 | parts[2] << 7 | parts[3])
    first, second, third = head[at], head[at + 1], head[at + 2]
    version = _MPEG_VERSIONS.get(second >> 3 & 3, 0)
    if first != 0xFF or second & 0xE6 != 0xE2 or not version:  # noqa: PLR2004 - no layer III
        return None
    samples = _MPEG_SAMPLES[version][third >> 2 & 3]
    if second >> 3 & 3 == 0:  # MPEG 2.5 has half the rates of MPEG 2
        samples //= 2
    each = 1152 if version == 1 else 576
    for name in (b"Xing", b"Info"):
        tag = head.find(name, at, at + 64)
        if tag >= 0 and head[tag + 7] & 1:
            return float(struct.unpack_from(">I", head, tag + 8)[0]) * each / samples
    return (size - at) * 8 / (_MPEG_RATES[version][third >> 4] * 1000)
