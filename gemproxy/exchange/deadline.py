"""``X-Server-Timeout``: the seconds that a client gives the server for an answer.

Google's SDKs send it whenever a timeout is set. The proxy is the client's server, so the header
replaces our own time limit for an answer to begin, whether it is shorter or longer. The wait for an
answer, the pauses between attempts and the start of another attempt must fit into it, and each
attempt gets the remaining time. It never ends an answer that has begun; Gemini and the client know
the header and do that themselves.

The seconds count from the arrival of the client's request.
"""

import asyncio
import math
import re
from collections.abc import Mapping

import attrs
from multidict import CIMultiDict

HEADER = "X-Server-Timeout"
_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,9})?")
_LEAST = 0.001
"""Seconds: the client library takes 0 for no limit."""


@attrs.frozen
class Deadline:
    """The time limit of an answer: ``seconds`` from ``began`` (the loop's time)."""

    seconds: float | None = None
    began: float = 0.0

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "Deadline":
        """Return the deadline of the header; none if its value is not a number of seconds."""
        value = headers.get(HEADER, "").strip()
        seconds = float(value) if _SECONDS.fullmatch(value) else 0.0
        return cls(seconds or None, _now())

    @property
    def at(self) -> float | None:
        """The loop's time at which the answer is due, None for never."""
        return None if self.seconds is None else self.began + self.seconds

    @property
    def left(self) -> float | None:
        """The remaining seconds, negative if it has passed; None without a limit."""
        return None if self.at is None else self.at - _now()

    @property
    def passed(self) -> bool:
        """Whether the answer is overdue."""
        return self.left is not None and self.left <= 0

    def first_byte(self, usual: float) -> float:
        """Return the seconds for an attempt's answer to begin; ``usual`` without a limit."""
        if self.seconds is None:
            return usual
        return max(self.began + self.seconds - _now(), _LEAST)

    def silence(self, usual: float) -> float:
        """Return the allowed seconds of silence in a begun answer, at least ``usual``."""
        return max(usual, self.seconds or 0)

    def stamped(self, headers: CIMultiDict[str]) -> CIMultiDict[str]:
        """Return the headers of an attempt, with the remaining time if that is less."""
        if self.seconds is None:
            return headers
        left = max(math.ceil(self.began + self.seconds - _now()), 1)
        if left >= self.seconds:
            return headers
        stamped = headers.copy()
        stamped[HEADER] = str(left)
        return stamped


NEVER_DUE = Deadline()


def _now() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()
