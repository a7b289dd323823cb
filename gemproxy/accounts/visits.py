"""Requests per client address, by the library ``limits``.

Its strategies decide and count: a moving window for the minute, and for the day a fixed window
whose key has the date. A fixed window also counts a hit that it refuses, so a hit follows a test,
in one step without an await. The storage is ours, in the form that ``limits`` asks for. The one of
the library starts a thread per hit, reads the clock itself, and keeps something of each address for
ever.

Counts are in memory alone: a restart begins them anew, because the ledger has no addresses.
"""

import collections
from typing import Self

import attrs
from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MovingWindowSupport, Storage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, RateLimiter

from gemproxy.accounts.addresses import subscriber
from gemproxy.accounts.calendar import Day
from gemproxy.accounts.gauges import State
from gemproxy.accounts.models import plain
from gemproxy.accounts.user import Kind, Limit
from gemproxy.accounts.window import LENGTH, Window

MOST = 100_000
"""Addresses that are counted at most; beyond, those that came longest ago are forgotten."""

_HOURS = 26
"""The life of a day's counter: longer than any day, since its key has the date."""


class _PerMinute(RateLimitItemPerMinute):
    """A limit per minute whose counter stays the same when its amount is changed."""

    def key_for(self, *identifiers: bytes | str | float) -> str:
        """Return the key of a counter; its parts contain no line end."""
        return "\n".join(map(str, identifiers))


class _PerDay(RateLimitItemPerHour):
    """The same per day."""

    def key_for(self, *identifiers: bytes | str | float) -> str:
        """Return the key of a counter; its parts contain no line end."""
        return "\n".join(map(str, identifiers))


class Memory(Storage, MovingWindowSupport):
    """Counters in memory, which expire by the time that ``now`` is set to."""

    STORAGE_SCHEME = None

    def __init__(self, most: int = MOST) -> None:
        super().__init__()
        self.now = 0.0
        self._most = most
        self._counts: collections.OrderedDict[str, tuple[int, float]] = collections.OrderedDict()
        self._windows: collections.OrderedDict[str, Window] = collections.OrderedDict()

    @property
    def base_exceptions(self) -> type[Exception]:
        """The errors of the storage itself: it has none."""
        return ValueError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, and return the count."""
        count = self.get(key) + amount
        self._counts[key] = (count, self.get_expiry(key) if count > amount else self.now + expiry)
        self._counts.move_to_end(key)
        self._forget()
        return count

    def get(self, key: str) -> int:
        """Return a count."""
        count, expires = self._counts.get(key, (0, 0.0))
        return count if expires > self.now else 0

    def get_expiry(self, key: str) -> float:
        """Return when a count expires."""
        return self._counts.get(key, (0, self.now))[1]

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count in a window, if that stays within ``limit``."""
        del expiry  # always a minute
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = Window()
        if window.total(self.now) + amount > limit:
            return False
        window.add(amount, self.now)
        self._windows.move_to_end(key)
        self._forget()
        return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Return when the oldest entry was added, and the count."""
        del limit, expiry
        window = self._windows.get(key)
        if window is None or not (total := window.total(self.now)):
            return self.now, 0
        return window.less(1, self.now) - LENGTH, total

    def check(self) -> bool:
        """Return that memory is there."""
        return True

    def reset(self) -> int:
        """Forget all."""
        forgotten = len(self._counts) + len(self._windows)
        self._counts.clear()
        self._windows.clear()
        return forgotten

    def clear(self, key: str) -> None:
        """Forget a counter."""
        self._counts.pop(key, None)
        self._windows.pop(key, None)

    def _forget(self) -> None:
        """Forget a few counters that have expired, and the oldest ones if there are too many.

        Both are in the order of their last use.
        """
        for _ in range(2):
            key = next(iter(self._counts), None)
            if key is not None and (not self.get(key) or len(self._counts) > self._most):
                del self._counts[key]
            key = next(iter(self._windows), None)
            if key is not None and (
                not self._windows[key].total(self.now) or len(self._windows) > self._most
            ):
                del self._windows[key]


@attrs.frozen(eq=False)
class Rate:
    """A limit for each address: of one user, or of all together.

    ``whose`` says the latter in words. A shadow limit has a counter of its own, because its counter
    stops at the amount.
    """

    limit: Limit
    user: str = ""
    whose: str = ""
    daily: bool = attrs.field(init=False)
    item: RateLimitItem = attrs.field(init=False)
    key: str = attrs.field(init=False)

    @daily.default
    def _daily(self) -> bool:
        return self.limit.kind is Kind.PER_IP_RPD

    @item.default
    def _item(self) -> RateLimitItem:
        most = self.limit.amount
        return _PerDay(most, _HOURS) if self.daily else _PerMinute(most)

    @key.default
    def _key(self) -> str:
        shadow = "shadow" if self.limit.shadow else ""
        return self.item.key_for(self.user, plain(self.limit.model), shadow)


@attrs.frozen(eq=False)
class Visits:
    """Counts requests by the address of the client."""

    _memory: Memory
    _minutes: RateLimiter
    _days: RateLimiter

    @classmethod
    def of(cls, most: int = MOST) -> Self:
        """Return counters for that many addresses."""
        memory = Memory(most)
        return cls(memory, MovingWindowRateLimiter(memory), FixedWindowRateLimiter(memory))

    def state(self, rate: Rate, address: str, day: Day, now: float) -> State:
        """Return how much of a limit an address has taken, before its next request."""
        strategy, key = self._of(rate, address, day, now)
        window = strategy.get_window_stats(rate.item, *key)
        spent = rate.limit.amount - window.remaining
        if rate.daily:
            room, span = day.end, int(day.end - day.start)
        else:
            room, span = window.reset_time, int(LENGTH)
        return State(rate.limit, spent, 0, 1, room, room, room, span, rate.whose)

    def fits(self, rate: Rate, address: str, day: Day, now: float) -> bool:
        """Return whether an address has room for a request; nothing is counted."""
        strategy, key = self._of(rate, address, day, now)
        return strategy.test(rate.item, *key)

    def count(self, rate: Rate, address: str, day: Day, now: float) -> None:
        """Count a request of an address."""
        strategy, key = self._of(rate, address, day, now)
        strategy.hit(rate.item, *key)

    def _of(
        self, rate: Rate, address: str, day: Day, now: float
    ) -> tuple[RateLimiter, tuple[str, ...]]:
        self._memory.now = now
        key = (rate.key, subscriber(address))
        return (self._days, (*key, day.name)) if rate.daily else (self._minutes, key)
