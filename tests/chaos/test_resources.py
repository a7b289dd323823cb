"""The fake caches, batches and embeddings."""

import json
from typing import Any

import pytest

from gemproxy.chaos.api import Refused
from gemproxy.chaos.resources import Resources, vector
from gemproxy.chaos.wire import Request

CACHES = "/v1beta/cachedContents"
MODEL = "/v1beta/models/gemini-test"


def ask(resources: Resources, method: str, target: str, document: Any = None) -> dict[str, Any]:
    body = b"" if document is None else json.dumps(document).encode()
    headers = (("x-goog-api-key", "test-key"),)
    reply = resources.answer(Request(method, target, "HTTP/1.1", headers, body))
    assert reply is not None
    found: dict[str, Any] = json.loads(reply.body)
    return found


def test_a_cache_lives_from_its_creation_to_its_deletion() -> None:
    resources = Resources()
    contents = [{"parts": [{"text": "word " * 40}]}]
    made = ask(resources, "POST", CACHES, {"model": "models/m", "contents": contents})
    path = f"/v1beta/{made['name']}"

    assert made["usageMetadata"]["totalTokenCount"] > 1
    assert ask(resources, "GET", path) == made
    assert ask(resources, "GET", CACHES) == {"cachedContents": [made]}
    assert ask(resources, "PATCH", path, {"ttl": "9s"})["expireTime"] == made["expireTime"]
    assert ask(resources, "DELETE", path) == {}
    with pytest.raises(Refused):
        ask(resources, "GET", path)


def test_a_batch_waits_until_it_is_cancelled() -> None:
    resources = Resources()
    asked = {"batch": {"displayName": "mine", "inputConfig": {}}}
    made = ask(resources, "POST", f"{MODEL}:batchGenerateContent", asked)
    path = f"/v1beta/{made['name']}"

    assert made["metadata"]["state"] == "BATCH_STATE_PENDING"
    assert made["metadata"]["displayName"] == "mine"
    assert ask(resources, "POST", f"{path}:cancel", {}) == {}
    assert ask(resources, "GET", path)["metadata"]["state"] == "BATCH_STATE_CANCELLED"
    (listed,) = ask(resources, "GET", "/v1beta/batches")["operations"]
    assert listed["name"] == made["name"]
    assert ask(resources, "DELETE", path) == {}
    assert resources.batches == {}


def test_an_embedding_depends_on_the_text_alone() -> None:
    content = {"parts": [{"text": "a text"}]}
    one = ask(Resources(), "POST", f"{MODEL}:embedContent", {"content": content})
    many = ask(
        Resources(), "POST", f"{MODEL}:batchEmbedContents", {"requests": [{"content": content}] * 2}
    )

    assert one["embedding"]["values"] == vector("a text") != vector("another")
    assert many["embeddings"] == [one["embedding"]] * 2


def test_what_is_none_of_these_is_left_to_others() -> None:
    for method, target in (("GET", "/v1beta/files"), ("GET", f"{MODEL}:embedContent")):
        assert Resources().answer(Request(method, target, "HTTP/1.1", (), b"")) is None


def test_a_batch_is_not_made_by_its_collection() -> None:
    with pytest.raises(Refused):
        ask(Resources(), "POST", "/v1beta/batches", {})
