"""What the refusal of a quota teaches: which quota it is, and for how long it refuses.

The longest quota of those that an answer names decides. A quota of a day (or longer) lasts until
its reset whatever RetryInfo says, because that delay is the one of the quota of the minute. A quota
of 0 never ends: the model is not in the project's tier. Otherwise the delay decides: RetryInfo,
else Retry-After, else the words "Please retry in 8.5s."; a quota of the minute without a delay
lasts a minute. The answer may name neither a quota nor a delay.
"""

import re
from collections.abc import Mapping
from typing import Any

import attrs

from gemproxy.core.errors import details_of
from gemproxy.core.repair.refusals import is_nothing, lasts, names_quota
from gemproxy.core.repair.verdict import retry_delay
from gemproxy.pool.state import Why

_TOO_MANY_REQUESTS = 429
_EXHAUSTED = "RESOURCE_EXHAUSTED"
_REASONS = frozenset({"RATE_LIMIT_EXCEEDED", "RESOURCE_QUOTA_EXCEEDED"})
_PER_MINUTE = re.compile(r"per[_ ]?minute|^1/min\b", re.IGNORECASE)
_WORDS = re.compile(r"\bretry in ((?:\d{1,9}(?:\.\d+)?(?:h|ms|m|s))+)", re.IGNORECASE)
_PIECE = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)", re.IGNORECASE)
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_MINUTE = 60.0
SHORTEST, LONGEST = 1.0, 86_400.0
"""Bounds of a delay in seconds, against asking too often and against nonsense."""


@attrs.frozen
class Quota:
    """A quota that refuses: MINUTE for some ``seconds``; DAY, ABSENT and BARE have none."""

    why: Why
    seconds: float = 0.0


def is_quota(status: int, error: Mapping[str, Any] | None) -> bool:
    """Return whether a refusal that is the fault of the key is one of a quota."""
    if status == _TOO_MANY_REQUESTS or (error or {}).get("status") == _EXHAUSTED:
        return True
    return any(info.get("reason") in _REASONS for info in details_of(error, "ErrorInfo"))


def quota_of(error: Mapping[str, Any] | None, retry_after: float | None) -> Quota:
    """Return the quota that a refusal names; ``retry_after`` is its Retry-After in seconds."""
    if is_nothing(error):
        return Quota(Why.ABSENT)
    if lasts(error):
        return Quota(Why.DAY)
    asked = _asked(error, retry_after)
    if asked is not None:
        return Quota(Why.MINUTE, min(max(asked, SHORTEST), LONGEST))
    if names_quota(error, _PER_MINUTE):
        return Quota(Why.MINUTE, _MINUTE)
    return Quota(Why.BARE)


def _asked(error: Mapping[str, Any] | None, retry_after: float | None) -> float | None:
    """Return the seconds that the upstream asked to wait, None if it did not say."""
    asked = retry_delay(error)
    if asked is None:
        asked = retry_after
    if asked is not None:
        return asked
    words = _WORDS.search(str((error or {}).get("message", "")))
    if words is None:
        return None
    pieces = _PIECE.findall(words[1])
    return sum(float(number) * _UNITS[unit.lower()] for number, unit in pieces)
