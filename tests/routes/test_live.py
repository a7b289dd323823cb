"""The Live route: which requests are WebSockets, what goes up with them, what refuses them."""

import contextlib
import json
from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from gemproxy.routes.parts import IN_FLIGHT
from tests.live_upstream import HANDSHAKE, LIVE, LiveUpstream, live_upstream, silent
from tests.replies import SILENT, json_reply, replying
from tests.running import AccessLog, Proxy, StartProxy
from tests.sockets import cutting, scripted
from tests.wire import Answer

MUSIC = LIVE.replace("BidiGenerateContent", "BidiGenerateMusic")
CONSTRAINED = LIVE + "Constrained"
TOKEN = "auth_tokens/abc"


@contextlib.asynccontextmanager
async def opened(
    url: str, headers: Mapping[str, str] | None = None, protocols: tuple[str, ...] = ()
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Yield a client's socket; it is closed with 1000 at the exit."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            URL(url, encoded=True), headers=headers, protocols=protocols, compress=15
        ) as socket,
    ):
        yield socket


async def handshake(proxy: StartProxy, url: str, target: str = LIVE, **headers: str) -> Answer:
    """Return the answer to a handshake that is refused."""
    started = await proxy(url)
    return await started.ask(target, b"", HANDSHAKE | headers, method="GET")


@pytest.mark.parametrize(
    "path",
    [LIVE, f"/{LIVE}", f"///{LIVE}", f"/sub/{LIVE}", MUSIC, CONSTRAINED, "/ws/x", "/v9/brand-new"],
)
async def test_any_path_may_be_a_websocket(proxy: StartProxy, path: str) -> None:
    async with (
        live_upstream(silent) as upstream,
        opened((await proxy(upstream.url)).url + path + "?alt=a%2Fb"),
    ):
        pass

    expected = "/" + path.lstrip("/")
    assert upstream.seen[0].raw_path == f"{expected}?alt=a%2Fb"


async def sent_up(
    proxy: StartProxy, query: str, headers: Mapping[str, str]
) -> tuple[LiveUpstream, Mapping[str, str]]:
    async with (
        live_upstream(silent) as upstream,
        opened((await proxy(upstream.url)).url + LIVE + query, headers),
    ):
        pass
    return upstream, upstream.seen[0].headers


@pytest.mark.parametrize(
    ("query", "headers", "key"),
    [
        ("?key=AIza-k", {}, "AIza-k"),
        ("?key=AQ.k&alt=x", {}, "AQ.k"),
        ("?access_token=AQ.k", {}, "AQ.k"),
        ("", {"x-goog-api-key": "AQ.k"}, "AQ.k"),
        ("?key=AQ.other", {"x-goog-api-key": "AQ.k"}, "AQ.k"),
        ("", {"Authorization": "Bearer AQ.k"}, "AQ.k"),
        ("", {"Authorization": "Token AIza-k"}, "AIza-k"),
    ],
)
async def test_a_key_goes_up_in_one_header(
    proxy: StartProxy, query: str, headers: dict[str, str], key: str
) -> None:
    upstream, seen = await sent_up(proxy, query, headers)

    assert seen["x-goog-api-key"] == key
    assert "Authorization" not in seen
    assert "k" not in upstream.seen[0].query_string.replace("alt", "")


@pytest.mark.parametrize(
    ("query", "headers", "value"),
    [
        (f"?access_token={TOKEN}", {}, f"Token {TOKEN}"),
        ("?access_token=auth_tokens%2Fabc", {}, f"Token {TOKEN}"),
        (f"?key={TOKEN}", {}, f"Token {TOKEN}"),
        ("", {"Authorization": f"Token {TOKEN}", "x-goog-api-key": TOKEN}, f"Token {TOKEN}"),
        ("", {"Authorization": f"Token {TOKEN}"}, f"Token {TOKEN}"),
        ("", {"Authorization": f"Bearer {TOKEN}"}, f"Token {TOKEN}"),
        ("?access_token=ya29.t", {}, "Bearer ya29.t"),
        ("", {"Authorization": "Bearer ya29.t"}, "Bearer ya29.t"),
        ("?key=AQ.k", {"Authorization": "Bearer ya29.t"}, "Bearer ya29.t"),
    ],
)
async def test_a_token_goes_up_in_the_form_that_google_takes(
    proxy: StartProxy, query: str, headers: dict[str, str], value: str
) -> None:
    upstream, seen = await sent_up(proxy, query, headers)

    assert seen["Authorization"] == value
    assert "x-goog-api-key" not in seen
    assert upstream.seen[0].query_string == ""


