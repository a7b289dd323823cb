"""The type of a picture by its bytes."""

import pytest

from gemproxy.core.picture import TAKEN, Picture, type_of


@pytest.mark.parametrize(
    ("head", "mime"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0\x00\x10", "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"\x00\x00\x00\x18ftypheic", "image/heic"),
        (b"\x00\x00\x00\x18ftypmif1", "image/heif"),
        (b"GIF89a\x01\x00", "image/gif"),
        (b"\x00\x00\x00\x18ftypmp42", None),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", None),
        (b"\x89PNG", None),
        (b"", None),
    ],
)
def test_the_bytes_decide(head: bytes, mime: str | None) -> None:
    assert type_of(head) == mime


def test_gemini_takes_no_gif() -> None:
    assert "image/gif" not in TAKEN


def test_the_bytes_of_a_picture_are_not_shown() -> None:
    assert "ABC" not in repr(Picture(b"ABC", "image/png"))
