"""A budget of retries that all requests of one caller for one model share.

When Gemini is overloaded, every client's request fails, and a proxy that repeats each of them
five times sends six times the load to a service that already has too much. So retries after a
429 or a 5xx are bounded by what the same caller asks of the same model: at most a fifth of its
requests, besides a floor for those who ask so rarely that a fifth is nothing. Finagle's
RetryBudget (a share of requests and a minimum per second, which expire) and gRPC's retry
throttling (proposal A6) are of this kind.

Counts fade: what happened a minute ago weighs a third of what happens now, so that neither an
outage nor a quiet night is held for or against a caller for long.

Callers are told apart by a keyed hash of their credential; nothing here can be read back as one.
"""

import collections
import hashlib
import math
import secrets
import time
from collections.abc import Callable
from functools import partial

import attrs

SHARE = 0.2
"""The retries that a request adds to the budget."""
_MEMORY_SECONDS = 60.0
_ACCOUNTS = 4096


@attrs.define(eq=False)
class _Account:
    """What one caller asked of one model lately, and how many retries that took."""

    at: float
    requests: float = 0.0
    retries: float = 0.0

    def fade(self, now: float) -> None:
        """Let both counts weigh less, by the time that has passed."""
        weight = math.exp((self.at - now) / _MEMORY_SECONDS)
        self.requests *= weight
        self.retries *= weight
        self.at = now


@attrs.define(eq=False)
class RetryBudget:
    """The accounts of this process; the one that is not used for longest is forgotten.

    ``floor`` counts the retries that a caller always has for a model, spread over a minute or so.
    """

    floor: float = 10.0
    clock: Callable[[], float] = time.monotonic
    _key: bytes = attrs.field(factory=partial(secrets.token_bytes, 16), repr=False)
    _accounts: collections.OrderedDict[bytes, _Account] = attrs.field(
        factory=collections.OrderedDict, repr=False
    )

    def enter(self, model: str, credential: str) -> Callable[[], bool]:
        """Count a request; return what takes one retry for it, and whether there was one."""
        account = self._account(f"{model}\n{credential}".encode("utf-8", "surrogatepass"))
        account.fade(self.clock())
        account.requests += 1
        return partial(self._take, account)

    def _take(self, account: _Account) -> bool:
        account.fade(self.clock())
        if account.retries + 1 > self.floor + SHARE * account.requests:
            return False
        account.retries += 1
        return True

    def _account(self, who: bytes) -> _Account:
        name = hashlib.blake2b(who, key=self._key, digest_size=16).digest()
        account = self._accounts.get(name)
        if account is None:
            account = self._accounts[name] = _Account(self.clock())
        self._accounts.move_to_end(name)
        if len(self._accounts) > _ACCOUNTS:
            self._accounts.popitem(last=False)
        return account
