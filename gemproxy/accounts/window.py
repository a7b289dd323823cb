"""The last sixty seconds: amounts that count from the moment they are added until a minute later.

The window is exact: an amount added at ``t`` is gone at ``t + 60``. It keeps running sums, so the
total costs no walk over its entries, and the time at which an amount has left is a binary search.
"""

import bisect

import attrs

LENGTH = 60.0
"""Seconds."""

_COMPACT = 256
"""Entries that are gone before the lists are cut; then half of each list at least is gone."""


@attrs.define(eq=False)
class Window:
    """Amounts of the last minute; times are Unix seconds."""

    _leaving: list[float] = attrs.field(factory=list)
    _sums: list[int] = attrs.field(factory=list)
    _head: int = 0
    _gone: int = 0

    def add(self, amount: int, now: float) -> None:
        """Count an amount from now on."""
        self.total(now)
        if not amount:
            return
        self._leaving.append(now + LENGTH)
        self._sums.append((self._sums[-1] if self._sums else 0) + amount)

    def total(self, now: float) -> int:
        """Return the sum of the amounts that were added in the last minute."""
        leaving = self._leaving
        if not leaving:
            return 0
        if leaving[-1] > now + LENGTH:
            self._turn_back(now)
        if leaving[self._head] <= now:
            self._prune(now)
            if not leaving:
                return 0
        return self._sums[-1] - self._gone

    def less(self, amount: int, now: float) -> float:
        """Return when the total is less by ``amount`` than it is now, if nothing is added.

        An amount beyond the total gives the time at which the window is empty.
        """
        self.total(now)
        if amount <= 0 or not self._leaving:
            return now
        at = bisect.bisect_left(self._sums, self._gone + amount, lo=self._head)
        return self._leaving[min(at, len(self._leaving) - 1)]

    def ends(self, now: float) -> tuple[float, float]:
        """Return when the first amount leaves, and when the last does, if nothing is added."""
        self.total(now)
        leaving = self._leaving
        return (leaving[self._head], leaving[-1]) if leaving else (now, now)

    def emptied(self, now: float) -> float:
        """Return when the window is empty, if nothing is added."""
        self.total(now)
        return self._leaving[-1] if self._leaving else now

    def _prune(self, now: float) -> None:
        """Drop the amounts that have left."""
        head = bisect.bisect_right(self._leaving, now, lo=self._head)
        self._gone = self._sums[head - 1]
        self._head = head
        if head == len(self._leaving):
            self._leaving.clear()
            self._sums.clear()
            self._head = self._gone = 0
        elif head > _COMPACT and head * 2 > len(self._leaving):
            del self._leaving[:head]
            del self._sums[:head]
            self._head = 0

    def _turn_back(self, now: float) -> None:
        """Have nothing leave later than in a minute: the clock was set back."""
        at = bisect.bisect_right(self._leaving, now + LENGTH, lo=self._head)
        self._leaving[at:] = [now + LENGTH] * (len(self._leaving) - at)
