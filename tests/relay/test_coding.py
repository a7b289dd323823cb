"""Content codings, undone and checked to their last byte."""

import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.relay.coding import FalseCoding, beginning, decoded


def raw_deflate(body: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(body) + stream.flush()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    " X-GZip ": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": raw_deflate,
}


@pytest.mark.parametrize("coding", PACKERS)
@given(body=st.binary(min_size=1, max_size=300), times=st.sampled_from([1, 1000]))
def test_a_body_is_what_was_packed(coding: str, body: bytes, times: int) -> None:
    whole = body * times

    assert decoded(PACKERS[coding](whole), coding, 1 << 20) == whole


def test_members_follow_each_other_and_padding_is_read_over() -> None:
    packed = gzip.compress(b"one ") + gzip.compress(b"two") + bytes(7)

    assert decoded(packed, "gzip", 100) == b"one two"


@pytest.mark.parametrize("coding", PACKERS)
@given(body=st.binary(min_size=1, max_size=300), data=st.data())
def test_a_body_that_is_cut_short_is_false(coding: str, body: bytes, data: st.DataObject) -> None:
    packed = PACKERS[coding](body)
    end = data.draw(st.integers(1, len(packed) - 1))

    with pytest.raises(FalseCoding):
        decoded(packed[:end], coding, 1 << 20)


@pytest.mark.parametrize("coding", PACKERS)
@pytest.mark.parametrize("body", [b"nonsense", b'{"candidates": []}', b"\x1f\x8b\x08"])
def test_another_body_is_false(coding: str, body: bytes) -> None:
    with pytest.raises(FalseCoding):
        decoded(body, coding, 1 << 20)


def test_a_wrong_checksum_is_false() -> None:
    packed = bytearray(gzip.compress(b"one two"))
    packed[-8] ^= 1

    with pytest.raises(FalseCoding):
        decoded(bytes(packed), "gzip", 100)


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip"])
def test_a_coding_that_is_not_undone_is_not_judged(coding: str) -> None:
    assert decoded(b"nonsense", coding, 100) is None


@pytest.mark.parametrize("coding", ["", "identity", "Identity"])
def test_a_plain_body_is_itself(coding: str) -> None:
    assert decoded(b"body", coding, 1) == b"body"


@pytest.mark.parametrize("coding", PACKERS)
def test_no_body_is_of_no_coding(coding: str) -> None:
    assert decoded(b"", coding, 100) == b""


def test_a_bomb_is_left_at_the_limit() -> None:
    bomb = gzip.compress(bytes(10 << 20))

    assert decoded(bomb, "gzip", 1 << 20) is None
    assert len(beginning(bomb, "gzip", 1 << 20) or b"") == 1 << 20


def test_the_beginning_of_what_is_no_gzip_is_not_read() -> None:
    assert beginning(b"nonsense", "gzip", 100) is None
    assert beginning(zlib.compress(b"x"), "deflate", 100) is None
