"""A proxy that runs takes up what the command changes."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from gemproxy.access.secret import new_id, new_key
from gemproxy.chaos.projects import parse_project
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.config.keyring import projects_of
from tests.gemini import BODY, Json
from tests.running import PATIENCE, Proxy, StartProxy
from tests.users.conftest import RunUsers

X, Y = "/v1beta/models/gemini-x:generateContent", "/v1beta/models/gemini-y:generateContent"
K1 = "AIza-one"


@pytest.fixture
async def house(proxy: StartProxy, tmp_path: Path, users: RunUsers) -> AsyncIterator[Proxy]:
    del users  # the command and the proxy share the folder
    async with ChaosServer(
        Script(BUILT_IN["story"]), projects=[parse_project(f"lab={K1}")]
    ) as fake:
        yield await proxy(
            fake,
            server={"data_dir": str(tmp_path / "data")},
            pool={"projects": projects_of({"lab": [K1]})},
        )


async def run(users: RunUsers, *arguments: str) -> str:
    done = await asyncio.to_thread(lambda: users(*arguments))
    assert done.code == 0, done.err
    return done.out


async def key_of(users: RunUsers, *arguments: str) -> str:
    return str(json.loads(await run(users, *arguments, "--json"))["key"])


async def status(proxy: Proxy, key: str, target: str = X) -> int:
    return (await proxy.ask(target, BODY, {"x-goog-api-key": key})).status


async def until(proxy: Proxy, key: str, expected: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while await status(proxy, key) != expected:  # noqa: ASYNC110 (nobody tells of a change)
            await asyncio.sleep(0.01)


async def test_keys_are_good_at_once_and_come_and_go(house: Proxy, users: RunUsers) -> None:
    assert await status(house, new_key(new_id())) == 401

    old = await key_of(users, "add", "ann")
    assert await status(house, old) == 200, "a key that is not known yet is looked for"
    new = await key_of(users, "rotate", "ann")
    assert await status(house, new) == 200
    assert await status(house, old) == 401
    kept = await key_of(users, "rotate", "ann", "--grace", "1h")
    assert [await status(house, kept), await status(house, new)] == [200, 200]
    await run(users, "revoke", "ann")
    await until(house, kept, 401)
    gone = await house.ask(X, BODY, {"x-goog-api-key": new})
    assert (gone.status, b"was revoked" in gone.body) == (401, True)


async def test_models_and_expiry_are_refused_in_words(house: Proxy, users: RunUsers) -> None:
    key = await key_of(users, "add", "ann", "--models", "gemini-x")
    late = await key_of(users, "add", "bob", "--expires", "2020-01-01")
    head = {"x-goog-api-key": key}

    assert (await house.ask(X, BODY, head)).status == 200
    refused = await house.ask(Y, BODY, head)
    error = json.loads(refused.body)["error"]
    assert (refused.status, error["status"]) == (403, "PERMISSION_DENIED")
    assert "may not call the model gemini-y" in error["message"]
    expired = await house.ask(X, BODY, {"x-goog-api-key": late})
    assert expired.status == 401
    assert b"expired at 2020-01-01" in expired.body
    await run(users, "set", "ann", "--models", "off")
    async with asyncio.timeout(PATIENCE):
        while await status(house, key, Y) != 200:  # noqa: ASYNC110 (nobody tells of a change)
            await asyncio.sleep(0.01)


async def test_limits_begin_and_end_while_it_runs(house: Proxy, users: RunUsers) -> None:
    key = await key_of(users, "add", "ann", "--rpm", "2")

    assert [await status(house, key) for _ in range(3)] == [200, 200, 429]
    refused = await house.ask(X, BODY, {"x-goog-api-key": key})
    assert (
        "The limit of access key 'ann' is reached" in json.loads(refused.body)["error"]["message"]
    )
    await run(users, "set", "ann", "--rpm", "off")
    await until(house, key, 200)
    assert {await status(house, key) for _ in range(5)} == {200}
    await run(users, "set", "ann", "--rpm", "gemini-y=1")
    async with asyncio.timeout(PATIENCE):
        while await status(house, key, Y) != 429:  # noqa: ASYNC110 (nobody tells of a change)
            await asyncio.sleep(0.01)
    assert await status(house, key) == 200
    await run(users, "set", "ann", "--rpm", "gemini-y=1", "--shadow")
    async with asyncio.timeout(PATIENCE):
        while await status(house, key, Y) != 200:  # noqa: ASYNC110 (nobody tells of a change)
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("target", "named", "status"),
    [
        ("interactions", {"model": "gemini-x", "input": "hi"}, 200),
        ("interactions", {"model": "gemini-y", "input": "hi"}, 403),
        ("interactions", {"agent": "deep-research", "input": "hi"}, 403),
        ("interactions", {"input": "hi"}, 403),
        ("models/gemini-y:batchGenerateContent", {"batch": {}}, 403),
        ("models/gemini-y:countTokens", {"contents": []}, 403),
        ("models/gemini-y:embedContent", {"content": {}}, 403),
        ("models/gemini-y:predictLongRunning", {"instances": []}, 403),
        ("openai/chat/completions", {"model": "gemini-y", "messages": []}, 403),
        ("openai/embeddings", {"model": "models/gemini-y", "input": "x"}, 403),
        ("openai/batches", {"input_file_id": "files/x"}, 403),
        ("tunedModels/mine:generateContent", json.loads(BODY), 403),
    ],
)
async def test_no_route_leads_to_another_model(
    house: Proxy, users: RunUsers, target: str, named: Json, status: int
) -> None:
    key = await key_of(users, "add", "ann", "--models", "gemini-x")
    headers = {"x-goog-api-key": key, "Content-Type": "application/json"}

    answer = await house.ask(f"/v1beta/{target}", json.dumps(named).encode(), headers)

    assert answer.status == status
    if status == 403:
        assert b"access key of ann may" in answer.body


async def test_a_live_session_with_another_model_is_refused(house: Proxy, users: RunUsers) -> None:
    key = await key_of(users, "add", "ann", "--models", "gemini-x")
    url = (
        f"{house.url}/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
    )

    async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}?key={key}") as socket:
        await socket.send_json({"setup": {"model": "models/gemini-y"}})
        message = await socket.receive()

    assert message.type is aiohttp.WSMsgType.CLOSE
    assert "may not call the model gemini-y" in str(message.extra)
