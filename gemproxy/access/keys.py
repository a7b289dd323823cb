"""Access keys: who a client is.

The keys are kept as hashes under a key that each process makes for itself, so neither memory nor
the time of a search tells anything about them. Today they are those of the settings; accounts will
be another source of the same interface.
"""

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Self

import attrs


@attrs.define(eq=False)
class AccessKeys:
    """Finds the name of an access key."""

    _salt: bytes = attrs.field(factory=partial(secrets.token_bytes, 32), repr=False)
    _names: dict[bytes, str] = attrs.field(factory=dict, repr=False)
    lengths: frozenset[int] = frozenset()
    """How many characters the keys have, for a cheap look at what cannot be one."""

    @classmethod
    def of(cls, keys: Mapping[str, str]) -> Self:
        """Return the access keys of name -> key."""
        made = cls()
        for name, key in keys.items():
            made._names[made._hash(key)] = name
        made.lengths = frozenset(map(len, keys.values()))
        return made

    def find(self, key: str) -> str | None:
        """Return the name of an access key, or None if ``key`` is none."""
        if len(key) not in self.lengths:
            return None
        return self._names.get(self._hash(key))

    def find_any(self, keys: Iterable[str]) -> str | None:
        """Return the name of the first of ``keys`` that is an access key, or None."""
        for key in keys:
            if len(key) in self.lengths and (name := self.find(key)) is not None:
                return name
        return None

    def _hash(self, key: str) -> bytes:
        octets = key.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(octets, key=self._salt, digest_size=32).digest()
