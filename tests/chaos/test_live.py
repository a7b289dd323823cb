"""The fake Live sessions, by a client that speaks WebSocket."""

import json
from typing import Any

import aiohttp
import pytest

from gemproxy.chaos.live import Sessions, Talk
from gemproxy.chaos.projects import parse_project
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.chaos.websocket import Farewell

LIVE = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
RESUMABLE: dict[str, Any] = {"setup": {"model": "models/m", "sessionResumption": {}}}


def resumed(handle: str) -> dict[str, Any]:
    return {"setup": {"model": "models/m", "sessionResumption": {"handle": handle}}}


def turn(text: str) -> dict[str, Any]:
    return {"clientContent": {"turns": [{"parts": [{"text": text}]}], "turnComplete": True}}


def server_with(*specs: str) -> ChaosServer:
    return ChaosServer(Script(BUILT_IN["story"]), projects=map(parse_project, specs))


def key(value: str) -> dict[str, str]:
    return {"x-goog-api-key": value}


def messages(talk: Talk, document: dict[str, Any]) -> list[dict[str, Any]]:
    answers = talk.answers(document)
    assert not isinstance(answers, Farewell)
    return answers


def test_a_turn_is_echoed_in_two_parts() -> None:
    talk = Talk(Sessions())

    assert talk.answers({"setup": {"model": "models/m"}}) == [{"setupComplete": {}}]
    *parts, last = messages(talk, turn("Hello"))
    assert [part["serverContent"]["modelTurn"]["parts"][0]["text"] for part in parts] == [
        "He",
        "llo",
    ]
    assert last["serverContent"] == {"turnComplete": True}
    assert last.keys() == {"serverContent", "usageMetadata"}


def test_a_turn_costs_what_was_said_before_again() -> None:
    talk = Talk(Sessions())
    told = [messages(talk, turn(text))[-1]["usageMetadata"] for text in ("Hello", "Go on")]

    assert [usage["promptTokenCount"] for usage in told] == [5, 15]
    assert [usage["responseTokenCount"] for usage in told] == [5, 5]
    assert [usage["totalTokenCount"] for usage in told] == [10, 20]


def test_a_handle_is_its_projects_alone() -> None:
    lab, home = Sessions("lab"), Sessions("home")
    talk = Talk(lab)
    talk.answers(RESUMABLE)
    handle = messages(talk, turn("Hello"))[2]["sessionResumptionUpdate"]["newHandle"]

    assert Talk(lab).answers(resumed(handle)) == [{"setupComplete": {}}]
    assert isinstance(Talk(home).answers(resumed(handle)), Farewell)


async def test_a_session_lives_until_the_client_closes_it() -> None:
    async with server_with() as server, aiohttp.ClientSession(server.url) as session:
        async with session.ws_connect(LIVE, headers=key("any")) as socket:
            await socket.send_json(RESUMABLE)
            assert json.loads((await socket.receive()).data) == {"setupComplete": {}}
            long = "word " * 20_000
            await socket.send_json(turn(long))
            first, second = [json.loads((await socket.receive()).data) for _ in range(2)]
            await socket.ping()
        texts = [one["serverContent"]["modelTurn"]["parts"][0]["text"] for one in (first, second)]

        assert "".join(texts) == long
        assert socket.close_code == 1000
        assert [request.path for request in server.requests] == [LIVE]


async def test_a_foreign_handle_closes_the_session() -> None:
    async with server_with("lab=key1", "home=key2") as server:
        handle = server.of("lab").sessions.new_handle()
        async with (
            aiohttp.ClientSession(server.url) as session,
            session.ws_connect(LIVE, headers=key("key2")) as socket,
        ):
            await socket.send_json(resumed(handle))
            assert (await socket.receive()).extra == "BidiGenerateContent session not found"
            assert socket.close_code == 1008


async def test_a_token_opens_a_session_of_its_project() -> None:
    async with server_with("lab=key1") as server, aiohttp.ClientSession(server.url) as session:
        made = await session.post("/v1alpha/auth_tokens", headers=key("key1"))
        token = (await made.json())["name"]
        headers = {"Authorization": f"Token {token}"}
        async with session.ws_connect(LIVE, headers=headers) as socket:
            await socket.send_json(RESUMABLE)
            assert json.loads((await socket.receive()).data) == {"setupComplete": {}}
        other = await session.get("/v1/models", headers=headers)

    assert [one.project for one in server.cloud.log] == ["lab", "lab", ""]
    assert other.status == 400


@pytest.mark.parametrize(
    ("headers", "status"), [(key("unknown"), 400), ({}, 403), (key("AQ.unknown"), 401)]
)
async def test_a_session_needs_a_key(headers: dict[str, str], status: int) -> None:
    async with server_with("lab=key1") as server, aiohttp.ClientSession(server.url) as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await session.ws_connect(LIVE, headers=headers)

    assert refusal.value.status == status
