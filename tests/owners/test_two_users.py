"""Two access keys through the whole proxy, in front of an upstream that grants everything.

So only the proxy stands between them: what ann made must not come up in a request of bob's, by any
path, in any body, in any spelling; and ann's own requests go up with a key of the project that has
what they name.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest

from gemproxy.owners.naming import HANDLES, TOKENS, hashed
from gemproxy.routes.parts import POOLED
from tests.replies import Replies, json_reply, replying
from tests.running import Proxy, running
from tests.wire import Answer

ANN, BOB = "gp-8f3a61c0d95e47b2a7c4f019", "gp-2b7e94d1f06c48a3b5d8e362"
KEYS = {"P": "AIza-of-the-first", "Q": "AIza-of-the-second", "R": "AIza-of-the-third"}
MODEL = "/v1beta/models/m"
GENERATE, STREAM = f"{MODEL}:generateContent", f"{MODEL}:streamGenerateContent?alt=sse"
GOOGLE = "https://generativelanguage.googleapis.com"
ANSWER = {
    "candidates": [
        {"content": {"parts": [{"text": "Yes."}], "role": "model"}, "finishReason": "STOP"}
    ]
}
MADE = [
    "files/anns-file",
    "generatedFiles/anns-g",
    "cachedContents/anns-c",
    "batches/anns-b",
    "operations/anns-o",
    "models/veo/operations/anns-vo",
    "tunedModels/anns-t",
    "fileSearchStores/anns-s",
    "corpora/anns-co",
    "interactions/anns-i",
    "agents/anns-a",
    "environments/anns-e",
    "triggers/anns-tr",
    "voices/anns-v",
    "webhooks/anns-w",
    "credentials/anns-cr",
    "videos/anns-vi",
    hashed(TOKENS, "anns-token"),
    hashed(HANDLES, "anns-handle"),
]


@attrs.frozen
class Scene:
    """The proxy, and the upstream that grants everything."""

    proxy: Proxy
    upstream: Replies

    async def record(self) -> None:
        """Have everything in ``MADE`` be ann's, in the second project."""
        await self.proxy.app[POOLED].binding.record(dict.fromkeys(MADE), "Q", "ann")

    async def ask(self, key: str, method: str, target: str, document: Any = None) -> Answer:
        body = document or b""
        if document is not None and not isinstance(document, bytes):
            body = json.dumps(document).encode()
        headers = {"x-goog-api-key": key, "Content-Type": "application/json"}
        return await self.proxy.ask(target, body, headers, method)


@pytest.fixture
async def scene(no_leaked_tasks: None) -> AsyncIterator[Scene]:
    del no_leaked_tasks
    pool = {"projects": {name: [key] for name, key in KEYS.items()}, "mode": "pool"}
    people = {"keys": {"ann": ANN, "bob": BOB}}
    async with (
        replying(json_reply(ANSWER)) as upstream,
        running(upstream.url, pool=pool, access=people) as proxy,
    ):
        scene = Scene(proxy, upstream)
        await scene.record()
        yield scene


def part(**data: str) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": "Hello"}, {"fileData": data}]}]}


