"""Unary calls over real sockets: untouched when all is well, asked again when it is not."""

import asyncio
import gzip
import json
from collections.abc import Mapping
from typing import Any

import pytest

from gemproxy.routes.parts import PRESENT
from tests.gemini import BODY, REQUEST, chunk
from tests.replies import (
    DEAD,
    RESET,
    SILENT,
    Reply,
    cut,
    error_reply,
    json_reply,
    reply,
    replying,
)
from tests.running import AccessLog, Proxy, StartProxy
from tests.sockets import CHUNKED
from tests.sockets import chunk as http_chunk
from tests.wire import KEY, Answer, Ending, body_of

GENERATE = "/v1beta/models/gemini-x:generateContent"
COUNT = "/v1beta/models/gemini-x:countTokens"
BATCH = "/v1beta/models/gemini-x:batchEmbedContents"
CALLS = [
    ("POST", GENERATE),
    ("POST", COUNT),
    ("POST", "/v1/tunedModels/mine:generateContent"),
    ("POST", "/v1/models/gemini-x%3AgenerateContent"),
    ("POST", "//v1beta/models/gemini-x:embedContent"),
    ("POST", BATCH),
    ("POST", "/v1beta/models/imagen:predict"),
    ("GET", "/v1beta/models?pageSize=5"),
    ("GET", "/v1beta/models/gemini-x"),
    ("GET", "/v1beta/operations/o"),
    ("GET", "/v1beta/cachedContents"),
]
SAFE = pytest.mark.parametrize(("method", "target"), CALLS)
ONCE = pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/v1beta/models/gemini-x:batchGenerateContent"),
        ("POST", "/v1beta/models/gemini-x:asyncBatchEmbedContent"),
        ("POST", "/v1beta/models/veo:predictLongRunning"),
        ("POST", "/v1beta/cachedContents"),
        ("POST", "/v1beta/batches/b:cancel"),
        ("POST", "/v1beta/files"),
        ("POST", "/upload/v1beta/files"),
        ("POST", "/v1beta/interactions"),
        ("PATCH", "/v1beta/cachedContents/c"),
        ("DELETE", "/v1beta/files/f"),
        ("PUT", "/upload/v1beta/environments/e/files/f"),
        ("GET", "/v1beta/files/f:withBody"),
    ],
)
HELLO = json_reply(chunk("Hello", finish="STOP", usage=(3, 2)))
EMPTY = json_reply(chunk(finish="STOP", usage=(10, 0)))
THOUGHT = json_reply(chunk(parts=[{"text": "Hm.", "thought": True}], finish="STOP"))
RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.01s"}


def body_in(given: Reply) -> bytes:
    return given.raw.partition(b"\r\n\r\n")[2]


async def ask(
    running: Proxy, method: str = "POST", target: str = GENERATE, **headers: str
) -> Answer:
    body = b"" if method in {"GET", "HEAD", "DELETE"} else BODY
    return await running.ask(target, body, {**KEY, **headers}, method)


async def asked(proxy: StartProxy, *replies: Reply, **sections: Mapping[str, Any]) -> Answer:
    """Ask for a generation from an upstream that replies so."""
    async with replying(*replies) as upstream:
        return await ask(await proxy(upstream.url, **sections))


@SAFE
async def test_an_answer_passes_byte_for_byte(proxy: StartProxy, method: str, target: str) -> None:
    body = b' {"a" : "\\u00fc \xc3\xbc",\r\n "b":[1.0, 1e3] }\n'
    if target.endswith(("generateContent", "GenerateContent")):
        body = json.dumps(chunk("Hi", finish="STOP"), indent=3).encode() + b"\n"
    given = reply(body, 200, "X-Goog-Some: 1", "Server-Timing: gfet4t7; dur=7", "ETag: x")
    async with replying(given) as upstream:
        answer = await ask(await proxy(upstream.url), method, target)

        assert answer.status == 200
        assert answer.body == body
        assert answer.ending is Ending.COMPLETE
        assert answer.headers["Content-Length"] == str(len(body))
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["X-Goog-Some"] == "1"
        assert len(upstream.seen) == 1


