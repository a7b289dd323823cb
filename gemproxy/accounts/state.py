"""What is spent and held: the counters of one user for one model, or for all models together.

A hold is kept in the sums of the day and the month in which it was taken. When a day ends, its sums
are put aside and nothing of them counts any more, but its holds still lead there: what they use is
added to the day of their beginning, as in the ledger, and weighs on no later one. The minute is
different: running requests hold tokens in it for as long as they run, and tokens enter it when they
are settled.
"""

from typing import Self

import attrs

from gemproxy.accounts.calendar import Day
from gemproxy.accounts.window import Window


@attrs.define(eq=False)
class Sum:
    """What was spent in a period, and what its requests that still run hold."""

    requests: int = 0
    tokens: int = 0
    nano_usd: int = 0
    held_tokens: int = 0
    held_nano_usd: int = 0

    def add(self, requests: int, tokens: int, nano_usd: int) -> None:
        """Count what was spent."""
        self.requests += requests
        self.tokens += tokens
        self.nano_usd += nano_usd


@attrs.define(eq=False)
class Tally:
    """The counters of one user for one model, or for all.

    A window exists only where a limit has asked for it, and counts from then on.
    """

    day: Day
    today: Sum = attrs.field(factory=Sum)
    month: Sum = attrs.field(factory=Sum)
    running: int = 0
    held_tokens: int = 0
    minute_requests: Window | None = None
    minute_tokens: Window | None = None

    def turn(self, day: Day) -> None:
        """Begin a day, and a month where it is in another one."""
        if day.month is not self.day.month:
            self.month = Sum()
        self.day = day
        self.today = Sum()

    def idle(self, now: float) -> bool:
        """Return whether nothing is lost when the tally is dropped."""
        windows = (self.minute_requests, self.minute_tokens)
        return not (
            self.running
            or self.month.requests
            or self.today.requests
            or any(window is not None and window.total(now) for window in windows)
        )


@attrs.define(eq=False)
class Place:
    """Where a hold is kept: a tally, and its sums of the day and the month of the hold."""

    tally: Tally
    today: Sum
    month: Sum

    @classmethod
    def take(cls, tally: Tally, tokens: int, nano_usd: int, now: float) -> Self:
        """Count a request, and hold what it may use."""
        today, month = tally.today, tally.month
        tally.running += 1
        tally.held_tokens += tokens
        if tally.minute_requests is not None:
            tally.minute_requests.add(1, now)
        today.requests += 1
        month.requests += 1
        today.held_tokens += tokens
        month.held_tokens += tokens
        today.held_nano_usd += nano_usd
        month.held_nano_usd += nano_usd
        return cls(tally, today, month)

    def grow(self, tokens: int, nano_usd: int) -> None:
        """Hold more; negative amounts hold less."""
        self.tally.held_tokens += tokens
        self.today.held_tokens += tokens
        self.month.held_tokens += tokens
        self.today.held_nano_usd += nano_usd
        self.month.held_nano_usd += nano_usd

    def release(self, tokens: int, nano_usd: int) -> None:
        """Hold nothing any more for a request that held these amounts."""
        self.tally.running -= 1
        self.grow(-tokens, -nano_usd)

    def add(self, tokens: int, nano_usd: int, now: float) -> None:
        """Count what a request has used."""
        if tokens and self.tally.minute_tokens is not None:
            self.tally.minute_tokens.add(tokens, now)
        self.today.add(0, tokens, nano_usd)
        self.month.add(0, tokens, nano_usd)


@attrs.define(eq=False)
class Kept:
    """What the limiter keeps about a hold: its places, and the amounts that they hold.

    ``held``: the amounts are still in the sums.
    """

    places: tuple[Place, ...]
    tokens: int
    nano_usd: int
    held: bool = True
    settled: bool = False

    def grow(self, tokens: int, nano_usd: int) -> None:
        """Hold these amounts in place of the former ones."""
        for place in self.places:
            place.grow(tokens - self.tokens, nano_usd - self.nano_usd)
        self.tokens, self.nano_usd = tokens, nano_usd

    def release(self) -> None:
        """Hold nothing any more."""
        if self.held:
            self.held = False
            for place in self.places:
                place.release(self.tokens, self.nano_usd)
