"""The operator's secret: it opens the admin API, and nothing of a request may take it upstream.

The secret is kept as a salted hash, like an access key, and a text is compared with it in constant
time. Only a text of its length is hashed, so a request without one costs a look at its headers.
"""

import hmac
import re
import secrets
from collections.abc import Iterable, Iterator
from typing import Self

import attrs

from gemproxy.access.secret import hashed
from gemproxy.exchange.credential import brought, in_path
from gemproxy.exchange.exchange import Exchange

_BETWEEN = re.compile(r"[\s,;\"']+")


@attrs.frozen(eq=False)
class Operator:
    """Knows the operator's secret; ``length`` is the number of its characters."""

    length: int
    _salt: bytes = attrs.field(repr=False)
    _hash: bytes = attrs.field(repr=False)

    @classmethod
    def of(cls, secret: str) -> Self | None:
        """Return who knows ``secret``, None for the empty text."""
        salt = secrets.token_bytes(32)
        return cls(len(secret), salt, hashed(secret, salt)) if secret else None

    def is_among(self, texts: Iterable[str]) -> bool:
        """Return whether one of ``texts`` is the secret.

        All are compared: the time does not say which of them it was.
        """
        found = [hmac.compare_digest(hashed(text, self._salt), self._hash) for text in texts]
        return any(found)

    def is_in(self, exchange: Exchange) -> bool:
        """Return whether a request has the secret in a header, in its query or in its path."""
        taken, passed = brought(exchange.headers, exchange.raw_query)
        long = [value for value in exchange.headers.values() if len(value) >= self.length]
        found = (*taken, *passed, *in_path(exchange.path), *_pieces(long))
        return self.is_among(text for text in found if len(text) == self.length)


def _pieces(values: Iterable[str]) -> Iterator[str]:
    """Yield the words of headers, and what stands behind the first ``=`` of each."""
    for value in values:
        yield value
        for word in _BETWEEN.split(value):
            yield word
            yield word.partition("=")[2]