@SAFE
async def test_a_request_goes_up_as_it_came(proxy: StartProxy, method: str, target: str) -> None:
    sent = {"Content-Type": "application/json; odd=yes", "X-Server-Timeout": "60", "Cookie": "a=b"}
    async with replying(HELLO) as upstream:
        await ask(await proxy(upstream.url), method, f"{target}", **sent)

        (seen,) = upstream.seen
        expected = {
            "Host": upstream.url.removeprefix("http://"),
            "x-goog-api-key": "test-key",
            "Content-Type": "application/json; odd=yes",
            "X-Server-Timeout": "60",
        }
        assert seen.target == target.replace("//", "/")
        assert seen.body == (BODY if method == "POST" else b"")
        if method == "POST":
            expected["Content-Length"] = str(len(BODY))
        assert dict(seen.headers) == expected


@SAFE
@pytest.mark.parametrize(
    "fault", [error_reply(500), error_reply(503), DEAD, RESET, cut(HELLO), cut(HELLO, 60)]
)
async def test_a_fault_is_asked_away(
    proxy: StartProxy, access_log: AccessLog, method: str, target: str, fault: Reply
) -> None:
    async with replying(fault, fault, HELLO) as upstream:
        answer = await ask(await proxy(upstream.url), method, target)

        assert (answer.status, answer.body) == (200, body_in(HELLO))
        assert len(upstream.seen) == 3
        assert len({(seen.target, seen.body) for seen in upstream.seen}) == 1
        line = await access_log.line()
        by_itself = method == "GET" and fault in {DEAD, RESET}  # aiohttp repeats such a GET once
        assert line["attempts"] == (2 if by_itself else 3)
        assert len(line["causes"]) == line["attempts"] - 1


@ONCE
@pytest.mark.parametrize("fault", [error_reply(503), DEAD])
async def test_what_changes_something_upstream_is_sent_once(
    proxy: StartProxy, method: str, target: str, fault: Reply
) -> None:
    async with replying(fault, HELLO) as upstream:
        running = await proxy(upstream.url)

        answer = await running.ask(target, BODY, KEY, method)

        assert answer.status in {502, 503}
        assert len(upstream.seen) == 1


async def test_when_the_retries_are_used_up_the_last_error_passes_as_it_came(
    proxy: StartProxy,
) -> None:
    last = error_reply(503)
    async with replying(error_reply(500), DEAD, last) as upstream:
        answer = await ask(await proxy(upstream.url, repair={"max_consecutive_retries": 2}))

        assert len(upstream.seen) == 3
        assert (answer.status, answer.body) == (503, body_in(last))
        assert "X-Request-Id" in answer.headers


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 501])
async def test_an_error_that_would_come_again_passes_at_once(
    proxy: StartProxy, status: int
) -> None:
    async with replying(error_reply(status)) as upstream:
        answer = await ask(await proxy(upstream.url))

        assert (answer.status, answer.body) == (status, body_in(error_reply(status)))
        assert len(upstream.seen) == 1


