"""Counts the requests of a project for a model against its quota.

A minute is any sixty seconds, which is the strictest reading of a quota by minute; a day begins at
midnight in California. Only requests that were let through are counted.
"""

import collections
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import attrs

from gemproxy.chaos.projects import Quota
from gemproxy.chaos.refusals import (
    Exceeded,
    Refusal,
    quota,
    requests_by_day,
    requests_by_minute,
    tokens_by_minute,
)

MINUTE = 60.0
_PACIFIC = ZoneInfo("America/Los_Angeles")
_DELAY_OF_A_DAY = 36.0
"""Google gives some seconds with a day's quota, too, which have nothing to do with its reset."""


def pacific_day(now: float) -> str:
    """Return the date in California at ``now`` (Unix seconds)."""
    return datetime.fromtimestamp(now, _PACIFIC).date().isoformat()


@attrs.define(eq=False)
class Meter:
    """The requests of one project for one model, each with its time and its prompt's tokens."""

    recent: collections.deque[tuple[float, int]] = attrs.field(factory=collections.deque)
    today: str = ""
    by_day: int = 0

    def take(self, limits: Quota, model: str, tokens: int, now: float) -> Refusal | None:
        """Count a request; return the refusal where it exceeds the quota."""
        self._forget(now)
        exceeded, delays = self._exceeded(limits, model, tokens, now)
        if exceeded:
            return quota(*exceeded, delay=round(max(delays), 2))
        self.recent.append((now, tokens))
        self.by_day += 1
        return None

    def _forget(self, now: float) -> None:
        while self.recent and self.recent[0][0] <= now - MINUTE:
            self.recent.popleft()
        if (day := pacific_day(now)) != self.today:
            self.today, self.by_day = day, 0

    def _exceeded(
        self, limits: Quota, model: str, tokens: int, now: float
    ) -> tuple[list[Exceeded], list[float]]:
        """Return the quotas that one more request exceeds, and a delay for each (seconds)."""
        exceeded: list[Exceeded] = []
        delays: list[float] = []
        spent = sum(count for _, count in self.recent)

        def add(kind: Callable[[str, int], Exceeded], limit: int, delay: float) -> None:
            exceeded.append(kind(model, limit))
            delays.append(delay)

        if limits.rpm is not None and len(self.recent) >= limits.rpm:
            add(requests_by_minute, limits.rpm, self._room(now))
        if limits.tpm is not None and spent + tokens > limits.tpm:
            add(tokens_by_minute, limits.tpm, self._room(now))
        if limits.rpd is not None and self.by_day >= limits.rpd:
            add(requests_by_day, limits.rpd, _DELAY_OF_A_DAY)
        return exceeded, delays

    def _room(self, now: float) -> float:
        """Return the seconds until the oldest request of the minute no longer counts."""
        return self.recent[0][0] + MINUTE - now if self.recent else MINUTE
