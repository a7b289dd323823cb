"""Access keys that are refused because they can be guessed, and those that are not."""

import secrets
import string

import pytest

from gemproxy.config.strength import weakness


@pytest.mark.parametrize(
    "key",
    [
        "123",
        "123456",
        "1234567890",
        "12345678901234567890",
        "sk-123456",
        "sk-1234567890abcdef",
        "password",
        "Password123",
        "password12345678",
        "passwordpassword",
        "my-secret-password",
        "your-secret-key-here",
        "please-replace-me-now-1",
        "changeme",
        "ChangeMe!ChangeMe!",
        "changeme1234567890",
        "admin-secret",
        "admin-secret-1234",
        "gemproxy",
        "gemproxy-test-2026",
        "gp-test",
        "test",
        "letmein",
        "qwertyuiopasdfgh",
        "zyxwvutsrqponmlkj",
        "abcdefghijklmnop",
        "0123456789abcdef",
        "aaaaaaaaaaaaaaaaaaaa",
        "ababababababababab",
        "k3Vk3Vk3Vk3Vk3Vk3V",
        "a7f3c9d2e5b8a1c",
    ],
)
def test_a_weak_or_well_known_key_is_refused(key: str) -> None:
    assert weakness(key)


@pytest.mark.parametrize(
    "key",
    [
        "a7f3c9d2e5b8a1c4",
        "gp-7Kq2mXv9TzRw4Lp8",
        "correct-horse-battery-staple",
        "ann-5f2c9a7e31d84b60",
        "test-access-key-of-ann-0001",
        "8301946275518340",
        "Tr0ub4dor&3-Tr1ple",
    ],
)
def test_a_key_that_is_hard_to_guess_is_taken(key: str) -> None:
    assert weakness(key) is None


def test_random_keys_of_the_usual_makers_are_taken() -> None:
    alphabet = string.ascii_letters + string.digits
    for _ in range(2000):
        assert weakness(secrets.token_hex(16)) is None
        assert weakness(secrets.token_urlsafe(18)) is None
        assert weakness("".join(secrets.choice(alphabet) for _ in range(20))) is None