async def test_a_page_of_a_gateway_is_told_again_as_google_tells_errors(proxy: StartProxy) -> None:
    page = reply(b"<html>busy</html>", 502, kind="text/html")

    answer = await asked(proxy, page)

    assert (answer.status, answer.error["status"]) == (502, "UNAVAILABLE")
    assert answer.error["details"][0]["requestId"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize("fault", [DEAD, RESET])
async def test_no_answer_at_all_is_an_error_of_googles_form(
    proxy: StartProxy, access_log: AccessLog, fault: Reply
) -> None:
    answer = await asked(proxy, fault)

    assert answer.status == 502
    assert answer.error["status"] == "UNAVAILABLE"
    line = await access_log.line()
    assert (line["attempts"], line["upstream"], line["status"]) == (6, "reset", 502)


async def test_an_upstream_that_cannot_be_reached_is_unavailable(proxy: StartProxy) -> None:
    async with replying(HELLO) as upstream:
        url = upstream.url
    answer = await ask(await proxy(url))

    assert (answer.status, answer.error["status"]) == (503, "UNAVAILABLE")


@pytest.mark.parametrize(("method", "target"), [("POST", GENERATE), ("GET", "/v1beta/files")])
async def test_a_silent_upstream_is_asked_once_and_is_too_late(
    proxy: StartProxy, method: str, target: str
) -> None:
    """It may be at work, and its work is paid for."""
    patience = {"first_byte_timeout_seconds": 0.05}
    async with replying(SILENT, HELLO) as upstream:
        answer = await ask(await proxy(upstream.url, upstream=patience), method, target)

        assert (answer.status, answer.error["status"]) == (504, "DEADLINE_EXCEEDED")
        assert len(upstream.seen) == 1


async def test_a_quota_that_fits_is_waited_for(proxy: StartProxy) -> None:
    async with replying(error_reply(429, RETRY_INFO), HELLO) as upstream:
        answer = await ask(await proxy(upstream.url))

        assert answer.body == body_in(HELLO)
        assert len(upstream.seen) == 2


async def test_a_quota_is_understood_in_a_packed_error_too(proxy: StartProxy) -> None:
    packed = gzip.compress(body_in(error_reply(429, RETRY_INFO)))
    given = reply(packed, 429, "Content-Encoding: gzip")
    async with replying(given, HELLO) as upstream:
        answer = await ask(
            await proxy(upstream.url), "GET", "/v1beta/models", **{"Accept-Encoding": "gzip"}
        )

        assert answer.body == body_in(HELLO)
        assert upstream.seen[0].headers["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize(
    "given", [error_reply(429), error_reply(429, {**RETRY_INFO, "retryDelay": "31s"})]
)
async def test_a_quota_that_does_not_fit_passes(proxy: StartProxy, given: Reply) -> None:
    async with replying(given, HELLO) as upstream:
        answer = await ask(await proxy(upstream.url))

        assert (answer.status, answer.body) == (429, body_in(given))


@pytest.mark.parametrize("empty", [EMPTY, THOUGHT, json_reply({"candidates": []})])
async def test_an_empty_answer_is_asked_again(
    proxy: StartProxy, access_log: AccessLog, empty: Reply
) -> None:
    answer = await asked(proxy, empty, HELLO)

    assert answer.body == body_in(HELLO)
    line = await access_log.line()
    assert (line["attempts"], line["causes"]) == (2, ["empty"])
    assert (line["model"], line["finish_reason"]) == ("gemini-x", "STOP")
    assert line["tokens"]["output"] == 2


async def test_an_answer_that_stays_empty_passes(proxy: StartProxy, access_log: AccessLog) -> None:
    answer = await asked(proxy, EMPTY)

    assert (answer.status, answer.body) == (200, body_in(EMPTY))
    line = await access_log.line()
    assert (line["attempts"], line["extra_tokens"]) == (3, 20)


async def test_an_empty_answer_passes_when_no_other_can_be_had(proxy: StartProxy) -> None:
    answer = await asked(proxy, EMPTY, error_reply(503))

    assert (answer.status, answer.body) == (200, body_in(EMPTY))


async def test_an_empty_answer_to_a_function_response_passes(proxy: StartProxy) -> None:
    turn = {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]}
    async with replying(EMPTY, HELLO) as upstream:
        running = await proxy(upstream.url)

        answer = await running.ask(GENERATE, body_of({"contents": [*REQUEST["contents"], turn]}))

        assert answer.body == body_in(EMPTY)


@pytest.mark.parametrize(
    "given",
    [
        json_reply(chunk(finish="SAFETY")),
        json_reply(chunk(finish="PROHIBITED_CONTENT")),
        json_reply({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}),
    ],
)
async def test_policy_endings_and_blocks_pass_at_once(proxy: StartProxy, given: Reply) -> None:
    answer = await asked(proxy, given, HELLO)

    assert (answer.status, answer.body) == (200, body_in(given))