async def test_without_a_credential_none_goes_up(proxy: StartProxy) -> None:
    _, seen = await sent_up(proxy, "", {"Cookie": "a=b", "X-Forwarded-For": "1.2.3.4"})

    assert not {"Authorization", "x-goog-api-key", "Cookie", "X-Forwarded-For"} & {*seen}


async def test_other_headers_pass_and_compression_is_not_negotiated(proxy: StartProxy) -> None:
    async with live_upstream(silent) as upstream:
        url = (await proxy(upstream.url)).url + LIVE
        sent = {"x-goog-api-client": "sdk/1", "Origin": "https://page.test"}
        async with opened(url, sent) as client:
            assert client.compress == 0

    seen = upstream.seen[0].headers
    assert {name: seen[name] for name in sent} == sent
    assert "Sec-WebSocket-Extensions" not in seen


@pytest.mark.parametrize(("offered", "chosen"), [(("a", "b"), "b"), (("a",), None), ((), None)])
async def test_the_upstream_chooses_among_the_client_s_subprotocols(
    proxy: StartProxy, offered: tuple[str, ...], chosen: str | None
) -> None:
    async with live_upstream(silent, protocols=["b"]) as upstream:
        url = (await proxy(upstream.url)).url + LIVE
        async with opened(url, protocols=offered) as client:
            assert client.protocol == chosen

    names = upstream.seen[0].headers.get("Sec-WebSocket-Protocol", "")
    assert tuple(filter(None, names.split(","))) == offered


async def test_subprotocols_are_not_logged(
    proxy: StartProxy, caplog: pytest.LogCaptureFixture
) -> None:
    async with live_upstream(silent) as upstream:
        url = (await proxy(upstream.url)).url + LIVE
        async with opened(url, protocols=("canary",)):
            pass

    assert "canary" not in caplog.text


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
async def test_a_refusal_of_the_upstream_is_the_answer(proxy: StartProxy, status: int) -> None:
    error = {"code": status, "message": "scripted", "status": "X", "details": [{"@type": "y"}]}
    refusal = lambda: web.json_response({"error": error}, status=status)  # noqa: E731 (one use)
    async with live_upstream(silent, refusal=refusal) as upstream:
        answer = await handshake(proxy, upstream.url)

    assert answer.status == status
    assert answer.error["message"] == "scripted"
    assert answer.error["details"][0] == {"@type": "y"}


async def test_a_refusal_that_is_no_json_gets_google_s_shape(proxy: StartProxy) -> None:
    refusal = lambda: web.Response(text="<html>", status=403)  # noqa: E731 (one use)
    async with live_upstream(silent, refusal=refusal) as upstream:
        answer = await handshake(proxy, upstream.url)

    assert (answer.status, answer.error["status"]) == (403, "PERMISSION_DENIED")
    assert b"<html>" not in answer.body


@pytest.mark.parametrize("status", [200, 302])
async def test_an_upstream_that_takes_no_websockets_is_a_bad_gateway(
    proxy: StartProxy, status: int
) -> None:
    refusal = lambda: web.Response(status=status, headers={"Location": "/x"})  # noqa: E731
    async with live_upstream(silent, refusal=refusal) as upstream:
        answer = await handshake(proxy, upstream.url)

    assert (answer.status, answer.error["status"]) == (502, "UNAVAILABLE")


