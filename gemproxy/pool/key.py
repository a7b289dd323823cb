"""Keys and projects: the values that the pool is made of."""

import hashlib

import attrs
from yarl import URL

from gemproxy.exchange.credential import Credential

FINGERPRINT = 8
"""Characters of a fingerprint: enough to tell keys apart, too few to find one."""


def fingerprint(secret: str) -> str:
    """Return the name of a key in every output: the beginning of its SHA-256, in hex."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()[:FINGERPRINT]


@attrs.frozen
class Key:
    """A key of a project; ``name`` is its fingerprint and ``origin`` the place where it was found.

    ``proxy`` is the outbound proxy for this key; None for the one of all requests. ``credential``
    is the key as it goes up.
    """

    secret: str = attrs.field(repr=False)
    project: str
    origin: str = ""
    proxy: URL | None = attrs.field(default=None, repr=False)
    name: str = attrs.field(init=False)
    credential: Credential = attrs.field(init=False, repr=False, eq=False)

    @name.default
    def _name(self) -> str:
        return fingerprint(self.secret)

    @credential.default
    def _credential(self) -> Credential:
        return Credential.api_key(self.secret)


@attrs.frozen
class Project:
    """A Google project with the keys that the operator has for it; at least one.

    A project that nobody named is called by the fingerprint of its only key. ``weight`` is its
    share where the strategy is ``weighted``.
    """

    name: str
    keys: tuple[Key, ...]
    weight: float = 1.0


@attrs.frozen
class Limits:
    """The known limits of every project for one model; 0: not known."""

    rpm: int = 0
    tpm: int = 0
    rpd: int = 0
