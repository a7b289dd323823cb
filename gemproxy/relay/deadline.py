"""``X-Server-Timeout``: the seconds that a client gives the server for an answer.

Google's SDKs send it whenever a timeout is set. To the client the proxy is the server, so
the whole of it, all attempts and the waits between them, has to fit; each attempt is told
what is left.
"""

import asyncio
import math
import re
from collections.abc import Mapping

import attrs
from multidict import CIMultiDict

HEADER = "X-Server-Timeout"
_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,9})?")


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
        return cls(seconds or None, asyncio.get_running_loop().time())

    @property
    def at(self) -> float | None:
        """The loop's time at which the answer is due, None for never."""
        return None if self.seconds is None else self.began + self.seconds

    def stamped(self, headers: CIMultiDict[str]) -> CIMultiDict[str]:
        """Return the headers of an attempt, with what is left once that is less."""
        if self.seconds is None:
            return headers
        passed = asyncio.get_running_loop().time() - self.began
        left = max(math.ceil(self.seconds - passed), 1)
        if left >= self.seconds:
            return headers
        stamped = headers.copy()
        stamped[HEADER] = str(left)
        return stamped