@pytest.mark.parametrize("target", [f"{GENERATE}?fields=usageMetadata", f"{GENERATE}?$fields=x"])
async def test_a_mask_may_have_hidden_what_an_answer_says(proxy: StartProxy, target: str) -> None:
    async with replying(json_reply({}), HELLO) as upstream:
        answer = await ask(await proxy(upstream.url), "POST", target)

        assert answer.body == b"{}"


async def test_half_a_document_without_a_length_is_asked_again(proxy: StartProxy) -> None:
    """A body that ends with the connection cannot be seen to be cut, except by what it says."""
    top = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    half = Reply(top + body_in(HELLO)[:-9], closes=True)

    answer = await asked(proxy, half, HELLO)

    assert answer.body == body_in(HELLO)


async def test_an_answer_too_large_to_keep_passes_as_it_comes_and_ends_loudly(
    proxy: StartProxy, access_log: AccessLog
) -> None:
    top = CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Type: application/json\r\n\r\n")
    large = Reply(top + http_chunk(b"x" * 2000), closes=True)

    answer = await asked(proxy, large, HELLO, repair={"keep_answer_bytes": 1000})

    assert answer.status == 200
    assert answer.body == b"x" * 2000
    assert answer.ending is Ending.FIN
    assert (await access_log.line())["upstream"] == "reset"


@pytest.mark.parametrize("size", [999, 1000, 1001, 5000])
async def test_the_cap_on_kept_answers_makes_no_difference_to_a_whole_one(
    proxy: StartProxy, size: int
) -> None:
    given = reply(b"1" * size)

    for section in ({"keep_answer_bytes": 1000}, {"keep_total_bytes": 1000}):
        answer = await asked(proxy, given, repair=section)

        assert (answer.body, answer.ending) == (body_in(given), Ending.COMPLETE)


async def test_what_is_no_json_is_not_kept(proxy: StartProxy) -> None:
    """The client has the beginning of a download before the upstream ends it."""
    top = CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Type: video/mp4\r\n\r\n")
    async with replying(Reply(top + http_chunk(b"begun"), stalls=True)) as upstream:
        running = await proxy(upstream.url)
        async with running.connect() as connection:
            await connection.send("/v1/files/f:download?alt=media", b"", KEY, "GET")
            status, headers = await connection.head()

            assert (status, headers["Content-Type"]) == (200, "video/mp4")
            assert await connection.chunk() == b"begun"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("status", [204, 206, 304])