PATHS = [
    ("GET", "/v1beta/files/anns-file"),
    ("GET", "/v1/files/anns-file?fields=name"),
    ("GET", "/v1alpha/files/anns-file:download?alt=media"),
    ("GET", "/download/v1beta/files/anns-file:download?alt=media"),
    ("DELETE", "/v1beta/files/anns-file"),
    ("DELETE", "//v1beta///files//anns-file"),
    ("DELETE", "/v1beta/%66iles/anns%2Dfile"),
    ("DELETE", "/v1beta/files%2Fanns-file"),
    ("DELETE", "/v1beta/files%252Fanns-file"),
    ("DELETE", "/team/v1beta/files/anns-file"),
    ("DELETE", "/files/anns-file"),
    ("DELETE", "/upload/v1beta/files/anns-file"),
    ("GET", "/v1beta/openai/files/anns-file/content"),
    ("GET", "/v1beta/openai/files/files/anns-file"),
    ("GET", "/v1beta/openai/files/files%2Fanns-file"),
    ("DELETE", "/v1beta/openai/files/anns-file"),
    ("POST", "/v1beta/openai/batches/batches%2Fanns-b/cancel"),
    ("GET", "/v1beta/openai/batches/anns-b"),
    ("GET", "/v1beta/openai/videos/anns-vi/content"),
    ("GET", "/v1beta/generatedFiles/anns-g?alt=media"),
    ("GET", "/v1beta/cachedContents/anns-c"),
    ("PATCH", "/v1beta/cachedContents/anns-c?updateMask=ttl"),
    ("GET", "/v1beta/batches/anns-b"),
    ("POST", "/v1beta/batches/anns-b:cancel"),
    ("PATCH", "/v1beta/batches/anns-b:updateGenerateContentBatch"),
    ("GET", "/v1beta/batches/anns-b/operations/o"),
    ("GET", "/v1beta/operations/anns-o"),
    ("GET", "/v1beta/models/veo/operations/anns-vo"),
    ("GET", "/v1beta/tunedModels/anns-t"),
    ("POST", "/v1beta/tunedModels/anns-t:generateContent"),
    ("POST", "/v1beta/tunedModels/anns-t:streamGenerateContent?alt=sse"),
    ("POST", "/v1beta/tunedModels/anns-t:transferOwnership"),
    ("GET", "/v1beta/tunedModels/anns-t/permissions"),
    ("GET", "/v1beta/tunedModels/anns-t/operations"),
    ("GET", "/v1beta/fileSearchStores/anns-s"),
    ("DELETE", "/v1beta/fileSearchStores/anns-s?force=true"),
    ("GET", "/v1beta/fileSearchStores/anns-s/documents"),
    ("DELETE", "/v1beta/fileSearchStores/anns-s/documents/d"),
    ("GET", "/v1beta/fileSearchStores/anns-s/upload/operations/o"),
    ("POST", "/v1beta/fileSearchStores/anns-s:importFile"),
    ("POST", "/upload/v1beta/fileSearchStores/anns-s:uploadToFileSearchStore"),
    ("POST", "/v1beta/corpora/anns-co:query"),
    ("GET", "/v1beta/interactions/anns-i"),
    ("GET", "/v1beta/interactions/anns-i?stream=true&last_event_id=1"),
    ("POST", "/v1beta/interactions/anns-i/cancel"),
    ("DELETE", "/v1beta/interactions/anns-i"),
    ("GET", "/v1beta/agents/anns-a"),
    ("GET", "/v1beta/environments/anns-e/files/a/b"),
    ("PUT", "/upload/v1beta/environments/anns-e/files/a/b"),
    ("POST", "/v1beta/triggers/anns-tr/executions"),
    ("PATCH", "/v1beta/voices/anns-v"),
    ("POST", "/v1beta/webhooks/anns-w:rotateSigningSecret"),
    ("DELETE", "/v1beta/credentials/anns-cr"),
    ("GET", "/v1beta/models?filter=files/anns-file"),
    ("POST", "/v1beta/something?name=files%2Fanns-file"),
]

BODIES: list[tuple[str, Any]] = [
    (GENERATE, part(fileUri=f"{GOOGLE}/v1beta/files/anns-file")),
    (GENERATE, part(file_uri=f"{GOOGLE}/v1beta/files/anns-file")),
    (GENERATE, part(fileUri="files/anns-file")),
    (GENERATE, part(fileUri="https://any.example/v1beta/files/anns-file")),
    (STREAM, part(fileUri=f"{GOOGLE}/v1beta/files/anns-file")),
    (STREAM, {"contents": [], "systemInstruction": part(fileUri="files/anns-file")["contents"][0]}),
    (GENERATE, {"cachedContent": "cachedContents/anns-c"}),
    (GENERATE, {"cached_content": "anns-c"}),
    (GENERATE, rb'{"\u0063achedContent": "cached\u0043ontents\/anns\u002dc"}'),
    (GENERATE, b'{"cachedContent": "x", "cachedContent": "cachedContents/anns-c"}'),
    (GENERATE, {"a_new_field": [[{"of": "files/anns-file"}]]}),
    (STREAM, {"contents": [], "continuationToken": "anns-token"}),
    (GENERATE, {"continuation_token": "anns-token"}),
    (
        GENERATE,
        {"tools": [{"fileSearch": {"fileSearchStoreNames": ["fileSearchStores/anns-s"]}}]},
    ),
    (
        GENERATE,
        {"tools": [{"file_search": {"file_search_store_names": ["fileSearchStores/anns-s"]}}]},
    ),
    (f"{MODEL}:countTokens", {"generateContentRequest": part(fileUri="files/anns-file")}),
    (f"{MODEL}:embedContent", {"content": part(fileUri="files/anns-file")["contents"][0]}),
    (f"{MODEL}:batchEmbedContents", {"requests": [{"model": "tunedModels/anns-t"}]}),
    (f"{MODEL}:batchGenerateContent", {"batch": {"inputConfig": {"fileName": "files/anns-file"}}}),
    (
        f"{MODEL}:batchGenerateContent",
        {"batch": {"input_config": {"file_name": "files/anns-file"}}},
    ),
    (
        f"{MODEL}:asyncBatchEmbedContent",
        {"batch": {"inputConfig": {"fileName": "files/anns-file"}}},
    ),
    (f"{MODEL}:predictLongRunning", {"instances": [{"video": {"uri": "files/anns-file"}}]}),
    ("/v1beta/cachedContents", part(fileUri="files/anns-file")),
    ("/v1beta/fileSearchStores/anns-s:importFile", {"fileName": "files/anns-file"}),
    ("/v1beta/interactions", {"model": "m", "previous_interaction_id": "anns-i"}),
    ("/v1beta/interactions", {"model": "m", "continuation_token": "anns-token"}),
    ("/v1beta/interactions", {"agent": "anns-a", "input": "Hello"}),
    ("/v1beta/interactions", {"environment": "anns-e", "input": "Hello"}),
    ("/v1beta/interactions", {"environment": {"id": "environments/anns-e"}, "input": "Hello"}),
    (
        "/v1beta/interactions",
        {"stream": True, "input": [{"type": "video", "uri": f"{GOOGLE}/v1/files/anns-file"}]},
    ),
    ("/v1beta/triggers", {"webhook": "webhooks/anns-w"}),
    ("/v1alpha/auth_tokens", {"bidiGenerateContentSetup": {"model": "tunedModels/anns-t"}}),
    ("/v1beta/openai/batches", {"input_file_id": "files/anns-file"}),
    ("/v1beta/openai/batches", {"input_file_id": "anns-file"}),
    (
        "/v1beta/openai/chat/completions",
        {"extra_body": {"google": {"cached_content": "cachedContents/anns-c"}}},
    ),
    ("/v1beta/openai/chat/completions", {"messages": [{"content": [{"file_id": "anns-file"}]}]}),
]


