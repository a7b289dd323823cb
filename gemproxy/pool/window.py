"""The window of a minute: how much of a known limit is taken, counted so that no upstream is over.

The upstream counts a request at a time that we do not know, between its sending and the head of its
answer. So a slot is held from the pick until 60 seconds after the head has come, or after the
attempt has ended without one: then no window of 60 seconds at the upstream has more requests than
the limit. Tokens of a prompt are estimated at the pick and corrected when the answer says them.
"""

import collections
import itertools

import attrs

LENGTH = 60.0
"""Seconds."""


@attrs.define(eq=False)
class Slot:
    """A request in the window; ``free_at`` is None until the head of its answer has come."""

    tokens: int
    free_at: float | None = None


@attrs.define(eq=False)
class Window:
    """Requests and tokens of the last minute; a limit of 0 is none."""

    rpm: int
    tpm: int
    _timed: collections.deque[Slot] = attrs.field(factory=collections.deque)
    _held: int = 0
    _tokens: int = 0

    def take(self, tokens: int) -> Slot:
        """Take a slot for a request that goes up now."""
        slot = Slot(tokens)
        self._held += 1
        self._tokens += tokens
        return slot

    def timed(self, slot: Slot, now: float) -> None:
        """Note that the request of a slot has been counted by ``now``."""
        self._held -= 1
        slot.free_at = now + LENGTH
        self._timed.append(slot)

    def correct(self, slot: Slot, tokens: int, now: float) -> None:
        """Note how many tokens the prompt of a slot really had."""
        if slot.free_at is None or slot.free_at > now:
            self._clean(now)
            self._tokens += tokens - slot.tokens
            slot.tokens = tokens

    def free_at(self, tokens: int, now: float) -> float:
        """Return when a request with ``tokens`` has room; at most ``now`` if it has already.

        A request with more tokens than the limit has room in an empty window: the upstream may
        count otherwise. A slot whose answer has not begun is free in a minute at the earliest.
        """
        self._clean(now)
        at = now
        if self.rpm:
            at = self._freed(self._held + len(self._timed) - self.rpm + 1, now)
        if self.tpm:
            at = max(at, self._lighter(self._tokens + min(tokens, self.tpm) - self.tpm, now))
        return at

    def _freed(self, slots: int, now: float) -> float:
        """Return when that many slots are free."""
        if slots <= 0:
            return now
        timed = next(itertools.islice(self._timed, slots - 1, None), None)
        return _free_at(timed, now)

    def _lighter(self, tokens: int, now: float) -> float:
        """Return when the window has that many tokens less."""
        if tokens <= 0:
            return now
        for slot in self._timed:
            tokens -= slot.tokens
            if tokens <= 0:
                return _free_at(slot, now)
        return now + LENGTH

    def _clean(self, now: float) -> None:
        """Drop the slots that are free."""
        timed = self._timed
        while timed and _free_at(timed[0], now) <= now:
            self._tokens -= timed.popleft().tokens


def _free_at(slot: Slot | None, now: float) -> float:
    """Return when a slot is free; None stands for one whose answer has not begun."""
    return now + LENGTH if slot is None or slot.free_at is None else slot.free_at
