"""What the refusal of a quota teaches, by the answers that users reported."""

from typing import Any

import pytest

from gemproxy.pool.quota import LONGEST, SHORTEST, Quota, is_quota, quota_of
from gemproxy.pool.state import Why
from tests.pool.refusals import (
    PER_DAY,
    PER_MINUTE,
    TOKENS_PER_MINUTE,
    error,
    exhausted,
    info,
    retry,
    violations,
)

TEACHES: dict[str, tuple[dict[str, Any], float | None, Quota]] = {
    "a minute": (
        exhausted(violations(PER_MINUTE), retry("20.04s")),
        None,
        Quota(Why.MINUTE, 20.04),
    ),
    "a day, whose delay is another one's": (
        exhausted(violations(PER_DAY), retry("36s")),
        None,
        Quota(Why.DAY),
    ),
    "a minute and a day": (
        exhausted(violations(PER_MINUTE, PER_DAY), retry("20s")),
        None,
        Quota(Why.DAY),
    ),
    "a day in a second detail": (
        exhausted(violations(PER_MINUTE), violations(PER_DAY), retry("20s")),
        None,
        Quota(Why.DAY),
    ),
    "a day by ErrorInfo": (
        exhausted(info("RATE_LIMIT_EXCEEDED", quota_unit="1/d/{project}")),
        None,
        Quota(Why.DAY),
    ),
    "a delay in words": (
        exhausted(violations(TOKENS_PER_MINUTE), message="x. Please retry in 8.5s."),
        None,
        Quota(Why.MINUTE, 8.5),
    ),
    "minutes in words": (
        exhausted(message="Please retry in 1h2m3.5s."),
        None,
        Quota(Why.MINUTE, 3723.5),
    ),
    "less than a second in words": (
        exhausted(message="Please retry in 643.71ms."),
        None,
        Quota(Why.MINUTE, SHORTEST),
    ),
    "RetryInfo before the header and the words": (
        exhausted(retry("7s"), message="Please retry in 8.5s."),
        9.0,
        Quota(Why.MINUTE, 7.0),
    ),
    "a header before the words": (
        exhausted(message="Please retry in 8.5s."),
        9.0,
        Quota(Why.MINUTE, 9.0),
    ),
    "a minute without a delay": (exhausted(violations(PER_MINUTE)), None, Quota(Why.MINUTE, 60.0)),
    "a delay that is nonsense": (
        exhausted(retry("999999999s")),
        None,
        Quota(Why.MINUTE, LONGEST),
    ),
    "limit 0": (
        exhausted(violations(PER_MINUTE, PER_DAY, value="0"), retry("14.19s")),
        None,
        Quota(Why.ABSENT),
    ),
    "limit 0 in words": (
        exhausted(
            violations(PER_MINUTE, value=None),
            retry("14.19s"),
            message="* Quota exceeded for metric: x/requests, limit: 0, model: m\nPlease retry",
        ),
        None,
        Quota(Why.ABSENT),
    ),
    "limit 0.5 is a limit": (
        exhausted(retry("5s"), message="limit: 0.5"),
        None,
        Quota(Why.MINUTE, 5.0),
    ),
    "nothing": (
        exhausted(message="Resource has been exhausted (e.g. check quota)."),
        None,
        Quota(Why.BARE),
    ),
    "violations that are none": (
        exhausted({**violations(), "violations": ["x", None]}, {**info("x"), "metadata": 5}),
        None,
        Quota(Why.BARE),
    ),
}


@pytest.mark.parametrize("case", TEACHES)
def test_the_longest_quota_decides(case: str) -> None:
    refusal, retry_after, lesson = TEACHES[case]

    assert quota_of(refusal, retry_after) == lesson


def test_a_refusal_of_a_quota_is_told_by_its_status_or_its_reason() -> None:
    assert is_quota(429, None)
    assert is_quota(403, error(403, "PERMISSION_DENIED", "x", info("RATE_LIMIT_EXCEEDED")))
    assert is_quota(400, error(400, "RESOURCE_EXHAUSTED", "x"))
    assert not is_quota(403, error(403, "PERMISSION_DENIED", "x", info("CONSUMER_SUSPENDED")))
