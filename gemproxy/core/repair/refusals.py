"""Error answers: which of them justify the same request again, and when.

A 5xx is a temporary failure. A 429 is a quota: another try makes sense only if the answer gives its
duration (google.rpc.RetryInfo, else Retry-After) and the quota is not daily. Daily quotas also come
with a RetryInfo of a second, which concerns the quota per minute. If a quota asks for a second
wait, it was not over, so there is only one wait.

A fault of the key (``blame``) does not concern other keys. If there is another one, it is used at
once, whatever the quota's duration, and the pacing is not asked: it is the first try of that key.

Waits that the upstream asks for are respected, also with a 503 (RFC 9110 section 10.2.3), until
their sum exceeds the operator's limit. Then the answer is passed on unchanged.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from gemproxy.core.errors import details_of, upstream_error
from gemproxy.core.repair.blame import Fault, blame
from gemproxy.core.repair.events import Rejected
from gemproxy.core.repair.verdict import is_transient, retry_delay

_TOO_MANY_REQUESTS = 429
_FOR_LONG = re.compile(r"per[_ ]?(?:day|week|month)|^1/d\b", re.IGNORECASE)
_NAMES = ("quotaId", "quotaMetric", "description", "quota_limit", "quota_metric", "quota_unit")
_OF_NOTHING = re.compile(r"\blimit: 0(?![.\d])")


@attrs.frozen
class Again:
    """Ask again ``after`` the seconds that the upstream asked for; None: after our own delay.

    ``elsewhere``: the refusal was the fault of the key. ``at_once``: another key is used, so
    nothing is paced.
    """

    after: float | None = None
    elsewhere: bool = False
    at_once: bool = False


AT_OUR_OWN_PACE = Again()
WITH_ANOTHER_KEY = Again(elsewhere=True, at_once=True)


@attrs.define
class Refusals:
    """Judges the error answers to one request; ``limit`` is for the sum of waits (seconds)."""

    limit: float
    _waited: float = 0.0
    _waited_for_a_quota: bool = False

    def judge_answer(self, rejected: Rejected) -> Again | None:
        """Return how to ask again after an error answer, or None to pass it on."""
        return self.judge(
            rejected.status,
            upstream_error(rejected.body),
            rejected.retry_after,
            another=rejected.another,
        )

    def judge(
        self,
        status: int,
        error: Mapping[str, Any] | None,
        retry_after: float | None = None,
        *,
        another: bool = False,
    ) -> Again | None:
        """Return how to ask again, or None to pass the answer on.

        ``error`` is the google.rpc.Status in it, ``retry_after`` its Retry-After in seconds.
        ``another``: another key could be used.
        """
        elsewhere = blame(status, error) is Fault.KEY
        if elsewhere and another:
            return WITH_ANOTHER_KEY
        if not is_transient(status):
            return None
        asked = retry_delay(error)
        asked = retry_after if asked is None else asked
        if status == _TOO_MANY_REQUESTS:
            if asked is None or self._waited_for_a_quota or lasts(error):
                return None
            self._waited_for_a_quota = True
        self._waited += asked or 0.0
        return Again(asked, elsewhere) if self._waited <= self.limit else None


def lasts(error: Mapping[str, Any] | None) -> bool:
    """Return whether no wait of seconds helps: the quota is for a day or longer, or is 0.

    Google names it in QuotaFailure (``GenerateRequestsPerDayPerProjectPerModel-FreeTier``) and in
    ErrorInfo (``quota_unit`` 1/d/{project}).
    """
    return is_nothing(error) or names_quota(error, _FOR_LONG)


def is_nothing(error: Mapping[str, Any] | None) -> bool:
    """Return whether the quota is 0: the model is not in the caller's tier.

    Google gives it as the quotaValue of QuotaFailure, or writes ``limit: 0`` in the message.
    """
    return _OF_NOTHING.search(_message(error)) is not None or any(map(_is_zero, _quotas(error)))


def names_quota(error: Mapping[str, Any] | None, pattern: re.Pattern[str]) -> bool:
    """Return whether the message, or the name of a quota in the details, matches ``pattern``."""
    named = (str(quota.get(name, "")) for quota in _quotas(error) for name in _NAMES)
    return pattern.search(_message(error)) is not None or any(map(pattern.search, named))


def _message(error: Mapping[str, Any] | None) -> str:
    return str((error or {}).get("message", ""))


def _quotas(error: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    """Yield the objects in an error that name a quota."""
    for failure in details_of(error, "QuotaFailure"):
        violations = failure.get("violations")
        listed = violations if isinstance(violations, list) else []
        yield from (violation for violation in listed if isinstance(violation, dict))
    for info in details_of(error, "ErrorInfo"):
        metadata = info.get("metadata")
        if isinstance(metadata, dict):
            yield metadata


def _is_zero(quota: Mapping[str, Any]) -> bool:
    return str(quota.get("quotaValue", quota.get("quota_limit_value"))) == "0"
