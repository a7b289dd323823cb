"""CORS: off until origins are named, then for those origins, and never with cookies."""

import asyncio
from typing import Any

import pytest

from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.replies import Replies, json_reply, replying
from tests.running import StartProxy
from tests.wire import KEY, STREAM, Answer

PAGE = "https://page.example"
EVIL = "https://evil.example"
ASKED = (
    "content-type, x-goog-api-key, x-goog-api-client, X-Goog-Upload-Command, x-request-id, "
    "x-gemproxy-repair, authorization, x-stainless-lang, x-server-timeout"
)
ON: dict[str, Any] = {"cors_origins": (PAGE, "http://localhost:5173")}
ANY: dict[str, Any] = {"cors_origins": ("*",)}
TARGET = "/v1beta/models/m:generateContent"
UPSTREAMS_OWN = (
    "Access-Control-Allow-Origin: *",
    "Access-Control-Allow-Credentials: true",
    "Access-Control-Expose-Headers: x-of-google",
    "X-Goog-Upload-URL: u",
    "X-Goog-Upload-Status: active",
    "Retry-After: 3",
    "X-Secret: s",
)


def preflight(origin: str = PAGE, asked: str = ASKED) -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": asked,
        "Cookie": "a=b",
    }


def cors_headers(answer: Answer) -> dict[str, str]:
    return {
        name.lower().removeprefix("access-control-"): value
        for name, value in answer.headers.items()
        if name.lower().startswith("access-control-")
    }


async def asked(
    proxy: StartProxy,
    upstream: Replies,
    headers: dict[str, str],
    method: str = "OPTIONS",
    target: str = TARGET,
    **server: object,
) -> Answer:
    running = await proxy(upstream.url, server=server)
    return await running.ask(target, b"", headers, method)


async def test_a_preflight_is_answered_here(proxy: StartProxy) -> None:
    async with replying(json_reply({})) as upstream:
        running = await proxy(upstream.url, server=ON)
        async with running.connect() as connection:
            await connection.send(TARGET, b"", preflight(), "OPTIONS")
            status, headers = await connection.head()

        assert status == 204
        assert headers["Access-Control-Allow-Origin"] == PAGE
        assert headers["Access-Control-Allow-Headers"] == ASKED
        assert set(headers["Access-Control-Allow-Methods"].split(", ")) == {
            "GET",
            "HEAD",
            "POST",
            "PUT",
            "PATCH",
            "DELETE",
        }
        assert "Access-Control-Allow-Credentials" not in headers
        assert "Origin" in headers["Vary"]
        assert upstream.seen == []


async def test_headers_that_no_sdk_sends_are_not_allowed(proxy: StartProxy) -> None:
    async with replying(json_reply({})) as upstream:
        running = await proxy(upstream.url, server=ON)
        async with running.connect() as connection:
            sent = preflight(asked="x-evil, x-goog-, content-type, x-googly")
            await connection.send(TARGET, b"", sent, "OPTIONS")
            _, headers = await connection.head()

        assert headers["Access-Control-Allow-Headers"] == "content-type"


@pytest.mark.parametrize("origin", [EVIL, "null", f"{PAGE}.evil.example", "http://page.example"])
async def test_a_preflight_of_another_origin_is_refused(proxy: StartProxy, origin: str) -> None:
    async with replying(json_reply({})) as upstream:
        answer = await asked(proxy, upstream, preflight(origin), **ON)

        assert (answer.status, answer.error["status"]) == (403, "PERMISSION_DENIED")
        assert cors_headers(answer) == {}
        assert upstream.seen == []


