"""Projects on a real socket: what one of them made is not there for another."""

import json
from typing import Any

import aiohttp
import pytest

from gemproxy.chaos.projects import parse_project
from gemproxy.chaos.refusals import INVALID
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.chaos.client import HELLO, STREAM, Seen, ask

LAB, HOME = "lab=key1,key2;rpm=2", "home=key3"
GENERATE = "/v1/models/gemini-test:generateContent"


def server_with(*specs: str, answer: str = "story") -> ChaosServer:
    return ChaosServer(Script(BUILT_IN[answer]), projects=map(parse_project, specs))


def found(seen: Seen) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(seen.body)
    return document


def key(value: str) -> dict[str, str]:
    return {"x-goog-api-key": value}


async def upload(server: ChaosServer, key: str) -> str:
    seen = await ask(server.url, b"content", target="/upload/v1/files", key=key)
    name: str = found(seen)["file"]["name"]
    return name


async def status(server: ChaosServer, key: str, target: str, document: Any = b"") -> int:
    method = "GET" if document == b"" else "POST"
    return (await ask(server.url, document, target=target, key=key, method=method)).status


async def test_a_file_is_its_projects_alone() -> None:
    async with server_with(LAB, HOME) as server:
        name = await upload(server, "key1")
        path = f"/v1/{name}"
        refused = await ask(server.url, b"", target=path, method="GET", key="key3")
        used = {"contents": [{"parts": [{"fileData": {"fileUri": f"https://g{path}"}}]}]}

        assert await status(server, "key2", path) == 200
        assert refused.status == 403
        assert f"the File {name.removeprefix('files/')} or" in found(refused)["error"]["message"]
        assert await status(server, "key3", f"{path}:download?alt=media") == 403
        assert await status(server, "key3", GENERATE, used) == 403
        assert await status(server, "key2", GENERATE, used) == 200
        gone = await ask(server.url, b"", target=path, method="DELETE", key="key3")
        assert gone.status == 403
        assert list(server.of("lab").files.files) == [name.removeprefix("files/")]


async def test_no_two_projects_give_the_same_name_and_lists_show_ones_own() -> None:
    async with server_with(LAB, HOME) as server:
        first, second = await upload(server, "key1"), await upload(server, "key3")
        listed = await ask(server.url, b"", target="/v1/files", method="GET", key="key3")

    assert first != second
    assert [file["name"] for file in found(listed)["files"]] == [second]


@pytest.mark.parametrize(
    ("target", "document", "collection"),
    [
        ("/v1/cachedContents", {"model": "models/m"}, ""),
        ("/v1/models/m:batchGenerateContent", {"batch": {}}, ""),
        ("/v1/interactions", {"model": "m", "input": "Hello"}, "interactions/"),
        ("/v1/fileSearchStores", {"displayName": "mine"}, ""),
    ],
)
async def test_other_resources_are_their_projects_alone(
    target: str, document: Any, collection: str
) -> None:
    async with server_with(LAB, HOME) as server:
        made = found(await ask(server.url, document, target=target, key="key1"))
        path = f"/v1/{collection}{made.get('name', made.get('id'))}"

        assert await status(server, "key2", path) == 200
        assert await status(server, "key3", path) in (403, 404)


async def test_a_body_may_not_name_what_is_anothers() -> None:
    async with server_with(LAB, HOME) as server:
        cache = found(await ask(server.url, {}, target="/v1/cachedContents", key="key1"))
        asked = {"model": "m", "input": "Hello"}
        made = found(await ask(server.url, asked, target="/v1/interactions", key="key1"))
        cached = {**HELLO, "cachedContent": cache["name"]}
        further = {**asked, "previous_interaction_id": made["id"]}

        for key, statuses in (("key2", (200, 200)), ("key3", (403, 404))):
            assert await status(server, key, GENERATE, cached) == statuses[0]
            assert await status(server, key, "/v1/interactions", further) == statuses[1]


async def test_a_continuation_token_is_its_projects_alone() -> None:
    async with server_with("lab=key1,key2", HOME, answer="long-decode") as server:
        seen = await ask(server.url, key="key1")
        token = next(
            candidate["continuationToken"]
            for document in seen.documents
            for candidate in document["candidates"]
            if "continuationToken" in candidate
        )
        further = {**HELLO, "continuationToken": token}

        assert await status(server, "key3", STREAM, further) == 400
        assert await status(server, "key2", STREAM, further) == 200


async def test_a_piece_of_an_upload_needs_no_key_but_no_others() -> None:
    start = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}
    piece = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}
    async with server_with(LAB, HOME) as server, aiohttp.ClientSession(server.url) as session:
        begun = await session.post("/upload/v1/files", headers={**start, **key("key1")})
        url = begun.headers["X-Goog-Upload-URL"]
        foreign = await session.post(url, data=b"data", headers={**piece, **key("key3")})
        done = await session.post(url, data=b"data", headers=piece)
        unknown = await session.post(url.replace("=upload", "=x"), data=b"data", headers=piece)

        assert (foreign.status, done.status, unknown.status) == (403, 200, 404)
        assert len(server.of("lab").files.files) == 1


async def test_a_quota_is_refused_in_the_form_of_the_request() -> None:
    async with server_with(LAB, HOME) as server:
        seen = [await ask(server.url, key=key) for key in ("key1", "key2", "key1")]

    assert [one.status for one in seen] == [200, 200, 429]
    error = found(seen[-1])["error"]
    assert error["status"] == "RESOURCE_EXHAUSTED"
    assert "retryDelay" in error["details"][-1]
    assert len(server.attempts) == 2
    assert [attempt.project for attempt in server.attempts] == ["lab", "lab"]
    assert [one.status for one in server.cloud.came("lab")] == [0, 0, 429]


async def test_an_unknown_key_is_told_why() -> None:
    async with server_with(LAB) as server:
        seen = await ask(server.url, b"", target="/v1/models", method="GET", key="AIzaNone")

    assert found(seen)["error"]["details"] == list(INVALID.details)


async def test_without_projects_any_key_has_everything() -> None:
    async with server_with() as server:
        name = await upload(server, "one")
        assert await status(server, "two", f"/v1/{name}") == 200
        assert server.cloud.log == []
