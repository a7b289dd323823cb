"""What OpenAI's API has and the proxy has not: refused in its form, and never sent up."""

import json

import pytest

from tests.replies import error_reply, json_reply, replying
from tests.running import StartProxy

BEARER = {"Authorization": "Bearer some-key"}
SDK = {**BEARER, "X-Stainless-Lang": "python"}


@pytest.mark.parametrize(
    ("method", "target", "status", "says"),
    [
        ("POST", "/v1/completions", 400, "/v1/chat/completions"),
        ("POST", "//v1/completions/", 400, "/v1/chat/completions"),
        ("POST", "/v1/responses", 404, "/v1/chat/completions"),
        ("GET", "/v1/responses/resp_1", 404, "/v1/chat/completions"),
        ("POST", "/v1/responses/resp_1/cancel", 404, "/v1/chat/completions"),
        ("GET", "/v1/chat/completions", 405, "POST"),
        ("PUT", "//v1/chat/completions/", 405, "POST"),
        ("OPTIONS", "/v1/chat/completions", 405, "POST"),
        ("GET", "/v1/embeddings", 405, "POST"),
        ("GET", "/v1//embeddings", 405, "POST"),
        ("POST", "/v1/v1/chat/completions", 404, "/v1/v1/chat/completions"),
        ("GET", "/v1/chat/completions/chatcmpl-1", 404, "/v1/models"),
        ("POST", "/v1/audio/speech", 404, "/v1/models"),
        ("GET", "/v1/images/generations", 405, "POST"),
        ("PUT", "/v1/images/edits/", 405, "POST"),
        ("POST", "/v1/images/variations", 404, "/v1/models"),
        ("POST", "/v1/moderations", 404, "/v1/models"),
        ("POST", "/v1/threads/t/runs?x=1", 404, "/v1/models"),
        ("DELETE", "/v1/assistants/a", 404, "/v1/models"),
        ("POST", "/v1/fine_tuning/jobs", 404, "/v1/models"),
        ("GET", "/v1/vector_stores", 404, "/v1/models"),
        ("POST", "/v1/files", 404, "Files"),
        ("POST", "/v1/batches", 404, "batches"),
        ("POST", "/chat/completions", 404, "/v1"),
        ("POST", "/embeddings", 404, "/v1"),
        ("POST", "/responses", 404, "/v1"),
    ],
)
async def test_it_is_refused_in_words(
    proxy: StartProxy, method: str, target: str, status: int, says: str
) -> None:
    async with replying(json_reply({})) as upstream:
        answer = await (await proxy(upstream.url)).ask(target, b"{}", BEARER, method)

        error = json.loads(answer.body)["error"]
        assert answer.status == status
        assert says in error["message"]
        assert error["type"] == "invalid_request_error"
        assert error["request_id"] == answer.headers["X-Request-Id"]
        assert answer.headers["x-should-retry"] == "false"
        assert answer.headers.get("Allow") == ("POST" if status == 405 else None)
        assert upstream.seen == []


async def test_a_head_has_no_body(proxy: StartProxy) -> None:
    async with replying(json_reply({})) as upstream:
        running = await proxy(upstream.url)
        async with running.connect() as connection:
            await connection.send("/v1/chat/completions", b"", BEARER, "HEAD")
            status, _ = await connection.head()

        assert status == 405
        assert upstream.seen == []


@pytest.mark.parametrize("method", ["DELETE", "POST"])
async def test_models_are_read_only_for_clients_of_openai(proxy: StartProxy, method: str) -> None:
    async with replying(json_reply({})) as upstream:
        answer = await (await proxy(upstream.url)).ask("/v1/models/m", b"", BEARER, method)

        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
        assert json.loads(answer.body)["error"]["code"] == "method_not_allowed"
        assert upstream.seen == []


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_files_of_an_openai_sdk_are_refused(proxy: StartProxy, method: str) -> None:
    async with replying(json_reply({})) as upstream:
        answer = await (await proxy(upstream.url)).ask("//v1/files/f/", b"", SDK, method)

        assert answer.status == 404
        assert json.loads(answer.body)["error"]["code"] == "unknown_url"
        assert upstream.seen == []


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/v1/files/f"),
        ("GET", "/v1/batches/b"),
        ("POST", "/v1/batches/b:cancel"),
        ("POST", "/v1/cachedContents"),
        ("GET", "/v1/operations/o"),
        ("POST", "/v1/interactions"),
        ("POST", "/v1/models/m:generateContent"),
        ("POST", "/v1/models/m:embedContent"),
        ("POST", "/v1/models"),
        ("POST", "/v1beta/openai/chat/completions"),
        ("POST", "/v1beta/openai/responses"),
        ("POST", "/v1/audio:generateContent"),
    ],
)
async def test_what_is_gemini_s_still_goes_up(proxy: StartProxy, method: str, target: str) -> None:
    async with replying(error_reply(404)) as upstream:
        running = await proxy(upstream.url)
        await running.ask(target, b"{}", {"x-goog-api-key": "k"}, method)

        assert [seen.target for seen in upstream.seen] == [target]
