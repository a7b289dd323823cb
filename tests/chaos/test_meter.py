"""The counts of a quota: any sixty seconds, and the day of California."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.chaos.meter import MINUTE, Meter, pacific_day
from gemproxy.chaos.projects import Quota
from gemproxy.chaos.refusals import Refusal

NOON = datetime(2026, 7, 10, 20, tzinfo=UTC).timestamp()


def quotas(refusal: Refusal | None) -> list[str]:
    assert refusal is not None
    return [violation["quotaId"] for violation in refusal.details[1]["violations"]]


def test_a_minute_is_any_sixty_seconds() -> None:
    meter, limits = Meter(), Quota(rpm=2)

    assert meter.take(limits, "m", 1, NOON) is None
    assert meter.take(limits, "m", 1, NOON + 30) is None
    refusal = meter.take(limits, "m", 1, NOON + 50)
    assert quotas(refusal) == ["GenerateRequestsPerMinutePerProjectPerModel-FreeTier"]
    assert refusal is not None
    assert refusal.message.endswith("Please retry in 10s.")
    assert meter.take(limits, "m", 1, NOON + 60) is None
    assert meter.take(limits, "m", 1, NOON + 89.9) is not None


@given(st.lists(st.floats(0, 40), max_size=40), st.integers(1, 5))
def test_no_window_holds_more_than_the_quota(pauses: list[float], limit: int) -> None:
    meter, at, taken = Meter(), NOON, list[float]()
    for pause in pauses:
        at += pause
        if meter.take(Quota(rpm=limit), "m", 1, at) is None:
            taken.append(at)

    windows = [sum(begin <= one < begin + MINUTE for one in taken) for begin in taken]
    assert max(windows, default=0) <= limit
    assert all(first <= last for first, last in pairwise(taken))


def test_tokens_count_by_minute() -> None:
    meter, limits = Meter(), Quota(tpm=100)

    assert meter.take(limits, "m", 60, NOON) is None
    refusal = meter.take(limits, "m", 60, NOON)
    assert quotas(refusal) == ["GenerateContentInputTokensPerModelPerMinute-FreeTier"]
    assert meter.take(limits, "m", 40, NOON) is None


@pytest.mark.parametrize(
    ("spent", "midnight"),
    [
        ("2026-07-10T20:00", "2026-07-11T07:00"),
        ("2026-11-01T07:30", "2026-11-02T08:00"),  # a day of 25 hours
        ("2027-03-14T09:00", "2027-03-15T07:00"),  # a day of 23 hours
    ],
)
def test_a_day_ends_at_midnight_in_california(spent: str, midnight: str) -> None:
    meter, limits = Meter(), Quota(rpd=1)
    begin, end = (datetime.fromisoformat(f"{at}Z").timestamp() for at in (spent, midnight))

    assert meter.take(limits, "m", 1, begin) is None
    refusal = meter.take(limits, "m", 1, end - 1)
    assert quotas(refusal) == ["GenerateRequestsPerDayPerProjectPerModel-FreeTier"]
    assert meter.take(limits, "m", 1, end) is None
    assert pacific_day(end - 1) != pacific_day(end)


def test_all_exceeded_quotas_stand_in_one_refusal() -> None:
    meter, limits = Meter(), Quota(rpm=0, rpd=0)

    assert len(quotas(meter.take(limits, "m", 1, NOON))) == 2
