"""The memory of the signatures of pictures."""

import base64

import pytest

from gemproxy.openai.drawn import Drawn

PICTURE = b"\x89PNG\xfb\xff\xfe"
DATA = base64.b64encode(PICTURE).decode()


def test_a_signature_is_found_by_the_bytes_of_the_picture() -> None:
    drawn = Drawn()
    drawn.remember("ann", DATA, "sig")

    assert drawn.signature("ann", PICTURE) == "sig"
    assert drawn.signature("ann", PICTURE + b"x") is None


def test_nobody_finds_what_another_got() -> None:
    drawn = Drawn()
    drawn.remember("ann", DATA, "sig")

    assert drawn.signature("bob", PICTURE) is None
    assert drawn.signature("", PICTURE) is None


def test_both_alphabets_of_base64_are_read() -> None:
    drawn = Drawn()
    drawn.remember("ann", base64.urlsafe_b64encode(PICTURE).decode(), "sig")

    assert drawn.signature("ann", PICTURE) == "sig"


@pytest.mark.parametrize("data", ["a", "é", "=="])
def test_what_is_no_base64_is_left_out(data: str) -> None:
    drawn = Drawn()
    drawn.remember("ann", data, "sig")

    assert drawn.held in {0, 3}


def test_the_last_signature_of_a_picture_counts() -> None:
    drawn = Drawn()
    drawn.remember("ann", DATA, "sig")
    drawn.remember("ann", DATA, "other")

    assert drawn.signature("ann", PICTURE) == "other"
    assert drawn.held == len("other")


def test_what_was_not_used_for_longest_is_forgotten() -> None:
    drawn = Drawn(most=2)
    for picture in (b"one", b"two"):
        drawn.remember("ann", base64.b64encode(picture).decode(), picture.decode())
    assert drawn.signature("ann", b"one") == "one"

    drawn.remember("ann", DATA, "three")

    assert drawn.signature("ann", b"two") is None
    assert drawn.signature("ann", b"one") == "one"
    assert drawn.held == len("onethree")


def test_the_memory_has_a_bound_in_bytes() -> None:
    drawn = Drawn(most_bytes=10)
    drawn.remember("ann", "b25l", "123456")
    drawn.remember("ann", "dHdv", "123456")
    drawn.remember("ann", DATA, "x" * 11)

    assert drawn.held == 6
    assert drawn.signature("ann", b"two") == "123456"
    assert drawn.signature("ann", PICTURE) is None


def test_its_repr_shows_no_signature() -> None:
    drawn = Drawn()
    drawn.remember("ann", DATA, "secret")

    assert "secret" not in repr(drawn)
