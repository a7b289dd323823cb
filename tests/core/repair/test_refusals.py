"""Which error answers the same request may survive, and when to ask again."""

from typing import Any

import pytest

from gemproxy.core.repair.events import Rejected
from gemproxy.core.repair.refusals import WITH_ANOTHER_KEY, Again, Refusals, lasts

Json = dict[str, Any]

INFO = "type.googleapis.com/google.rpc."
RETRY = {"@type": f"{INFO}RetryInfo", "retryDelay": "1s"}


def quota(*violations: Json, message: str = "Quota exceeded.") -> Json:
    failure = {"@type": f"{INFO}QuotaFailure", "violations": list(violations)}
    return {"code": 429, "message": message, "details": [failure, RETRY]}


def named(quota_id: str, **more: Any) -> Json:
    return {"quotaId": quota_id, "quotaValue": "20", **more}


def info(**metadata: str) -> Json:
    detail = {"@type": f"{INFO}ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED", "metadata": metadata}
    return {"code": 429, "details": [detail, RETRY]}


PER_MINUTE = named("GenerateRequestsPerMinutePerProjectPerModel-FreeTier")
FOR_LONG = {
    "of the free tier": quota(named("GenerateRequestsPerDayPerProjectPerModel-FreeTier")),
    "paid": quota(named("GenerateRequestsPerDayPerProjectPerModel")),
    "of tokens": quota(named("GenerateContentInputTokensPerModelPerDay-FreeTier")),
    "beside one of the minute": quota(PER_MINUTE, named("GenerateRequestsPerDayPerProject")),
    "by its metric": quota({"quotaMetric": "x.googleapis.com/generate_requests_per_model_per_day"}),
    "in words": quota({"subject": "p", "description": "Requests per day"}),
    "in the message": quota(message="Quota exceeded for 'Generate requests per day'."),
    "of an ErrorInfo": info(quota_limit="GenerateContentRequestsPerDayPerProject"),
    "by its unit": info(quota_unit="1/d/{project}/{model}"),
    "of a month": quota(named("GenerateRequestsPerMonthPerProject")),
    "of nothing": quota(named("GenerateRequestsPerMinutePerProject", quotaValue="0")),
    "of nothing, in the message": quota(
        message="* Quota exceeded for metric: x/free_tier_requests, limit: 0, model: gemini-3-pro"
    ),
}
FOR_A_MOMENT = {
    "of the minute": quota(PER_MINUTE),
    "for a model of that name": quota(
        {**PER_MINUTE, "quotaDimensions": {"model": "one-per-day-1/d"}}
    ),
    "of a limit that begins with 0": quota(message="limit: 0.5 per second"),
    "of 10": quota(message="limit: 10, model: x"),
    "with an ErrorInfo": info(quota_unit="1/min/{project}", quota_limit_value="15"),
    "of odd types": {"message": 7, "details": [7, {"@type": "QuotaFailure", "violations": 7}]},
    "of odd violations": {"details": [{"@type": "QuotaFailure", "violations": [7, None]}]},
    "without details": {"details": "x"},
}


@pytest.mark.parametrize("name", FOR_LONG)
def test_a_quota_for_a_day_is_passed_on_at_once_whatever_its_delay_says(name: str) -> None:
    assert lasts(FOR_LONG[name])
    assert Refusals(30).judge(429, FOR_LONG[name]) is None
    assert Refusals(30).judge(429, FOR_LONG[name], 1.0) is None


@pytest.mark.parametrize("name", FOR_A_MOMENT)
def test_another_quota_is_waited_for(name: str) -> None:
    assert not lasts(FOR_A_MOMENT[name])
    assert Refusals(30).judge(429, FOR_A_MOMENT[name], 1.0) == Again(1.0, elsewhere=True)


def test_a_quota_that_names_no_time_is_passed_on() -> None:
    assert Refusals(30).judge(429, None) is None
    assert Refusals(30).judge(429, {"code": 429}) is None


def test_a_quota_is_waited_for_once() -> None:
    refusals = Refusals(30)

    assert refusals.judge(429, quota(PER_MINUTE)) == Again(1.0, elsewhere=True)
    assert refusals.judge(429, quota(PER_MINUTE)) is None


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_server_that_is_down_is_asked_again_and_its_wait_kept(status: int) -> None:
    assert Refusals(30).judge(status, None) == Again()
    assert Refusals(30).judge(status, None, 20) == Again(20)
    assert Refusals(30).judge(status, {"details": [RETRY]}, 20) == Again(1.0)


@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_beyond_the_limit_means_no(status: int) -> None:
    assert Refusals(30).judge(status, None, 30) == Again(30)
    assert Refusals(30).judge(status, None, 30.5) is None


def test_the_limit_is_for_all_waits_of_a_request() -> None:
    refusals = Refusals(30)

    answers = [refusals.judge(503, None, 10) for _ in range(4)]

    assert answers == [Again(10), Again(10), Again(10), None]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 501])
def test_an_answer_that_would_be_the_same_again_is_passed_on(status: int) -> None:
    assert Refusals(30).judge(status, {"details": [RETRY]}, 1) is None


@pytest.mark.parametrize("error", [*FOR_LONG.values(), *FOR_A_MOMENT.values()])
def test_a_quota_is_not_waited_for_where_there_is_another_key(error: Json) -> None:
    refusals = Refusals(30)

    answers = [refusals.judge(429, error, 3600, another=True) for _ in range(3)]

    assert answers == [WITH_ANOTHER_KEY] * 3


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_another_key_is_of_no_use_where_the_key_is_not_at_fault(status: int) -> None:
    judged = [Refusals(30).judge(status, {}, another=another) for another in (True, False)]

    assert judged[0] == judged[1] != WITH_ANOTHER_KEY


def test_an_answer_is_judged_by_all_that_it_says() -> None:
    body = b'{"error": {"status": "RESOURCE_EXHAUSTED", "message": "Resource exhausted."}}'

    assert Refusals(30).judge_answer(Rejected(503, b"")) == Again()
    assert Refusals(30).judge_answer(Rejected(429, body, 7)) == Again(7, elsewhere=True)
    assert Refusals(30).judge_answer(Rejected(429, body)) is None
    assert Refusals(30).judge_answer(Rejected(429, body, another=True)) == WITH_ANOTHER_KEY
