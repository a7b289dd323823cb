"""A limit on requests of one kind in the last minute, of all clients together, sans-IO.

A request counts from the moment it is admitted to what is behind the gate: one that is refused
there for a reason of its own takes no room from others. While that is decided it holds its place,
so a crowd gets no further than the limit.
"""

import contextlib
import math
from collections.abc import Iterator

import attrs

from gemproxy.accounts.window import Window
from gemproxy.core.errors import LimitReached

_SOON = 1.0
"""Seconds to wait for a place that is held."""


def share(amount: int, workers: int) -> int:
    """Return the part of a limit that each of several processes has: one at least, of none none."""
    return max(1, amount // workers) if amount else 0


@attrs.define(eq=False)
class Gate:
    """Lets ``most`` requests in within a minute; 0 is any number. ``what`` names them."""

    most: int
    what: str
    _minute: Window = attrs.field(factory=Window, init=False)
    _entering: int = attrs.field(default=0, init=False)

    @contextlib.contextmanager
    def entered(self, now: float) -> Iterator[None]:
        """Hold a place while entered, and count the request unless it raises.

        ``now`` is a time in seconds, of any clock that is always the same. Raises LimitReached.
        """
        if not self.most:
            yield
            return
        if self._minute.total(now) + self._entering >= self.most:
            raise self._full(now)
        self._entering += 1
        try:
            yield
            self._minute.add(1, now)
        finally:
            self._entering -= 1

    def _full(self, now: float) -> LimitReached:
        wait = max(self._minute.less(1, now) - now, _SOON)
        return LimitReached(
            f"The limit on {self.what} is reached: {self.most} in a minute. There is room in"
            f" {math.ceil(wait)} s.",
            wait,
            scope="pictures",
        )