async def test_other_answers_pass(proxy: StartProxy, method: str, status: int) -> None:
    empty = Reply(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\nETag: 1\r\n\r\n".encode())
    async with replying(empty) as upstream:
        running = await proxy(upstream.url)
        async with running.connect() as connection:
            await connection.send("/v1/files/f:download", b"", KEY, method)
            seen, headers = await connection.head()

        assert (seen, headers["ETag"]) == (status, "1")
        assert len(upstream.seen) == 1


async def test_a_head_request_has_the_length_of_what_it_does_not_send(proxy: StartProxy) -> None:
    top = Reply(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n")
    async with replying(error_reply(503), top) as upstream:
        upstream.seen.clear()
        running = await proxy(upstream.url)
        async with running.connect() as connection:
            await connection.send("/v1beta/x", b"", KEY, "HEAD")
            _, headers = await connection.head()

        assert headers["Content-Length"] == "9"


async def test_a_body_too_large_to_keep_goes_up_once(proxy: StartProxy) -> None:
    async with replying(error_reply(503), HELLO) as upstream:
        answer = await ask(await proxy(upstream.url, repair={"keep_body_bytes": 10}))

        (seen,) = upstream.seen
        assert answer.status == 503
        assert seen.body == BODY
        assert seen.headers["Content-Length"] == str(len(BODY))


async def test_a_large_body_goes_up_whole_each_time(proxy: StartProxy) -> None:
    body = body_of("x" * 1_000_000)
    async with replying(DEAD, HELLO) as upstream:
        running = await proxy(upstream.url)

        answer = await running.ask(GENERATE, body)

        assert answer.body == body_in(HELLO)
        assert upstream.seen[-1].body == body


@pytest.mark.parametrize(
    ("method", "target"), [("POST", GENERATE), ("POST", COUNT), ("GET", "/v1beta/models")]
)
@pytest.mark.parametrize("fault", [error_reply(503), EMPTY])
async def test_repair_can_be_switched_off(
    proxy: StartProxy, method: str, target: str, fault: Reply
) -> None:
    async with replying(fault, HELLO) as upstream:
        await ask(await proxy(upstream.url), method, target, **{"X-Gemproxy-Repair": "Off"})
        await ask(await proxy(upstream.url, repair={"enabled": False}), method, target)

        assert len(upstream.seen) == 2
        assert "X-Gemproxy-Repair" not in upstream.seen[0].headers


async def test_the_deadline_ends_an_attempt(proxy: StartProxy, access_log: AccessLog) -> None:
    async with replying(SILENT) as upstream:
        answer = await ask(await proxy(upstream.url), **{"X-Server-Timeout": "0.05"})

        assert answer.status == 504
        assert answer.error["status"] == "DEADLINE_EXCEEDED"
        assert answer.error["details"][0]["requestId"] == answer.headers["X-Request-Id"]
        assert (await access_log.line())["attempts"] == 1


async def test_a_wait_beyond_the_deadline_is_not_begun(proxy: StartProxy) -> None:
    """Then the upstream's own error is the better answer, and it is there already."""
    slow = {**RETRY_INFO, "retryDelay": "20s"}

    async with replying(error_reply(429, slow), HELLO) as upstream:
        answer = await ask(await proxy(upstream.url), **{"X-Server-Timeout": "9"})

        assert answer.status == 429


async def test_the_deadline_is_for_the_answer_to_begin(proxy: StartProxy) -> None:
    top = CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Type: video/mp4\r\n\r\n")
    async with replying(Reply(top + http_chunk(b"begun"), stalls=True)) as upstream:
        running = await proxy(upstream.url, upstream={"first_byte_timeout_seconds": 0.3})

        answer = await ask(running, "GET", "/v1/x", **{"X-Server-Timeout": "0.1"})

        assert (answer.status, answer.ending) == (200, Ending.FIN)


async def test_a_client_that_leaves_ends_the_call(proxy: StartProxy) -> None:
    async with replying(SILENT) as upstream:
        running = await proxy(upstream.url)
        async with running.connect() as connection:
            await connection.send(GENERATE)
            await upstream.stalled.wait()
            assert not upstream.left.is_set()

        assert await upstream.left.wait()
        assert len(upstream.seen) == 1


async def test_kept_bodies_are_given_back(proxy: StartProxy) -> None:
    async with replying(EMPTY, error_reply(503), HELLO) as upstream:
        running = await proxy(upstream.url)
        await asyncio.gather(*(ask(running) for _ in range(3)))

        assert running.app[PRESENT].live.repair.bodies.held == 0


async def test_uris_of_files_are_those_of_the_upstream_in_what_goes_up(proxy: StartProxy) -> None:
    async with replying(DEAD, HELLO) as upstream:
        running = await proxy(upstream.url)
        part = {"fileData": {"fileUri": f"{running.url}/v1beta/files/abc"}}

        await running.ask(GENERATE, body_of({"contents": [{"parts": [part]}]}))

        (told,) = upstream.seen[-1].document["contents"][0]["parts"]
        assert told["fileData"]["fileUri"] == f"{upstream.url}/v1beta/files/abc"


async def test_neither_key_nor_content_gets_into_the_log_or_an_error(
    proxy: StartProxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="gemproxy")
    async with replying(DEAD) as upstream:
        running = await proxy(upstream.url)
        answer = await running.ask(f"{GENERATE}?key=secret-1", body_of("secret-2"), {"X-Any": "1"})

    logged = "\n".join(str(record.__dict__) for record in caplog.records)
    assert "gemproxy.access" in logged
    assert "secret" not in logged + answer.body.decode()
