"""The book of uses: when each key was last used, and with which result.

A use costs one small value for each attempt. It is news for the other processes when the result
differs from the one before, else every ten seconds.
"""

import attrs

from gemproxy.pool.state import Result, Use

TOLD_SECONDS = 10.0
"""Seconds after which another use with the same result is news."""


@attrs.define(eq=False)
class Uses:
    """The last use of each key (by fingerprint), in all processes."""

    _last: dict[str, Use] = attrs.field(factory=dict)
    _told: dict[str, float] = attrs.field(factory=dict)

    def get(self, key: str) -> Use | None:
        """Return the last use of a key."""
        return self._last.get(key)

    def note(self, key: str, result: Result, now: float) -> Use | None:
        """Note a use; return it if it is news."""
        last = self._last.get(key)
        use = self._last[key] = Use(key, result, now)
        if (
            last is not None
            and last.result is result
            and now - self._told.get(key, 0.0) < TOLD_SECONDS
        ):
            return None
        self._told[key] = now
        return use

    def put(self, use: Use) -> None:
        """Take in the use of another process if it is later than what is known."""
        last = self._last.get(use.key)
        if last is None or last.at < use.at:
            self._last[use.key] = use
