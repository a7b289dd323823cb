"""The book of sick keys, and when they are checked again.

A key that becomes sick is checked after a pause that doubles each time, so a dead key costs a few
requests a day. A check that finds it well puts it back, but only a request that it serves ends the
count: a key whose project has no billing account passes every check.
"""

from collections.abc import Iterator

import attrs

from gemproxy.pool.state import Sickness, Why

FIRST_PAUSE, LONGEST_PAUSE = 60.0, 6 * 3600.0


@attrs.define(eq=False)
class Sicknesses:
    """What is known of keys (by fingerprint): sick ones, and those that were lately."""

    _by_key: dict[str, Sickness] = attrs.field(factory=dict)

    def get(self, key: str) -> Sickness | None:
        """Return what is known of a key; ``why`` is None if it is well again."""
        return self._by_key.get(key)

    def is_sick(self, key: str) -> bool:
        """Return whether a key is out of the pool."""
        known = self._by_key.get(key)
        return known is not None and known.why is not None

    def sick(self) -> Iterator[Sickness]:
        """Yield the sick keys."""
        return (sickness for sickness in self._by_key.values() if sickness.why is not None)

    def put(self, sickness: Sickness) -> bool:
        """Take in a change if it is later than what is known; return whether it was."""
        known = self._by_key.get(sickness.key)
        if known is not None and known.at >= sickness.at:
            return False
        self._set(sickness)
        return True

    def fell(self, key: str, why: Why, now: float) -> Sickness:
        """Note that a key is sick, or still sick, and return the change."""
        known = self._by_key.get(key)
        times = 1 if known is None else known.times + 1
        pause = min(FIRST_PAUSE * 2.0 ** min(times - 1, 20), LONGEST_PAUSE)
        return self._set(Sickness(key, why, now, now + pause, times))

    def put_off(self, sickness: Sickness, now: float) -> Sickness:
        """Note that a check came to nothing, and return the change."""
        return self._set(attrs.evolve(sickness, at=now, again_at=now + FIRST_PAUSE))

    def passed(self, sickness: Sickness, now: float) -> Sickness:
        """Note that a check found the key well, and return the change."""
        return self._set(Sickness(sickness.key, None, now, times=sickness.times))

    def end(self, key: str, now: float) -> Sickness:
        """Forget the sickness of a key, and return the change."""
        return self._set(Sickness(key, None, now))

    def _set(self, sickness: Sickness) -> Sickness:
        if sickness.why is None and not sickness.times:
            self._by_key.pop(sickness.key, None)
        else:
            self._by_key[sickness.key] = sickness
        return sickness
