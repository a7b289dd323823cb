"""A budget of retries that all requests of one caller for one model share.

When Gemini is overloaded, every request fails, and a proxy that repeats each of them five times
sends six times the load to an overloaded service. So retries after a 429 or a 5xx are limited to a
fifth of the same caller's requests for the same model, plus a floor for callers with few requests.
Finagle's RetryBudget (a share of requests and a minimum per second, which expire) and gRPC's retry
throttling (proposal A6) work in the same way.

Counts fade: an event of a minute ago weighs a third of a present one, so neither an outage nor a
quiet night affects a caller for long.

A keyed hash of the credential identifies a caller; the credential cannot be recovered from it.
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
    """Recent requests of one caller for one model, and their retries."""

    at: float
    requests: float = 0.0
    retries: float = 0.0

    def fade(self, now: float) -> None:
        """Reduce both counts by the time that has passed."""
        weight = math.exp((self.at - now) / _MEMORY_SECONDS)
        self.requests *= weight
        self.retries *= weight
        self.at = now


@attrs.define(eq=False)
class RetryBudget:
    """The accounts of this process; the least recently used one is forgotten.

    ``floor`` is the number of retries that a caller always has for a model, within about a minute.
    """

    floor: float = 10.0
    clock: Callable[[], float] = time.monotonic
    _key: bytes = attrs.field(factory=partial(secrets.token_bytes, 16), repr=False)
    _accounts: collections.OrderedDict[bytes, _Account] = attrs.field(
        factory=collections.OrderedDict, repr=False
    )

    def enter(self, model: str, credential: str) -> Callable[[], bool]:
        """Count a request; return a function that takes one retry and returns if there was one."""
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