def keys(scene: Scene) -> set[str]:
    """Return the keys of the requests that came up."""
    sent = [seen.headers for seen in scene.upstream.seen]
    return {one.get("x-goog-api-key") or one["Authorization"].split()[1] for one in sent}


async def test_no_path_leads_to_what_another_made(scene: Scene) -> None:
    for method, target in PATHS:
        document: Any = {} if method in {"POST", "PATCH", "PUT"} else None
        scene.upstream.seen.clear()

        refused = await scene.ask(BOB, method, target, document)

        assert refused.status == 404, target
        assert not scene.upstream.seen, target
        granted = await scene.ask(ANN, method, target, document)
        assert granted.status == 200, (target, granted.body)
        assert keys(scene) == {KEYS["Q"]}, target
        await scene.record()  # which a DELETE ends


async def test_no_body_leads_to_what_another_made(scene: Scene) -> None:
    for target, document in BODIES:
        scene.upstream.seen.clear()

        refused = await scene.ask(BOB, "POST", target, document)

        assert refused.status == 404, (target, document)
        assert not [seen for seen in scene.upstream.seen if b"anns" in seen.body], document
        scene.upstream.seen.clear()
        granted = await scene.ask(ANN, "POST", target, document)
        assert granted.status == 200, (target, document, granted.body)
        assert keys(scene) == {KEYS["Q"]}, document


async def test_the_words_are_the_same_whether_a_name_exists_or_not(scene: Scene) -> None:
    """The upstream has every name, so one that ann did not make is nobody's."""
    one = await scene.ask(BOB, "GET", "/v1beta/files/anns-file")
    other = await scene.ask(BOB, "GET", "/v1beta/files/nobodys-file")

    said = [json.loads(answer.body)["error"]["message"] for answer in (one, other)]
    assert (one.status, other.status) == (404, 404)
    assert said[0].replace("anns", "nobodys") == said[1]


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("/upload/v1beta/files", "image/png"),
        ("/upload/v1beta/files", "application/json"),
        ("/upload/v1beta/files?uploadType=multipart", "multipart/related; boundary=x"),
        ("/v1beta/openai/files", "multipart/form-data; boundary=x"),
    ],
)
async def test_a_small_file_goes_up_as_it_came(scene: Scene, target: str, kind: str) -> None:
    content = b'{"uri": "files/anns-file"}'
    headers = {"x-goog-api-key": BOB, "Content-Type": kind}

    answer = await scene.proxy.ask(target, content, headers)

    assert answer.status == 200
    (seen,) = scene.upstream.seen
    assert (seen.headers["Content-Type"], seen.body) == (kind, content)


async def test_a_body_that_is_too_large_or_unreadable_is_refused_in_words(scene: Scene) -> None:
    headers = {"x-goog-api-key": BOB, "Content-Type": "application/json"}
    batch = f"{MODEL}:batchGenerateContent"
    for target in (GENERATE, STREAM, batch, "/v1beta/interactions"):
        for extra, body, status in (
            ({}, b"{'single': 'quotes'}", 400),
            ({"Content-Encoding": "gzip"}, b"\x1f\x8b", 415),
            ({"Content-Type": "application/x-protobuf"}, b"\x0a\x02hi", 415),
            ({"Content-Type": "multipart/mixed; boundary=x"}, b"--x--", 415),
            ({"X-HTTP-Method-Override": "DELETE"}, b"{}", 400),
        ):
            answer = await scene.proxy.ask(target, body, {**headers, **extra})

            assert answer.status == status, (target, extra, answer.body)
            assert answer.error["message"].endswith(".")
    assert not scene.upstream.seen


async def test_an_empty_body_names_nothing(scene: Scene) -> None:
    headers = {"x-goog-api-key": BOB, "Transfer-Encoding": "chunked"}
    async with scene.proxy.connect() as connection:
        lines = [f"POST {MODEL}:someday HTTP/1.1", f"Host: {connection.host}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        request = "\r\n".join([*lines, "", "0", "", ""]).encode()
        await asyncio.get_running_loop().sock_sendall(connection.socket, request)

        assert (await connection.answer()).status == 200
