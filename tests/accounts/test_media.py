"""Sizes, seconds and pages, from the head of a file."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.accounts.media import Size, pages_of, seconds_of, size_of


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height)


def jpeg(width: int, height: int, *before: bytes) -> bytes:
    segments = b"".join(
        b"\xff\xe1" + struct.pack(">H", len(one) + 2) + one for one in (*before, b"Exif")
    )
    return b"\xff\xd8" + segments + b"\xff\xff\xc2\x00\x11\x08" + struct.pack(">HH", height, width)


def box(name: bytes, *content: bytes) -> bytes:
    whole = b"".join(content)
    return struct.pack(">I", 8 + len(whole)) + name + whole


FTYP = box(b"ftyp", b"isom\x00\x00\x02\x00")


def mp4(scale: int, duration: int, *, wide: bool = False) -> bytes:
    form, version = (">QQIQ", b"\x01") if wide else (">IIII", b"\x00")
    return FTYP + box(
        b"moov", box(b"mvhd", version + b"\x00\x00\x00", struct.pack(form, 1, 2, scale, duration))
    )


@pytest.mark.parametrize(
    "head",
    [
        png(640, 480),
        b"GIF89a" + struct.pack("<HH", 640, 480),
        jpeg(640, 480),
        jpeg(640, 480, jpeg(9, 9)),
        b"RIFF\x00\x00\x00\x00WEBPVP8X" + bytes(8) + b"\x7f\x02\x00\xdf\x01\x00",
        b"RIFF\x00\x00\x00\x00WEBPVP8L\x00\x00\x00\x00\x2f" + struct.pack("<I", 479 << 14 | 639),
        b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(10) + struct.pack("<HH", 640, 480),
        FTYP
        + box(b"ispe", bytes(4), struct.pack(">II", 64, 64))
        + box(b"ispe", bytes(4), struct.pack(">II", 640, 480)),
    ],
)
def test_the_size_of_a_picture_is_in_its_head(head: bytes) -> None:
    assert size_of(head) == Size(640, 480)


@pytest.mark.parametrize(
    ("head", "size", "seconds"),
    [
        (
            b"RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00"
            + struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16),
            320_000,
            10,
        ),
        (b"fLaC\x00\x00\x00\x22" + bytes(10) + (44_100 << 44 | 441_000).to_bytes(8, "big"), 9, 10),
        (mp4(1000, 12_500), 9, 12.5),
        (mp4(90_000, 900_000, wide=True), 9, 10),
        (
            b"\x1a\x45\xdf\xa3" + bytes(9) + b"\x2a\xd7\xb1\x83\x0f\x42\x40"
            b"\x44\x89\x88" + struct.pack(">d", 10_000.0),
            9,
            10,
        ),
        (b"\x1a\x45\xdf\xa3\x44\x89\x84" + struct.pack(">f", 2_000.0), 9, 2),
        (b"\xff\xfb\x90\x00", 160_000, 10),  # MPEG 1, 128 kbit/s
        (b"ID3\x04\x00\x00\x00\x00\x00\x02\x00\x00\xff\xf3\x80\x00", 80_012, 10),  # MPEG 2, 64
        (b"\xff\xfb\x90\x00" + bytes(32) + b"Info\x00\x00\x00\x01\x00\x00\x01\x00", 9, 6.687),
    ],
)
def test_the_seconds_are_in_the_head(head: bytes, size: int, seconds: float) -> None:
    assert seconds_of(head, size) == pytest.approx(seconds, rel=1e-3)


@pytest.mark.parametrize(
    ("document", "pages"),
    [
        (b"%PDF-1.4 << /Type /Page >> << /Type/Pages /Kids [] >> <</Type /Page/Parent 1 0 R>>", 2),
        (b"%PDF << /Type /Pages /Count 17 >> << /Type /Page >>", 17),
        (b"%PDF << /Linearized 1 /L 99 /N 31 /T 5 >>", 31),
        (b"%PDF << /Type /Pages /Count 99999 >>", 1000),
        (b"%PDF << /Type /ObjStm >>", None),
        (b"", None),
    ],
)
def test_the_pages_are_named_in_a_document(document: bytes, pages: int | None) -> None:
    assert pages_of(document) == pages


HEADS = [png(1, 2), jpeg(3, 4), mp4(5, 6), b"RIFF\x00\x00\x00\x00WAVEfmt ", b"\xff\xfb\x90\x00"]


@given(st.sampled_from(HEADS), st.binary(max_size=200), st.integers(0, 60))
def test_a_broken_file_raises_nothing(head: bytes, more: bytes, cut: int) -> None:
    size, seconds = size_of(head[:cut] + more), seconds_of(head[:cut] + more, 1000)

    assert size is None or min(size.width, size.height) > 0
    assert seconds is None or 0 < seconds < float("inf")
    assert (pages_of(more) or 1) >= 1
