"""The form of a stored access key: ``gp-<12 public>-<43 secret>``.

The public characters name the key in lists, logs and limits. They have no letters or digits that
look alike, so a person can read them out. The secret ones have 256 random bits.

A key is kept as a hash under the ``pepper``. All processes of an installation have the pepper and
the database does not, so a stolen database is not enough to test a guess. A slow hash would protect
weak passwords; these keys cannot be guessed, and every request hashes one.
"""

import hashlib
import re
import secrets

PREFIX = "gp-"
"""The beginning of access keys that gemproxy makes."""

PURPOSE = "access keys"
"""The purpose of the vault's key that is the pepper."""

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_PUBLIC = 12
_RANDOM_BYTES = 32
_FORM = re.compile(rf"{PREFIX}([{_ALPHABET}]{{{_PUBLIC}}})-[\w-]{{43}}", re.ASCII)

LENGTH = len(PREFIX) + _PUBLIC + 1 + 43
"""The characters of a key."""


def new_id() -> str:
    """Return public characters for a key."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_PUBLIC))


def new_key(public: str) -> str:
    """Return a key with the public characters ``public``."""
    return f"{PREFIX}{public}-{secrets.token_urlsafe(_RANDOM_BYTES)}"


def id_in(key: str) -> str:
    """Return the public characters of a key; empty if it has another form."""
    found = _FORM.fullmatch(key)
    return found[1] if found else ""


def hashed(key: str, pepper: bytes) -> bytes:
    """Return the hash of a key; the ``pepper`` has up to 64 bytes."""
    octets = key.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(octets, key=pepper, digest_size=32).digest()
