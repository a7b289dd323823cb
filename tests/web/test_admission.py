"""The door over sockets: who gets an answer, in which form a refusal comes, and what it costs."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.gemini import BODY, chunk, sse
from tests.replies import Replies, json_reply, replying, sse_reply
from tests.running import AccessLog, Proxy, StartProxy
from tests.sockets import connected
from tests.wire import ARRAY, STREAM

ANN = "gp-7Kq2mXv9TzRw4Lp8"
WHOLE = sse(chunk("All of it.", finish="STOP"))
UNARY = "/v1beta/models/gemini-test:generateContent"
PREFLIGHT = {"Origin": "https://page.test", "Access-Control-Request-Method": "POST"}


async def started(
    proxy: StartProxy, upstream: Replies, mode: str = "", **sections: Mapping[str, Any]
) -> Proxy:
    """Start a proxy with a pool of one key and an access key."""
    pool = {"keys": "AIzaSyPool", "mode": mode, **sections.pop("pool", {})}
    return await proxy(upstream.url, pool=pool, access={"keys": {"ann": ANN}}, **sections)


@pytest.mark.parametrize("mode", ["", "both", "passthrough"])
@pytest.mark.parametrize("target", [STREAM, UNARY, "/v1beta/files?pageSize=1", "/v1beta/other"])
async def test_a_wrong_access_key_is_refused_and_nothing_goes_up(
    proxy: StartProxy, access_log: AccessLog, mode: str, target: str
) -> None:
    async with replying() as upstream:
        served = await started(proxy, upstream, mode)
        answer = await served.ask(target, headers={"x-goog-api-key": f"{ANN}x"})

    assert answer.status == 401
    assert answer.error["code"] == 401
    assert answer.error["status"] == "UNAUTHENTICATED"
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    info = answer.error["details"][0]
    assert info["requestId"] == answer.headers["X-Request-Id"]
    assert ANN not in answer.body.decode()
    assert upstream.seen == []
    line = await access_log.line()
    assert line["status"] == 401
    assert "access" not in line
    assert ANN not in str(line)


async def test_a_refusal_is_in_the_voice_of_its_route(proxy: StartProxy) -> None:
    async with replying() as upstream:
        served = await started(proxy, upstream)
        no_key = {"x-other": "1"}
        one, several = (
            await served.ask(STREAM, headers=no_key),
            await served.ask(ARRAY, headers=no_key),
        )

    assert json.loads(one.body)["error"]["code"] == 401
    assert json.loads(several.body)[0]["error"]["code"] == 401


@pytest.mark.parametrize("path", ["/health", "/healthz", "/livez", "/readyz"])
async def test_health_needs_no_access_key(proxy: StartProxy, path: str) -> None:
    async with replying() as upstream:
        served = await started(proxy, upstream)
        answer = await served.ask(path, b"", {"x-other": "1"}, method="GET")

    assert answer.status == 200


async def test_a_preflight_that_is_answered_here_needs_no_access_key(proxy: StartProxy) -> None:
    async with replying() as upstream:
        served = await started(proxy, upstream, server={"cors_origins": ("https://page.test",)})
        async with served.connect() as connection:
            await connection.send(UNARY, b"", PREFLIGHT, method="OPTIONS")
            status, _ = await connection.head()
        other = await served.ask(UNARY, b"", {"Origin": "https://page.test"}, method="OPTIONS")

    assert status == 204
    assert other.status == 401
    assert other.headers["Access-Control-Allow-Origin"] == "https://page.test"


async def test_any_other_preflight_needs_one(proxy: StartProxy) -> None:
    async with replying() as upstream:
        served = await started(proxy, upstream)
        answer = await served.ask(UNARY, b"", PREFLIGHT, method="OPTIONS")

    assert answer.status == 401
    assert upstream.seen == []


async def test_a_body_that_is_held_back_is_not_asked_for(proxy: StartProxy) -> None:
    head = f"POST {UNARY} HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
    async with replying() as upstream:
        served = await started(proxy, upstream)
        port = int(served.url.rpartition(":")[2])
        async with connected(port, head.encode()) as client:
            answered = await client.head()

    assert answered.startswith(b"HTTP/1.1 401 ")
    assert b"\r\nConnection: close\r\n" in answered


async def test_a_refusal_reads_no_body_and_leaves_the_connection_where_there_is_none(
    proxy: StartProxy,
) -> None:
    large = f"POST {UNARY} HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n"
    async with replying() as upstream:
        served = await started(proxy, upstream)
        port = int(served.url.rpartition(":")[2])
        async with connected(port, large.encode()) as client:
            assert (await client.head()).startswith(b"HTTP/1.1 401 ")
        async with served.connect() as connection:
            for _ in range(2):
                answer = await connection.ask("/v1/models", b"", {"x-other": "1"}, method="GET")
                assert answer.status == 401


async def test_a_socket_is_refused_before_its_handshake(proxy: StartProxy) -> None:
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    target = (
        f"//ws/google.ai.generativelanguage.v1.GenerativeService.BidiGenerateContent?key={ANN}x"
    )
    async with replying() as upstream:
        served = await started(proxy, upstream)
        answer = await served.ask(target, b"", headers, method="GET")

    assert answer.status == 401
    assert upstream.seen == []


@pytest.mark.parametrize("mode", ["", "both"])
@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"x-goog-api-key": ANN}, ""),
        ({"Authorization": f"Bearer {ANN}", "Cookie": f"a={ANN}"}, ""),
        ({"x-api-key": ANN, "X-Goog-User-Project": "theirs"}, f"&key={ANN}"),
        ({"x-goog-api-key": "AIzaSyTheirs", "api-key": ANN}, "&access_token=ya29.theirs"),
    ],
)
async def test_no_credential_of_a_caller_with_an_access_key_goes_up(
    proxy: StartProxy, access_log: AccessLog, mode: str, headers: dict[str, str], query: str
) -> None:
    async with replying(sse_reply(WHOLE)) as upstream:
        served = await started(proxy, upstream, mode)
        answer = await served.ask(f"{STREAM}{query}", BODY, headers)

    assert answer.status == 200
    (seen,) = upstream.seen
    gone_up = f"{seen}"
    for secret in (ANN, "theirs", "Theirs"):
        assert secret not in gone_up
    line = await access_log.line()
    assert line["access"] == "ann"
    assert ANN not in str(line)


async def test_in_both_a_client_s_own_key_goes_up(proxy: StartProxy, access_log: AccessLog) -> None:
    async with replying(json_reply({"ok": 1})) as upstream:
        served = await started(proxy, upstream, "both")
        headers = {"x-goog-api-key": "AIzaSyTheirs", "X-Goog-User-Project": "theirs"}
        answer = await served.ask("/v1beta/models/gemini-test:countTokens", BODY, headers)

    assert answer.status == 200
    (seen,) = upstream.seen
    assert "AIzaSyTheirs" in f"{seen}"
    assert "theirs" in f"{seen}"
    assert "access" not in await access_log.line()