async def test_an_upstream_that_cannot_be_reached_is_said_so(
    proxy: StartProxy, access_log: AccessLog
) -> None:
    async with scripted(cutting()) as url:
        pass

    assert (await handshake(proxy, str(url))).status == 503
    assert (await access_log.line())["upstream"] == "unreachable"


async def test_an_upstream_that_closes_is_a_bad_gateway(proxy: StartProxy) -> None:
    async with scripted(cutting(reset=True)) as url:
        assert (await handshake(proxy, str(url))).status == 502


async def test_an_upstream_that_does_not_answer_is_waited_for_so_long(proxy: StartProxy) -> None:
    async with replying(SILENT) as upstream:
        started = await proxy(upstream.url, upstream={"first_byte_timeout_seconds": 0.05})
        answer = await started.ask(LIVE, b"", HANDSHAKE, method="GET")

    assert (answer.status, answer.error["status"]) == (504, "DEADLINE_EXCEEDED")


@pytest.mark.parametrize(
    "wrong",
    [
        {"Sec-WebSocket-Version": "12"},
        {"Sec-WebSocket-Key": "short"},
        {"Sec-WebSocket-Key": "%"},
        {"Connection": "keep-alive"},
    ],
)
async def test_a_handshake_that_is_none_goes_nowhere(
    proxy: StartProxy, wrong: dict[str, str]
) -> None:
    async with live_upstream(silent) as upstream:
        answer = await handshake(proxy, upstream.url, **wrong)

    assert (answer.status, answer.error["status"]) == (400, "INVALID_ARGUMENT")
    assert upstream.seen == []


async def test_a_plain_get_of_a_live_path_is_fetched(proxy: StartProxy) -> None:
    async with replying(json_reply({"a": 1})) as upstream:
        answer = await (await proxy(upstream.url)).ask(LIVE, b"", method="GET")

    assert json.loads(answer.body) == {"a": 1}


async def test_a_refused_handshake_leaves_the_connection_usable(proxy: StartProxy) -> None:
    refusal = lambda: web.json_response({"error": {"code": 404}}, status=404)  # noqa: E731
    async with live_upstream(silent, refusal=refusal) as upstream:
        started = await proxy(upstream.url)
        async with started.connect() as connection:
            first = await connection.ask(LIVE, b"", HANDSHAKE, method="GET")
            second = await connection.ask("/health", b"", method="GET")

    assert (first.status, second.status) == (404, 200)


async def test_a_session_counts_as_a_request(proxy: StartProxy) -> None:
    async with live_upstream(silent) as upstream:
        started = await proxy(upstream.url, server={"max_connections": 1})
        async with opened(started.url + LIVE):
            answer = await started.ask(LIVE, b"", HANDSHAKE, method="GET")
            assert len(started.app[IN_FLIGHT]) == 1

    assert (answer.status, answer.error["status"]) == (503, "UNAVAILABLE")
    assert len(upstream.seen) == 1


async def test_no_session_begins_during_a_shutdown(proxy: StartProxy) -> None:
    async with live_upstream(silent) as upstream:
        started = await proxy(upstream.url)
        started.app[IN_FLIGHT].draining = True
        answer = await started.ask(LIVE, b"", HANDSHAKE, method="GET")

    assert (answer.status, answer.error["status"]) == (503, "UNAVAILABLE")
    assert upstream.seen == []


async def test_a_shutdown_that_begins_during_the_handshake_ends_it(proxy: StartProxy) -> None:
    proxies: list[Proxy] = []

    def begin() -> None:
        proxies[0].app[IN_FLIGHT].draining = True

    async with live_upstream(silent, refusal=begin) as upstream:
        proxies.append(await proxy(upstream.url))
        answer = await proxies[0].ask(LIVE, b"", HANDSHAKE, method="GET")

        assert (answer.status, answer.error["status"]) == (503, "UNAVAILABLE")
        assert (await upstream.closed())[0] == 1001
