"""``X-Server-Timeout``: the seconds that a client gives the server for an answer.

Google's SDKs send it whenever a timeout is set. To the client the proxy is the server, so it
replaces our own patience with an upstream that has not begun to answer, be it shorter or
longer. Waiting for an answer, the pauses between attempts and the beginning of another one
have to fit into it, and each attempt is told what is left. An answer that has begun is ended
by Gemini or by the client, which both know the header, and not here.

The seconds count from the moment when the client's request is there.
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
    """When an answer is due; ``seconds`` were given at ``began`` (the loop's time)."""

    seconds: float | None = None
    began: float = 0.0

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "Deadline":
        """Return what the client asks for; what is no number of seconds asks for nothing."""
        value = headers.get(HEADER, "").strip()
        seconds = float(value) if _SECONDS.fullmatch(value) else 0.0
        return cls(seconds or None, _now())

    @property
    def at(self) -> float | None:
        """The loop's time at which the answer is due, None for never."""
        return None if self.seconds is None else self.began + self.seconds

    @property
    def left(self) -> float | None:
        """The seconds until then, below 0 when it has passed; None where nothing is due."""
        return None if self.at is None else self.at - _now()

    @property
    def passed(self) -> bool:
        """Whether the answer is overdue."""
        return self.left is not None and self.left <= 0

    def first_byte(self, usual: float) -> float:
        """Return the seconds that an attempt has to begin its answer; ``usual`` without a limit."""
        if self.seconds is None:
            return usual
        return max(self.began + self.seconds - _now(), _LEAST)

    def silence(self, usual: float) -> float:
        """Return the seconds of silence in an answer that has begun, ``usual`` at the least."""
        return max(usual, self.seconds or 0)

    def stamped(self, headers: CIMultiDict[str]) -> CIMultiDict[str]:
        """Return the headers of an attempt, with what is left once that is less."""
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
