"""Sessions of the pages, sans-IO: who has signed in, until when, and what proves a form is ours.

A session is a token that only the holder of the operator's secret can have made: its id, its end,
and an HMAC of both under a key that is derived from the secret. So every process with the same
secret knows it, a restart ends none, and another secret ends all. Nothing of the secret can be
learnt from a token but by guessing it, at the price of one scrypt for each guess.

A session that was signed out is remembered until its end, in the memory of the process; the other
workers hear of it (``pages.entrance``).

A form carries a second token, derived from the session's id: another site's page cannot know it.
"""

import hashlib
import hmac
import secrets
from typing import Self

import attrs

LIFETIME = 12 * 60 * 60.0
"""Seconds after which the operator signs in again."""

_SALT = b"gemproxy pages"
_LONGEST = 200
_MOST_ENDED = 10_000


@attrs.frozen
class Session:
    """Somebody who has signed in: until ``ends`` (Unix time), with the token of their forms."""

    id: str = attrs.field(repr=False)
    ends: int
    form_token: str = attrs.field(repr=False)

    def owns(self, form_token: str) -> bool:
        """Return whether a form with this token is of the session."""
        return hmac.compare_digest(self.form_token.encode(), form_token.encode())


@attrs.define(eq=False)
class Sessions:
    """Makes, knows and ends the sessions of one secret; ``now`` is the Unix time."""

    _key: bytes = attrs.field(repr=False)
    lifetime: float = LIFETIME
    _ended: dict[str, int] = attrs.field(factory=dict, repr=False)

    @classmethod
    def of(cls, secret: str) -> Self:
        """Return the sessions of an operator's secret; this takes some 50 ms."""
        return cls(hashlib.scrypt(secret.encode(), salt=_SALT, n=2**14, r=8, p=1, dklen=32))

    def begin(self, now: float) -> tuple[str, Session]:
        """Return the token of a new session, and the session."""
        identity = secrets.token_urlsafe(24)
        ends = int(now + self.lifetime)
        token = f"{identity}.{ends}.{self._seal('session', f'{identity}.{ends}')}"
        return token, self._session(identity, ends)

    def find(self, token: str, now: float) -> Session | None:
        """Return the session of a token, None for one that is false, over or signed out."""
        identity, _, rest = token[:_LONGEST].partition(".")
        end, _, seal = rest.partition(".")
        right = self._seal("session", f"{identity}.{end}")
        if not hmac.compare_digest(right.encode(), seal.encode("utf-8", "surrogatepass")):
            return None
        ends = int(end)
        return None if ends <= now or identity in self._ended else self._session(identity, ends)

    def end(self, identity: str, ends: int, now: float) -> None:
        """End a session before its time."""
        self._ended = {one: until for one, until in self._ended.items() if until > now}
        if len(self._ended) < _MOST_ENDED:
            self._ended[identity] = ends

    def _session(self, identity: str, ends: int) -> Session:
        return Session(identity, ends, self._seal("form", identity))

    def _seal(self, purpose: str, text: str) -> str:
        message = f"{purpose}:{text}".encode("utf-8", "surrogatepass")
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()
