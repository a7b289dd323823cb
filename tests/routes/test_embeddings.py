"""/v1/embeddings over real sockets: batches up, one list down."""

import json
from typing import Any

import pytest

from tests.gemini import Json
from tests.replies import DEAD, Reply, error_reply, json_reply, replying
from tests.running import AccessLog, StartProxy
from tests.wire import Answer

EMBEDDINGS = "/v1/embeddings"
MODEL = "gemini-embedding-001"
BEARER = {"Authorization": "Bearer some-key", "OpenAI-Organization": "o"}
NONE = {"repair": {"max_consecutive_retries": 0}}


def body(given: object, **fields: Any) -> bytes:
    return json.dumps({"model": MODEL, "input": given, **fields}).encode()


def batch(*vectors: list[float], **more: Any) -> Reply:
    return json_reply({"embeddings": [{"values": vector} for vector in vectors], **more})


async def got(proxy: StartProxy, sent: bytes, *replies: Reply, **sections: Any) -> Answer:
    async with replying(*replies) as upstream:
        return await (await proxy(upstream.url, **sections)).ask(EMBEDDINGS, sent, BEARER)


async def test_texts_become_a_batch_of_gemini_s(proxy: StartProxy, access_log: AccessLog) -> None:
    async with replying(batch([0.25, -1.0, 3.0], [0, 0, 1])) as upstream:
        running = await proxy(upstream.url)
        sent = body(["a", "b"], encoding_format="base64", dimensions=3)
        answer = await running.ask(f"/{EMBEDDINGS}/", sent, BEARER)

        document = json.loads(answer.body)
        assert answer.status == 200
        assert [one["embedding"] for one in document["data"]] == [
            "AACAPgAAgL8AAEBA",
            "AAAAAAAAAAAAAIA/",
        ]
        assert (document["object"], document["model"]) == ("list", MODEL)
        assert document["usage"]["prompt_tokens"] == document["usage"]["total_tokens"] > 0
        (seen,) = upstream.seen
        assert seen.target == f"/v1beta/models/{MODEL}:batchEmbedContents"
        assert seen.headers["x-goog-api-key"] == "some-key"
        assert "OpenAI-Organization" not in seen.headers
        assert [one["model"] for one in seen.document["requests"]] == [f"models/{MODEL}"] * 2
        line = await access_log.line()
        assert (line["route"], line["model"], line["attempts"]) == ("embeddings", MODEL, 1)


async def test_several_batches_are_one_answer_in_order(proxy: StartProxy) -> None:
    first = batch(*([float(number)] for number in range(100)))
    async with replying(first, batch([100.0])) as upstream:
        running = await proxy(upstream.url)
        answer = await running.ask(EMBEDDINGS, body(["t"] * 101), BEARER)

        data = json.loads(answer.body)["data"]
        assert [one["embedding"] for one in data] == [[float(number)] for number in range(101)]
        assert [len(seen.document["requests"]) for seen in upstream.seen] == [100, 1]


async def test_the_tokens_that_the_upstream_counts_are_told(proxy: StartProxy) -> None:
    counted = batch([1.0], usageMetadata={"promptTokenCount": 7, "totalTokenCount": 7})

    answer = await got(proxy, body("some text"), counted)

    assert json.loads(answer.body)["usage"] == {"prompt_tokens": 7, "total_tokens": 7}


async def test_one_batch_that_fails_is_the_failure_of_all(proxy: StartProxy) -> None:
    first = batch(*([1.0] for _ in range(100)))

    answer = await got(proxy, body(["t"] * 101), first, error_reply(400), **NONE)

    error: Json = json.loads(answer.body)["error"]
    assert (answer.status, error["message"]) == (400, "scripted 400")
    assert error["type"] == "invalid_request_error"


async def test_a_batch_is_asked_for_again(proxy: StartProxy, access_log: AccessLog) -> None:
    answer = await got(proxy, body("a"), error_reply(503), batch([1.0]))

    assert json.loads(answer.body)["data"][0]["embedding"] == [1.0]
    assert (await access_log.line())["attempts"] == 2


@pytest.mark.parametrize("given", [json_reply({}), json_reply([]), batch([1.0], [2.0])])
async def test_an_answer_without_the_vectors_is_an_error(proxy: StartProxy, given: Reply) -> None:
    answer = await got(proxy, body("a"), given, **NONE)

    assert answer.status == 502
    assert json.loads(answer.body)["error"]["type"] == "server_error"


@pytest.mark.parametrize(
    ("sent", "status", "param"),
    [
        (b"{", 400, None),
        (body(""), 400, "input"),
        (body([]), 400, "input"),
        (body([[1, 2]]), 400, "input"),
        (body("a", encoding_format="hex"), 400, "encoding_format"),
        (body("a", model="a/../b"), 400, "model"),
        (body("a" * 200), 413, None),
    ],
)
async def test_what_cannot_be_asked_does_not_go_up(
    proxy: StartProxy, sent: bytes, status: int, param: str | None
) -> None:
    async with replying(DEAD) as upstream:
        running = await proxy(upstream.url, server={"max_body_bytes": 200})
        answer = await running.ask(EMBEDDINGS, sent, BEARER)

        assert answer.status == status
        assert json.loads(answer.body)["error"]["param"] == param
        assert upstream.seen == []


async def test_an_alias_is_the_model_that_it_stands_for(proxy: StartProxy) -> None:
    aliases = {"aliases": {"text-embedding-3-small": MODEL}}
    async with replying(batch([1.0])) as upstream:
        running = await proxy(upstream.url, openai=aliases)
        sent = body("a", model="text-embedding-3-small")
        answer = await running.ask(EMBEDDINGS, sent, BEARER)

        assert json.loads(answer.body)["model"] == "text-embedding-3-small"
        assert MODEL in upstream.seen[0].target
