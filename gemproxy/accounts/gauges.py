"""Limits with their counters: how much of a limit is taken, and when there is room again."""

from collections.abc import Callable

import attrs
import msgspec

from gemproxy.accounts.hold import Asked
from gemproxy.accounts.state import Kept, Tally
from gemproxy.accounts.user import Kind, Limit
from gemproxy.accounts.window import LENGTH, Window

HELD_SECONDS = 5.0
"""The wait where running requests hold the rest of a limit: nobody knows when they end."""

_BUSY_SECONDS = 1.0
"""The wait where too many requests run."""


class State(msgspec.Struct, frozen=True):
    """How much of a limit is taken, and what a request asks of it.

    ``whose``: the limit of all requests, or of all addresses, in words; empty for a user's own.
    ``room`` is when enough has left the limit for this request, if what is held were given back;
    ``more`` is when the first part of what is spent leaves, and ``empty`` when nothing is left of
    it. These are Unix seconds, and None for a limit that time does not change.
    """

    limit: Limit
    spent: int
    held: int
    asked: int
    room: float | None
    more: float | None
    empty: float | None
    span: int | None = None
    """The seconds of the window, None for a limit without one."""
    whose: str = ""

    @property
    def remaining(self) -> int:
        """What can still be asked for."""
        return max(0, self.limit.amount - self.spent - self.held)

    @property
    def fits(self) -> bool:
        """Whether the request has room."""
        return self.spent + self.held + self.asked <= self.limit.amount

    @property
    def never(self) -> bool:
        """Whether the request asks for more than the whole limit."""
        return self.asked > self.limit.amount

    @property
    def behind_holds(self) -> bool:
        """Whether only running requests are in the way."""
        return not self.fits and self.spent + self.asked <= self.limit.amount

    def wait(self, now: float) -> float | None:
        """Return the seconds until the request may have room; None if no wait helps."""
        if self.never:
            return None
        if self.room is None:
            return _BUSY_SECONDS
        return HELD_SECONDS if self.behind_holds else max(1.0, self.room - now)


@attrs.frozen
class _Measure:
    """How a kind of limit is counted."""

    spent: Callable[[Tally, float], int]
    held: Callable[[Tally], int]
    asked: Callable[[Asked], int]
    window: Callable[[Tally], Window | None] = lambda _: None
    month: bool = False


def _none(_: Tally) -> int:
    return 0


def _one(_: Asked) -> int:
    return 1


def _tokens(asked: Asked) -> int:
    return asked.tokens


def _money(asked: Asked) -> int:
    return asked.nano_usd or 0


def _in_window(window: Window | None, now: float) -> int:
    return 0 if window is None else window.total(now)


_MEASURES = {
    Kind.RPM: _Measure(
        lambda tally, now: _in_window(tally.minute_requests, now),
        _none,
        _one,
        window=lambda tally: tally.minute_requests,
    ),
    Kind.TPM: _Measure(
        lambda tally, now: _in_window(tally.minute_tokens, now),
        lambda tally: tally.held_tokens,
        _tokens,
        window=lambda tally: tally.minute_tokens,
    ),
    Kind.RPD: _Measure(lambda tally, _: tally.today.requests, _none, _one),
    Kind.CONCURRENCY: _Measure(lambda _tally, _now: 0, lambda tally: tally.running, _one),
    Kind.TOKENS_PER_DAY: _Measure(
        lambda tally, _: tally.today.tokens, lambda tally: tally.today.held_tokens, _tokens
    ),
    Kind.TOKENS_PER_MONTH: _Measure(
        lambda tally, _: tally.month.tokens,
        lambda tally: tally.month.held_tokens,
        _tokens,
        month=True,
    ),
    Kind.USD_PER_DAY: _Measure(
        lambda tally, _: tally.today.nano_usd, lambda tally: tally.today.held_nano_usd, _money
    ),
    Kind.USD_PER_MONTH: _Measure(
        lambda tally, _: tally.month.nano_usd,
        lambda tally: tally.month.held_nano_usd,
        _money,
        month=True,
    ),
}

MONEY = frozenset({Kind.USD_PER_DAY, Kind.USD_PER_MONTH})
PER_ADDRESS = frozenset({Kind.PER_IP_RPM, Kind.PER_IP_RPD})


@attrs.frozen(eq=False)
class Gauge:
    """A limit of a user with the tally that it is about."""

    limit: Limit
    tally: Tally
    _measure: _Measure

    @classmethod
    def of(cls, limit: Limit, tally: Tally) -> "Gauge":
        """Return the gauge of a limit that is not one of addresses."""
        if limit.kind is Kind.RPM and tally.minute_requests is None:
            tally.minute_requests = Window()
        if limit.kind is Kind.TPM and tally.minute_tokens is None:
            tally.minute_tokens = Window()
        return cls(limit, tally, _MEASURES[limit.kind])

    def grows(self, kept: Kept) -> bool:
        """Return whether the limit is about what a request takes while it runs: tokens or money.

        A limit of the day is not about a request that began on an earlier one.
        """
        begun, kind = kept.places[0], self.limit.kind
        if kind is Kind.TPM:
            return True
        if self._measure.asked is _one:
            return False
        tally = begun.tally
        return begun.month is tally.month if self._measure.month else begun.today is tally.today

    def fits(self, asked: Asked, now: float) -> bool:
        """Return whether a request has room."""
        tally, measure = self.tally, self._measure
        taken = measure.spent(tally, now) + measure.held(tally)
        return taken + measure.asked(asked) <= self.limit.amount

    def state(self, asked: Asked, now: float) -> State:
        """Return how much is taken, beside what the request asks for."""
        tally, measure, limit = self.tally, self._measure, self.limit
        asks, held = measure.asked(asked), measure.held(tally)
        room: float | None
        more: float | None
        empty: float | None
        window = measure.window(tally)
        if window is not None:
            spent, room = window.total(now), now
            if spent + asks > limit.amount:
                room = window.less(spent + asks - limit.amount, now)
            more, empty = window.ends(now)
            return State(limit, spent, held, asks, room, more, empty, int(LENGTH))
        spent, span = measure.spent(tally, now), None
        if limit.kind is Kind.CONCURRENCY:
            room = more = empty = None
        else:
            period = tally.day.month if measure.month else tally.day
            room = more = empty = period.end
            span = int(period.end - period.start)
        return State(limit, spent, held, asks, room, more, empty, span)
