"""/v1/models, in one form for the clients of two APIs; everything else about models untouched."""

import gzip
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.chaos.api import model_entry, model_list
from gemproxy.config.keyring import keys_of
from gemproxy.routes.models import merged_entry, merged_list, whole_list
from tests.gemini import Json
from tests.replies import DEAD, Reply, cut, error_reply, json_reply, reply, replying
from tests.running import AccessLog, StartProxy
from tests.wire import KEY, Answer

NAMES = ("gemini-x", "gemini-y")
LIST = json_reply({**model_list(NAMES), "nextPageToken": "more"}, 200, "X-Goog-Some: 1")
ENTRY = json_reply(model_entry("gemini-x"))
OPENAI = {"Authorization": "Bearer AQ.test-key"}
SDK = {"X-Stainless-Lang": "python"}


def openai_fields(name: str) -> Json:
    return {"id": name, "object": "model", "created": 0, "owned_by": "google"}


async def got(
    proxy: StartProxy, target: str, *replies: Reply, headers: dict[str, str] | None = None
) -> Answer:
    async with replying(*replies) as upstream:
        return await (await proxy(upstream.url)).ask(target, b"", headers or KEY, "GET")


@pytest.mark.parametrize("headers", [KEY, OPENAI])
@pytest.mark.parametrize("target", ["/v1/models", "//v1/models?pageSize=2"])
async def test_the_list_has_the_form_of_both(
    proxy: StartProxy, target: str, headers: dict[str, str]
) -> None:
    answer = await got(proxy, target, LIST, headers=headers)

    document = json.loads(answer.body)
    entries = [{**openai_fields(name), **model_entry(name)} for name in NAMES]
    assert document == {
        "object": "list",
        "data": entries,
        "models": entries,
        "nextPageToken": "more",
    }
    assert answer.headers["Content-Length"] == str(len(answer.body))
    assert answer.headers["X-Goog-Some"] == "1"


async def test_an_entry_has_the_form_of_both(proxy: StartProxy) -> None:
    answer = await got(proxy, "/v1/models/gemini-x", ENTRY, headers=OPENAI)

    assert json.loads(answer.body) == {**openai_fields("gemini-x"), **model_entry("gemini-x")}


@pytest.mark.parametrize(
    "target",
    [
        "/v1beta/models",
        "/v1beta/models/gemini-x",
        "/v1alpha/models",
        "/v1beta/openai/models",
        "/team/v1/models",
        "/v1/models/gemini-x/operations",
    ],
)
async def test_other_paths_pass_byte_for_byte(proxy: StartProxy, target: str) -> None:
    answer = await got(proxy, target, LIST)

    assert answer.body == LIST.raw.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    "given",
    [
        error_reply(400),
        error_reply(404),
        json_reply({}),
        json_reply([]),
        json_reply({"models": "x"}),
        reply(b"{"),
        reply(b"models", kind="text/plain"),
        reply(gzip.compress(b"models"), 200, "Content-Encoding: gzip"),
        reply(b'{"models": []}', 206),
    ],
)
@pytest.mark.parametrize("target", ["/v1/models", "/v1/models/m"])
async def test_what_is_no_model_passes_as_it_came(
    proxy: StartProxy, target: str, given: Reply
) -> None:
    answer = await got(proxy, target, given)

    assert answer.body == given.raw.partition(b"\r\n\r\n")[2]


async def test_a_list_beyond_the_cap_passes_as_it_came(proxy: StartProxy) -> None:
    async with replying(LIST) as upstream:
        running = await proxy(upstream.url, repair={"keep_answer_bytes": 100})
        answer = await running.ask("/v1/models", b"", KEY, "GET")

        assert answer.body == LIST.raw.partition(b"\r\n\r\n")[2]


async def test_a_list_is_asked_for_again_and_in_plain_text(
    proxy: StartProxy, access_log: AccessLog
) -> None:
    async with replying(error_reply(503), cut(LIST), DEAD, LIST) as upstream:
        running = await proxy(upstream.url)
        headers = {**KEY, "Accept-Encoding": "gzip, br"}
        answer = await running.ask("/v1/models", b"", headers, "GET")

        assert json.loads(answer.body)["object"] == "list"
        assert upstream.seen[0].headers["Accept-Encoding"] == "identity"
        line = await access_log.line()
        assert (line["route"], line["causes"][:2]) == ("models", ["status", "drop"])


async def test_switching_repair_off_leaves_the_form_and_ends_the_retries(
    proxy: StartProxy,
) -> None:
    headers = {**KEY, "X-Gemproxy-Repair": "off"}

    assert b'"data"' in (await got(proxy, "/v1/models", LIST, headers=headers)).body
    assert (await got(proxy, "/v1/models", error_reply(503), LIST, headers=headers)).status == 503


