"""Types of media: their bytes decide, then their names."""

import pytest

from gemproxy.openai.sniffing import Untaken, media_type, type_by_name


@pytest.mark.parametrize(
    ("head", "named", "mime"),
    [
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/x-wav", "audio/wav"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/png", "image/webp"),
        (b"ID3\x04\0", "audio/mpeg", "audio/mp3"),
        (b"\xff\xfb\x90\x00", "wav", "audio/mp3"),
        (b"FORM\0\0\0\0AIFF", "", "audio/aiff"),
        (b"fLaC\0\0", "", "audio/flac"),
        (b"OggS\0", "video/ogg", "video/ogg"),
        (b"OggS\0", "", "audio/ogg"),
        (b"\0\0\0\x18ftypisom", "", "video/mp4"),
        (b"\0\0\0\x18ftypisom", "audio/mp4", "audio/mp4"),
        (b"\0\0\0\x18ftypM4A ", "m4a", "audio/m4a"),
        (b"\0\0\0\x18ftypheic", "image/jpeg", "image/heic"),
        (b"\x1a\x45\xdf\xa3\0", "audio/webm", "audio/webm"),
        (b"%PDF-1.7", "text/plain", "application/pdf"),
        (b"\0\1raw", "mp3", "audio/mp3"),
        (b"a,b", "text/csv", "text/csv"),
        (b'{"a":1}', "application/json", "text/plain"),
        (b"<svg/>", "image/svg+xml", "text/plain"),
        (b"just text", "", "text/plain"),
    ],
)
def test_the_bytes_decide_the_type(head: bytes, named: str, mime: str) -> None:
    assert media_type(head, named) == mime


@pytest.mark.parametrize(
    ("head", "named"),
    [
        (b"GIF89a", "image/png"),
        (b"BM\0\0", "image/bmp"),
        (b"\0\0\0\x18ftypavif", "image/avif"),
        (b"PK\x03\x04\0\0", "application/zip"),
        (b"\0\1\2", ""),
        (b"", ""),
    ],
)
def test_what_gemini_does_not_take_is_refused(head: bytes, named: str) -> None:
    with pytest.raises(Untaken):
        media_type(head, named)


def test_a_name_says_the_type_of_bytes_that_are_not_here() -> None:
    assert type_by_name("gs://b/a.pdf") == "application/pdf"
    assert type_by_name("files/x", "image/jpg") == "image/jpeg"
    assert type_by_name("files/x") == ""
