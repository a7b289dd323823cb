"""A picture as Gemini gets it, and the type of a picture by its bytes.

Clients write types that are wrong, empty or misspelt, and Gemini refuses a type that its bytes do
not have, so the bytes decide. Sources: PNG (W3C), JPEG (ITU T.81), WebP (RFC 9649), GIF89a, and
ISO 23008-12 for HEIC and HEIF. The types that Gemini takes: https://ai.google.dev/gemini-api/docs/
image-understanding.
"""

import attrs

TAKEN = frozenset({"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"})
"""The types of pictures that Gemini takes."""

_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), "image/heic"),
    **dict.fromkeys((b"mif1", b"msf1"), "image/heif"),
}
"""The major brand of an ISO file -> its type: HEVC inside is HEIC, the general brand HEIF."""


@attrs.frozen
class Picture:
    """The bytes of a picture, and their MIME type."""

    data: bytes = attrs.field(repr=False)
    mime: str


def type_of(head: bytes) -> str | None:
    """Return the MIME type of a picture that begins with ``head``, None if it is none we know.

    12 bytes are enough.
    """
    for beginning, mime in _BEGINNINGS:
        if head.startswith(beginning):
            return mime
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return _BRANDS.get(head[8:12]) if head[4:8] == b"ftyp" else None
