"""A compressed answer is decoded as it comes, in bounded pieces."""

import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.relay.coding import FalseCoding
from gemproxy.relay.unpacking import PIECE, Unpacking, unpacking


def raw(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


FORMS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", lambda data: gzip.compress(data, mtime=0)),
    "GZIP, two members": ("GZIP", lambda data: gzip.compress(data[:3]) + gzip.compress(data[3:])),
    "gzip, padded": ("gzip", lambda data: gzip.compress(data) + b"\0\0"),
    "deflate": ("deflate", zlib.compress),
    "deflate without its head": ("deflate", raw),
}


def whole(unpacked: Unpacking, *pieces: bytes) -> bytes:
    made = []
    for piece in pieces:
        unpacked.take(piece)
        while data := unpacked.give():
            assert len(data) <= PIECE
            made.append(data)
    unpacked.end()
    return b"".join(made)


def opened(coding: str) -> Unpacking:
    found = unpacking(coding)
    assert found is not None
    return found


@pytest.mark.parametrize("form", FORMS)
@given(data=st.binary(max_size=300), size=st.integers(1, 40))
def test_a_body_is_decoded_however_it_is_cut(form: str, data: bytes, size: int) -> None:
    coding, pack = FORMS[form]
    packed = pack(data)

    pieces = [packed[at : at + size] for at in range(0, len(packed), size)]

    assert data == whole(opened(coding), *pieces)


@pytest.mark.parametrize("size", [PIECE, PIECE - 1, PIECE * 3, PIECE * 3 + 1])
@pytest.mark.parametrize("form", FORMS)
def test_a_large_body_comes_in_pieces(form: str, size: int) -> None:
    coding, pack = FORMS[form]

    assert bytes(size) == whole(opened(coding), pack(bytes(size)))


@pytest.mark.parametrize("form", FORMS)
def test_a_body_that_is_cut_short_is_false(form: str) -> None:
    coding, pack = FORMS[form]

    with pytest.raises(FalseCoding):
        whole(opened(coding), pack(b"hello")[:5])


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_other_bytes_are_false(coding: str) -> None:
    with pytest.raises(FalseCoding):
        whole(opened(coding), b"hello, this is text")


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_no_body_at_all_is_empty(coding: str) -> None:
    assert whole(opened(coding)) == b""


@pytest.mark.parametrize("coding", ["", "identity", "x-unknown", "gzip, gzip"])
def test_other_codings_are_read_as_they_are(coding: str) -> None:
    assert unpacking(coding) is None


@pytest.mark.parametrize("coding", ["br", "zstd", " BR "])
def test_a_coding_of_another_package_is_refused(coding: str) -> None:
    with pytest.raises(FalseCoding):
        unpacking(coding)
