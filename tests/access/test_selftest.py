"""The proof of who may ask for the self-test."""

import pytest

from gemproxy.access.selftest import GOOD_SECONDS, is_proof, proof

SECRET = "gp-admin-7Kq2mXv9TzRw4Lp8"
NOW = 1_795_000_000.0


@pytest.mark.parametrize("later", [0.0, GOOD_SECONDS, -GOOD_SECONDS])
def test_a_proof_is_good_about_its_time(later: float) -> None:
    assert is_proof(proof(SECRET, NOW), SECRET, NOW + later)


@pytest.mark.parametrize(
    ("value", "secret", "now"),
    [
        (proof(SECRET, NOW), SECRET, NOW + GOOD_SECONDS + 1),
        (proof(SECRET, NOW), "another", NOW),
        (proof("", NOW), "", NOW),
        (f"{int(NOW)}.", SECRET, NOW),
        (f"{'9' * 4000}.00", SECRET, NOW),
        ("٣.x", SECRET, NOW),
        ("", SECRET, NOW),
        (SECRET, SECRET, NOW),
    ],
)
def test_anything_else_is_none(value: str, secret: str, now: float) -> None:
    assert not is_proof(value, secret, now)


def test_a_proof_has_no_secret() -> None:
    assert SECRET not in proof(SECRET, NOW)
