"""Error answers: which of them the same request may survive, and when to ask again.

A 5xx is a bad moment. A 429 is a quota: it is worth another try only when it says how long it
lasts (google.rpc.RetryInfo, else Retry-After) and that is not for the day. Quotas per day come
with a RetryInfo of a second, too, which is about the minute. And a quota that asks a second
time was not over, so it is waited for once.

A fault of the key (``blame``) does not meet another key. Where there is one, it is asked at once,
whatever the quota says of its end.

Waits that the upstream asks for are kept, by a 503 too (RFC 9110 section 10.2.3), until they
amount to more than the operator allows. Then the answer is passed on as it came.
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
    """Ask again, ``after`` the seconds that the upstream asked for; None: at one's own pace.

    ``elsewhere`` says that the refusal was the fault of the key.
    """

    after: float | None = None
    elsewhere: bool = False


AT_OUR_OWN_PACE = Again()


@attrs.define
class Refusals:
    """Judges the error answers to one request; ``limit`` caps the waits, in seconds in all."""

    limit: float
    _waited: float = 0.0
    _waited_for_a_quota: bool = False

    def judge_answer(self, rejected: Rejected) -> Again | None:
        """Return how to ask again after an error answer, or None when it is to be passed on."""
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
        """Return how to ask again, or None when the answer is to be passed on.

        ``error`` is the google.rpc.Status in it, ``retry_after`` its Retry-After in seconds.
        ``another`` says that another key could be used.
        """
        elsewhere = blame(status, error) is Fault.KEY
        if elsewhere and another:
            return Again(elsewhere=True)
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
    """Tell a quota that no wait of seconds helps: one for a day or longer, or one of nothing.

    Google names it in QuotaFailure (``GenerateRequestsPerDayPerProjectPerModel-FreeTier``,
    quotaValue 0) and in ErrorInfo (``quota_unit`` 1/d/{project}), and says ``limit: 0`` in the
    message for a model that is not on the caller's tier.
    """
    error = error or {}
    message = str(error.get("message", ""))
    if _OF_NOTHING.search(message) or _FOR_LONG.search(message):
        return True
    return any(map(_is_long, _quotas(error)))


def _quotas(error: Mapping[str, Any]) -> Iterator[object]:
    """Yield what names a quota in an error."""
    for failure in details_of(error, "QuotaFailure"):
        violations = failure.get("violations")
        yield from violations if isinstance(violations, list) else []
    for info in details_of(error, "ErrorInfo"):
        yield info.get("metadata")


def _is_long(quota: object) -> bool:
    if not isinstance(quota, dict):
        return False
    value = quota.get("quotaValue", quota.get("quota_limit_value"))
    return str(value) == "0" or any(_FOR_LONG.search(str(quota.get(name, ""))) for name in _NAMES)
