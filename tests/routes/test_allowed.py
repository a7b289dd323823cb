"""A user who may call some models only sees no others."""

import json
from typing import Any

import pytest

from gemproxy.access.keys import Stored
from gemproxy.access.secret import hashed, new_key
from gemproxy.accounts.user import User
from gemproxy.chaos.api import model_entry, model_list
from gemproxy.config.keyring import keys_of
from gemproxy.routes.parts import DOOR
from tests.replies import Reply, error_reply, json_reply, reply, replying
from tests.running import StartProxy
from tests.wire import Answer

KEY, ANYTHING = new_key("abcdefghjkmn"), new_key("bcdefghjkmnp")
PEPPER = b"pepper"
USERS = [
    Stored(User("abcdefghjkmn", "ann", models=("gemini-x", "gemma-*")), hashed(KEY, PEPPER)),
    Stored(User("bcdefghjkmnp", "bob"), hashed(ANYTHING, PEPPER)),
]
LIST = json_reply({**model_list(("gemini-x", "gemini-y", "gemma-3")), "nextPageToken": "more"})
OPENAI = json_reply({"object": "list", "data": [{"id": "models/gemini-x"}, {"id": "gemini-y"}]})


async def got(
    proxy: StartProxy, target: str, given: Reply, key: str = KEY, **headers: str
) -> Answer:
    async with replying(given) as upstream:
        running = await proxy(upstream.url, pool={"keys": keys_of(["AIzaSyPool"])})
        running.app[DOOR].keys.put(USERS, PEPPER)
        return await running.ask(target, b"", {"x-goog-api-key": key, **headers}, "GET")


def names(document: Any) -> list[str]:
    return [entry["name"] for entry in document["models"]]


@pytest.mark.parametrize(
    "target", ["/v1beta/models", "/v1/models", "/v1//models", "/team/v1alpha/models?x=y"]
)
@pytest.mark.parametrize("repair", ["on", "off"])
async def test_a_list_has_the_allowed_models_alone(
    proxy: StartProxy, target: str, repair: str
) -> None:
    answer = await got(proxy, target, LIST, **{"X-Gemproxy-Repair": repair})

    document = json.loads(answer.body)
    assert names(document) == ["models/gemini-x", "models/gemma-3"]
    assert document["nextPageToken"] == "more"
    if target == "/v1/models":
        assert [entry["id"] for entry in document["data"]] == ["gemini-x", "gemma-3"]


async def test_a_list_for_openai_s_clients_has_the_allowed_models_alone(proxy: StartProxy) -> None:
    answer = await got(proxy, "/v1beta/openai/models", OPENAI)

    assert json.loads(answer.body)["data"] == [{"id": "models/gemini-x"}]


async def test_another_user_sees_all_models_byte_for_byte(proxy: StartProxy) -> None:
    answer = await got(proxy, "/v1beta/models", LIST, ANYTHING)

    assert answer.body == LIST.raw.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1beta/openai"])
async def test_the_entry_of_another_model_is_refused(proxy: StartProxy, version: str) -> None:
    refused = await got(proxy, f"/{version}/models/gemini-y", json_reply(model_entry("gemini-y")))
    found = await got(proxy, f"/{version}/models/gemini-x", json_reply(model_entry("gemini-x")))

    assert (refused.status, found.status) == (403, 200)
    assert "may not call the model gemini-y" in json.loads(refused.body)["error"]["message"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"model": "models/gemini-x"}', 200),
        (b'{"contents": [], "model": "gemma-3"}', 200),
        (b'{"model": "models/gemini-y"}', 403),
        (b'{"model": 5}', 403),
        (b"{}", 403),
    ],
)
async def test_a_cache_is_made_for_an_allowed_model(
    proxy: StartProxy, body: bytes, status: int
) -> None:
    async with replying(json_reply({"name": "cachedContents/c"})) as upstream:
        running = await proxy(upstream.url, pool={"keys": keys_of(["AIzaSyPool"])})
        running.app[DOOR].keys.put(USERS, PEPPER)
        headers = {"x-goog-api-key": KEY, "Content-Type": "application/json"}
        answer = await running.ask("/v1beta/cachedContents", body, headers)

        assert answer.status == status
        assert len(upstream.seen) == (status == 200)


@pytest.mark.parametrize(
    "given", [error_reply(404), json_reply([]), json_reply({"x": 1}), reply(b"{")]
)
async def test_what_is_no_list_passes(proxy: StartProxy, given: Reply) -> None:
    answer = await got(proxy, "/v1beta/models", given)

    body = given.raw.partition(b"\r\n\r\n")[2]
    assert answer.body == body or json.loads(answer.body) == json.loads(body)


async def test_a_client_of_openai_s_sees_the_allowed_models_and_their_aliases(
    proxy: StartProxy,
) -> None:
    aliases = {"gpt-4o": "gemini-x", "gpt-5": "gemini-y"}
    whole = json_reply(model_list(("gemini-x", "gemini-y", "gemma-3")))
    async with replying(whole) as upstream:
        pool = {"keys": keys_of(["AIzaSyPool"])}
        running = await proxy(upstream.url, pool=pool, openai={"aliases": aliases})
        running.app[DOOR].keys.put(USERS, PEPPER)
        bearer = {"Authorization": f"Bearer {KEY}"}
        listed = await running.ask("/v1/models", b"", bearer, "GET")
        refused = await running.ask("/v1/models/gpt-5", b"", bearer, "GET")

    assert [entry["id"] for entry in json.loads(listed.body)["data"]] == [
        *("gemini-x", "gemma-3", "gpt-4o")
    ]
    assert refused.status == 403
    assert json.loads(refused.body)["error"]["type"] == "permission_error"
