"""Access keys: who a client is.

They come from two sources. Those of the settings may have any form and stay for the life of the
process. Those of the store have the form of ``access.secret``, and ``put`` changes them while the
process runs.

Keys are kept as hashes, so neither memory nor the time of a search tells anything about them. Those
of the settings have a salt that each process makes for itself. A stored key is found by its public
characters, and its hash is compared in constant time.
"""

import hmac
import secrets
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Self

import attrs

from gemproxy.access.secret import LENGTH, PREFIX, hashed, id_in
from gemproxy.accounts.user import User


@attrs.frozen
class Stored:
    """A stored access key: its owner and its hash.

    After a rotation ``old`` is the hash of the key before, which is good until the Unix time
    ``old_until``.
    """

    user: User
    hash: bytes = attrs.field(repr=False)
    old: bytes | None = attrs.field(default=None, repr=False)
    old_until: float = 0.0

    def is_opened_by(self, found: bytes, now: float) -> bool:
        """Return whether ``found`` is the hash of a key that is good at ``now``."""
        if hmac.compare_digest(self.hash, found):
            return True
        old = self.old
        return old is not None and now < self.old_until and hmac.compare_digest(old, found)


@attrs.define(eq=False)
class AccessKeys:
    """Finds the user of an access key, or of a name."""

    _salt: bytes = attrs.field(factory=partial(secrets.token_bytes, 32), repr=False)
    _given: dict[bytes, User] = attrs.field(factory=dict, repr=False)
    _named: dict[str, User] = attrs.field(factory=dict, repr=False)
    _stored: dict[str, Stored] = attrs.field(factory=dict, repr=False)
    _revoked: frozenset[str] = frozenset()
    _pepper: bytes = attrs.field(default=b"", repr=False)
    _given_lengths: frozenset[int] = frozenset()
    lengths: frozenset[int] = frozenset()
    """How many characters the keys have, for a cheap look at what cannot be one."""

    @classmethod
    def of(cls, keys: Mapping[str, str]) -> Self:
        """Return the access keys of name -> key."""
        made = cls()
        for name, key in keys.items():
            made._named[name] = made._given[hashed(key, made._salt)] = User(name, name)
        made.lengths = made._given_lengths = frozenset(map(len, keys.values()))
        return made

    @property
    def given(self) -> frozenset[str]:
        """The names of the keys in the settings."""
        return frozenset(user.name for user in self._given.values())

    @property
    def count(self) -> int:
        """How many users there are."""
        return len(self._given) + len(self._stored)

    def put(self, stored: Iterable[Stored], pepper: bytes, revoked: Iterable[str] = ()) -> None:
        """Take ``stored`` in place of the stored keys so far; ``revoked`` are ids of other keys.

        A name that a key of the settings has stays with that key: the stored one is left out.
        """
        self._revoked = frozenset(revoked)
        given = {user.name: user for user in self._given.values()}
        kept = {one.user.id: one for one in stored if one.user.name not in given}
        self._pepper = pepper
        self._stored = kept
        self._named = given | {one.user.name: one.user for one in kept.values()}
        self.lengths = self._given_lengths | {LENGTH} if kept else self._given_lengths

    def find(self, key: str, now: float) -> User | None:
        """Return the user of an access key at a Unix time, None if ``key`` is none."""
        if len(key) not in self.lengths:
            return None
        if self._stored and key.startswith(PREFIX):
            entry = self._stored.get(id_in(key))
            if entry is not None and entry.is_opened_by(hashed(key, self._pepper), now):
                return entry.user
        return self._given.get(hashed(key, self._salt)) if self._given else None

    def find_any(self, keys: Iterable[str], now: float) -> User | None:
        """Return the user of the first of ``keys`` that is an access key, or None."""
        for key in keys:
            if len(key) in self.lengths and (user := self.find(key, now)) is not None:
                return user
        return None

    def is_revoked(self, key: str) -> bool:
        """Return whether a key has the id of one that was revoked."""
        return id_in(key) in self._revoked

    def named(self, name: str) -> User | None:
        """Return the user with a name, None if there is none any more."""
        return self._named.get(name)
