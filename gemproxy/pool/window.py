"""The window of a minute: how much of a known limit is taken, counted so that no upstream is over.

The upstream counts a request at a time that we do not know, between its sending and the head of its
answer. So a slot is held from the pick until 60 seconds after the head has come, or after the
attempt has ended without one: then no window of 60 seconds at the upstream has more requests than
the limit. Tokens of a prompt are estimated at the pick and corrected when the answer says them.
"""

import collections
import itertools
import math

import attrs

LENGTH = 60.0
"""Seconds."""


@attrs.define(eq=False)
class Slot:
    """A request in the window; ``free_at`` is infinite until the head of its answer has come."""

    tokens: int
    free_at: float = math.inf


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
        if slot.free_at > now:
            self._clean(now)
            self._tokens += tokens - slot.tokens
            slot.tokens = tokens

    def free_at(self, tokens: int, now: float) -> float:
        """Return when a request with ``tokens`` has room; at most ``now`` if it has already.

        A request with more tokens than the limit has room in an empty window: the upstream may
        count otherwise. A slot whose answer has not begun is free in a minute at the earliest.
        """
        self._clean(now)
        at, rpm, tpm = now, self.rpm, self.tpm
        if rpm and (slots := self._held + len(self._timed) - rpm + 1) > 0:
            at = self._freed(slots, now)
        if tpm and (more := self._tokens + min(tokens, tpm) - tpm) > 0:
            at = max(at, self._lighter(more, now))
        return at

    def _freed(self, slots: int, now: float) -> float:
        """Return when that many slots are free, at least one."""
        timed = next(itertools.islice(self._timed, slots - 1, None), None)
        return now + LENGTH if timed is None else timed.free_at

    def _lighter(self, tokens: int, now: float) -> float:
        """Return when the window has that many tokens less, at least one."""
        for slot in self._timed:
            tokens -= slot.tokens
            if tokens <= 0:
                return slot.free_at
        return now + LENGTH

    def _clean(self, now: float) -> None:
        """Drop the slots that are free."""
        timed = self._timed
        while timed and timed[0].free_at <= now:
            self._tokens -= timed.popleft().tokens