@pytest.mark.parametrize(
    ("headers", "sent", "target"),
    [
        (KEY, "/v1/models", "/v1/models"),
        (OPENAI, "/v1/models", "/v1/models?pageSize=1000"),
        (OPENAI, "/v1/models?pageToken=t", "/v1/models?pageToken=t"),
        (OPENAI, "/v1/models/m", "/v1/models/m"),
    ],
)
async def test_openai_clients_get_all_models_at_once(
    proxy: StartProxy, headers: dict[str, str], sent: str, target: str
) -> None:
    async with replying(LIST) as upstream:
        await (await proxy(upstream.url)).ask(sent, b"", headers, "GET")

        assert upstream.seen[0].target == target
        assert upstream.seen[0].headers["x-goog-api-key"].endswith("test-key")


@pytest.mark.parametrize(
    ("target", "whole"),
    [
        ("/v1/models", "/v1/models?pageSize=1000"),
        ("/v1/models?a=b", "/v1/models?a=b&pageSize=1000"),
        ("/v1/models?pageSize=5", "/v1/models?pageSize=5"),
    ],
)
def test_the_target_of_the_whole_list(target: str, whole: str) -> None:
    assert whole_list(target) == whole


def test_a_tuned_model_keeps_its_name_as_its_id() -> None:
    merged = merged_entry(b'{"name": "tunedModels/mine", "extra": 1}')

    assert merged is not None
    assert json.loads(merged)["id"] == "tunedModels/mine"
    assert json.loads(merged)["extra"] == 1


@given(st.binary(max_size=60))
def test_any_bytes_are_merged_or_left_alone(body: bytes) -> None:
    for merge in (merged_list, merged_entry):
        merged = merge(body)
        assert merged is None or isinstance(json.loads(merged), dict)


FIRST = json_reply({"models": [model_entry("gemini-2.5-pro")], "nextPageToken": "t/2"})
SECOND = json_reply({"models": [model_entry("gemma-4-31b-it"), {"name": "tunedModels/mine"}]})
SECRET = "gp-access-key-of-somebody"
POOL: dict[str, Mapping[str, Any]] = {
    "pool": {"keys": keys_of(["AIzaSyPool"])},
    "access": {"keys": {"ann": SECRET}},
    "repair": {"max_consecutive_retries": 0},
}


def ids(answer: Answer) -> list[str]:
    return [entry["id"] for entry in json.loads(answer.body)["data"]]


async def test_openai_clients_get_all_pages_as_one(proxy: StartProxy) -> None:
    async with replying(FIRST, SECOND) as upstream:
        answer = await (await proxy(upstream.url)).ask("/v1/models", b"", OPENAI, "GET")

        assert ids(answer) == ["gemini-2.5-pro", "gemma-4-31b-it", "tunedModels/mine"]
        document = json.loads(answer.body)
        assert document["object"] == "list"
        assert document["models"] == document["data"]
        assert "nextPageToken" not in document
        assert [seen.target for seen in upstream.seen] == [
            "/v1/models?pageSize=1000",
            "/v1/models?pageSize=1000&pageToken=t%2F2",
        ]


async def test_a_page_of_the_client_s_own_is_one_page(proxy: StartProxy) -> None:
    async with replying(FIRST, SECOND) as upstream:
        running = await proxy(upstream.url)
        answer = await running.ask("/v1/models/?pageSize=1", b"", OPENAI, "GET")

        assert ids(answer) == ["gemini-2.5-pro"]
        assert json.loads(answer.body)["nextPageToken"] == "t/2"


@pytest.mark.parametrize("target", ["/v1/models", "/v1/models/gemini-x"])
async def test_what_google_would_refuse_does_not_go_up(proxy: StartProxy, target: str) -> None:
    async with replying(json_reply({**model_list(NAMES), **model_entry("gemini-x")})) as upstream:
        running = await proxy(upstream.url)
        await running.ask(f"/{target}/?limit=20&key=some-key", b"", SDK, "GET")

        (seen,) = upstream.seen
        assert seen.target == target + ("?pageSize=1000" if target.endswith("s") else "")
        assert seen.headers["x-goog-api-key"] == "some-key"


@pytest.mark.parametrize("token", ["some-key", "AIzaKey"])
async def test_the_client_s_own_key_goes_up_and_nothing_else_of_it(
    proxy: StartProxy, token: str
) -> None:
    headers = {"Authorization": f"Bearer {token}", "OpenAI-Beta": "x", "X-Stainless-Lang": "js"}
    async with replying(SECOND) as upstream:
        await (await proxy(upstream.url)).ask("/v1/models", b"", headers, "GET")

        (seen,) = upstream.seen
        assert seen.headers["x-goog-api-key"] == token
        assert not {"openai-beta", "authorization"} & set(map(str.lower, seen.headers))