async def test_an_answer_may_be_read_by_a_named_page(proxy: StartProxy) -> None:
    async with replying(json_reply({"a": 1}, 200, *UPSTREAMS_OWN)) as upstream:
        answer = await asked(proxy, upstream, {**KEY, "Origin": PAGE}, "GET", "/v1/x", **ON)

        headers = cors_headers(answer)
        exposed = set(headers.pop("expose-headers").split(", "))
        assert headers == {"allow-origin": PAGE}
        assert exposed == {
            "X-Goog-Upload-URL",
            "X-Goog-Upload-Status",
            "Retry-After",
            "X-Request-Id",
        }
        assert answer.headers.getall("Vary") == ["Origin"]
        assert answer.body == b'{\n  "a": 1\n}'


@pytest.mark.parametrize("origin", [EVIL, ""])
async def test_an_answer_is_not_for_other_pages_whatever_the_upstream_says(
    proxy: StartProxy, origin: str
) -> None:
    headers = {**KEY, "Origin": origin} if origin else KEY
    async with replying(json_reply({}, 200, *UPSTREAMS_OWN)) as upstream:
        answer = await asked(proxy, upstream, headers, "GET", "/v1/x", **ON)

        assert answer.status == 200
        assert cors_headers(answer) == {}
        assert answer.headers["Vary"] == "Origin"


async def test_any_origin_may_be_named_by_a_star(proxy: StartProxy) -> None:
    async with replying(json_reply({})) as upstream:
        answer = await asked(proxy, upstream, {**KEY, "Origin": EVIL}, "GET", "/v1/x", **ANY)

        assert cors_headers(answer)["allow-origin"] == EVIL
        assert "allow-credentials" not in cors_headers(answer)


async def test_the_case_of_an_origin_makes_no_difference(proxy: StartProxy) -> None:
    async with replying(json_reply({})) as upstream:
        sent = {**KEY, "Origin": PAGE.upper()}
        answer = await asked(proxy, upstream, sent, "GET", "/v1/x", **ON)

        assert cors_headers(answer)["allow-origin"] == PAGE.upper()


async def test_our_own_errors_and_streams_may_be_read_too(proxy: StartProxy) -> None:
    async with ChaosServer(Script(BUILT_IN["story"])) as server:
        running = await proxy(server, server=ON)
        streamed, refused = await asyncio.gather(
            running.ask(STREAM, headers={**KEY, "Origin": PAGE}),
            running.ask("/v1/../x", b"", {**KEY, "Origin": PAGE}, "GET"),
        )

        assert (streamed.status, refused.status) == (200, 400)
        assert cors_headers(streamed)["allow-origin"] == PAGE
        assert cors_headers(refused)["allow-origin"] == PAGE
        assert "X-Request-Id" in cors_headers(refused)["expose-headers"]


async def test_without_origins_everything_passes(proxy: StartProxy) -> None:
    async with replying(json_reply({}, 200, *UPSTREAMS_OWN)) as upstream:
        answer = await asked(proxy, upstream, preflight())

        (seen,) = upstream.seen
        assert (seen.method, seen.target) == ("OPTIONS", TARGET)
        assert seen.headers["Origin"] == PAGE
        assert seen.headers["Access-Control-Request-Method"] == "POST"
        assert cors_headers(answer) == {
            "allow-origin": "*",
            "allow-credentials": "true",
            "expose-headers": "x-of-google",
        }
        assert "Vary" not in answer.headers


async def test_options_that_are_no_preflight_go_up(proxy: StartProxy) -> None:
    async with replying(json_reply({})) as upstream:
        await asked(proxy, upstream, {**KEY, "Origin": PAGE}, **ON)

        assert [seen.method for seen in upstream.seen] == ["OPTIONS"]


@pytest.mark.parametrize("path", ["/health", "/healthz", "/livez", "/readyz"])
async def test_health_takes_no_part(proxy: StartProxy, path: str) -> None:
    async with replying(json_reply({})) as upstream:
        for headers, method in ((preflight(), "OPTIONS"), ({"Origin": PAGE}, "GET")):
            answer = await asked(proxy, upstream, headers, method, path, **ANY)

            assert cors_headers(answer) == {}
            assert "Vary" not in answer.headers
