"""The front end of the fake: keys, their states, quotas, and what came."""

import json
from typing import Any

import pytest

from gemproxy.chaos.api import Refused
from gemproxy.chaos.cloud import Arrival, Cloud
from gemproxy.chaos.projects import Project, Quota
from gemproxy.chaos.refusals import (
    BILLING,
    INVALID,
    LOCATION,
    WRONG_TOKEN,
    Refusal,
    quota,
    requests_by_minute,
)
from gemproxy.chaos.wire import Request

GENERATE = "/v1beta/models/gemini-x:generateContent"
LAB = Project("lab", ("key1", "key2"), Quota(rpm=2), off=frozenset({"gemini-y"}))
HOME = Project("home", ("key3",))


def request(key: str, path: str = GENERATE, method: str = "POST", document: Any = None) -> Request:
    body = json.dumps(document or {}).encode()
    return Request(method, path, "HTTP/1.1", (("x-goog-api-key", key),), body)


def asked(cloud: Cloud, key: str, path: str = GENERATE) -> Refusal | None:
    """Return the refusal of a request, from admission or from counting."""
    asking = request(key, path)
    arrival, refusal = cloud.admit(asking)
    return refusal or cloud.count(arrival, asking)


def test_only_a_key_of_a_project_comes_in() -> None:
    cloud = Cloud([LAB, HOME])

    assert asked(cloud, "key1") is None
    assert asked(cloud, "AIzaUnknown") == INVALID
    assert asked(cloud, "AQ.unknown") == WRONG_TOKEN
    with pytest.raises(Refused, match="unregistered"):
        cloud.admit(Request("GET", "/v1/models", "HTTP/1.1", (), b""))


def test_keys_of_a_project_share_its_quota_and_models_do_not() -> None:
    cloud = Cloud([LAB, HOME])
    cloud.now = lambda: 1000.0

    assert [asked(cloud, key) is None for key in ("key1", "key2", "key1")] == [True, True, False]
    assert asked(cloud, "key2", "/v1/models/gemini-z:generateContent") is None
    assert asked(cloud, "key3") is None
    assert asked(cloud, "key1", "/v1/models/gemini-x:countTokens") is None


def test_the_clock_is_the_tests() -> None:
    cloud, now = Cloud([LAB]), [1000.0]
    cloud.now = lambda: now[0]

    assert [asked(cloud, "key1") is None for _ in range(3)] == [True, True, False]
    now[0] += 60
    assert asked(cloud, "key1") is None


def test_a_model_outside_of_the_tier_has_a_limit_of_0() -> None:
    refusal = asked(Cloud([LAB]), "key1", "/v1/models/gemini-y:generateContent")

    assert refusal is not None
    assert refusal.message.count("limit: 0") == 4


def test_a_key_a_project_or_everybody_may_be_refused_while_it_runs() -> None:
    cloud = Cloud([LAB, HOME])

    cloud.refuse("key1", INVALID)
    assert (asked(cloud, "key1"), asked(cloud, "key2")) == (INVALID, None)
    cloud.heal("key1")
    cloud.refuse("lab", BILLING)
    assert (asked(cloud, "key2"), asked(cloud, "key3")) == (BILLING, None)
    cloud.refuse("*", LOCATION)
    assert (asked(cloud, "key2"), asked(cloud, "key3")) == (BILLING, LOCATION)
    cloud.heal()
    assert asked(cloud, "key3") is None


def test_a_refusal_may_be_for_one_model_and_so_many_times() -> None:
    cloud = Cloud([HOME])
    words = quota(requests_by_minute("gemini-x"), delay=20.04)
    cloud.refuse("home", words, model="gemini-x", times=1)

    assert asked(cloud, "key3", "/v1/models/gemini-z:generateContent") is None
    assert asked(cloud, "key3") == words
    assert asked(cloud, "key3") is None


def test_what_came_is_counted_refused_or_not() -> None:
    cloud, now = Cloud([LAB]), [1000.0]
    cloud.now = lambda: now[0]
    for pause in (0, 30, 29, 1, 100):
        now[0] += pause
        asked(cloud, "key1")
    asked(cloud, "key1", "/v1/models/gemini-z:generateContent")

    assert cloud.most("lab", "gemini-x") == 3
    assert cloud.most("lab", "gemini-x", seconds=1000) == 5
    assert cloud.most("home", "gemini-x") == 0
    assert [one.model for one in cloud.came("key1", "gemini-z")] == ["gemini-z"]
    assert [one.at for one in cloud.came("lab")][:2] == [1000.0, 1030.0]


def test_refusals_are_observed_and_keys_do_not_show() -> None:
    seen: list[Arrival] = []
    cloud = Cloud([LAB], record=False, observe=seen.append)
    asked(cloud, "key9")

    assert [(one.project, one.status) for one in seen] == [("", 400)]
    assert "key9" not in repr(seen)
    assert cloud.log == []


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1/interactions", "gemini-i"),
        ("/v1beta/openai/chat/completions", "gemini-i"),
        ("/v1/interactions/x/cancel", ""),
        ("/v1/models/gemini-x:batchEmbedContents", "gemini-x"),
        ("/v1/models/gemini-x:batchGenerateContent", ""),
    ],
)
def test_a_quota_counts_what_a_model_answers(path: str, model: str) -> None:
    cloud = Cloud([HOME])
    cloud.admit(request("key3", path, document={"model": "models/gemini-i"}))

    assert cloud.log[0].model == model