@pytest.mark.parametrize("given", [error_reply(404), error_reply(400), error_reply(503)])
@pytest.mark.parametrize("target", ["/v1/models", "/v1/models/nope"])
async def test_openai_clients_get_errors_in_their_form(
    proxy: StartProxy, target: str, given: Reply
) -> None:
    async with replying(given) as upstream:
        running = await proxy(upstream.url, repair={"max_consecutive_retries": 0})
        answer = await running.ask(target, b"", OPENAI, "GET")

        error = json.loads(answer.body)["error"]
        assert (answer.status, error["message"]) == (
            int(given.raw.split(b" ")[1]),
            f"scripted {answer.status}",
        )
        assert error["request_id"] == answer.headers["X-Request-Id"]
        assert answer.headers["x-should-retry"] == ("true" if answer.status == 503 else "false")


@pytest.mark.parametrize("given", [json_reply({}), json_reply([]), reply(b"{")])
async def test_openai_clients_get_no_other_document(proxy: StartProxy, given: Reply) -> None:
    async with replying(given) as upstream:
        running = await proxy(upstream.url, repair={"max_consecutive_retries": 0})
        answer = await running.ask("/v1/models", b"", OPENAI, "GET")

        assert answer.status == 502
        assert json.loads(answer.body)["error"]["type"] == "server_error"


@pytest.mark.parametrize("name", ["gemini-x", "models/gemini-x", "models%2Fgemini-x"])
async def test_an_entry_is_found_by_its_name_with_or_without_its_collection(
    proxy: StartProxy, name: str
) -> None:
    async with replying(ENTRY) as upstream:
        answer = await (await proxy(upstream.url)).ask(f"/v1/models/{name}/", b"", OPENAI, "GET")

        assert json.loads(answer.body)["id"] == "gemini-x"
        assert upstream.seen[0].target == "/v1/models/gemini-x"


async def test_names_of_the_proxy_s_own_are_models_for_openai_clients(proxy: StartProxy) -> None:
    own = {"aliases": {"gpt-4o": "gemini-2.5-pro"}, "model_suffixes": True}
    async with replying(SECOND, json_reply(model_entry("gemini-2.5-pro"))) as upstream:
        running = await proxy(upstream.url, openai=own)
        listed = await running.ask("/v1/models", b"", OPENAI, "GET")
        alias = await running.ask("/v1/models/gpt-4o", b"", OPENAI, "GET")
        suffix = await running.ask("/v1/models/gemini-2.5-pro-search", b"", OPENAI, "GET")

        assert "gpt-4o" in ids(listed)
        assert json.loads(alias.body)["id"] == "gpt-4o"
        assert json.loads(suffix.body)["id"] == "gemini-2.5-pro-search"
        assert {seen.target for seen in upstream.seen[1:]} == {"/v1/models/gemini-2.5-pro"}


async def test_without_them_none_is_listed(proxy: StartProxy) -> None:
    async with replying(FIRST, SECOND) as upstream:
        answer = await (await proxy(upstream.url)).ask("/v1/models", b"", OPENAI, "GET")

        assert len(ids(answer)) == 3


async def test_the_last_list_serves_while_no_key_of_the_pool_can(proxy: StartProxy) -> None:
    invalid = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
    async with replying(FIRST, SECOND, error_reply(400, invalid)) as upstream:
        running = await proxy(upstream.url, **POOL)
        bearer = {"Authorization": f"Bearer {SECRET}"}
        first = await running.ask("/v1/models", b"", bearer, "GET")
        again = await running.ask("/v1/models", b"", bearer, "GET")
        entry = await running.ask("/v1/models/gemini-2.5-pro", b"", bearer, "GET")
        unknown = await running.ask("/v1/models/nope", b"", bearer, "GET")

        assert ids(again) == ids(first)
        assert json.loads(entry.body)["id"] == "gemini-2.5-pro"
        assert unknown.status == 503


async def test_without_a_list_that_came_there_is_an_error(proxy: StartProxy) -> None:
    invalid = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
    async with replying(error_reply(400, invalid)) as upstream:
        running = await proxy(upstream.url, **POOL)
        bearer = {"Authorization": f"Bearer {SECRET}"}
        answer = await running.ask("/v1/models", b"", bearer, "GET")

        assert answer.status == 503
        assert json.loads(answer.body)["error"]["type"] == "server_error"
