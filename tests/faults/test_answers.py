"""The upstream answers with something that is no answer: every route maps it, or passes it on."""

import gzip
import json

import pytest

from tests.faults.upstreams import (
    COMPUTE,
    OTHER,
    UNARY,
    is_googles_error,
    says_nothing_of_the_code,
)
from tests.replies import Reply, cut, error_reply, json_reply, reply, replying
from tests.running import AccessLog, StartProxy
from tests.wire import ARRAY, STREAM, Ending

FEW = {"max_consecutive_retries": 2, "empty_stop_retries": 2}
TARGETS = (STREAM, ARRAY, UNARY, COMPUTE, OTHER)
PAGE = reply(b"<html><h1>502 Bad Gateway</h1></html>", 502, kind="text/html")
WAIT = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "31s"}
RETRYING = frozenset({STREAM, ARRAY, UNARY, COMPUTE})


PASSED: dict[str, tuple[Reply, int]] = {
    "400": (error_reply(400), 1),
    "403": (error_reply(403), 1),
    "429 and RetryInfo": (error_reply(429, WAIT), 1),
    "429 and Retry-After": (json_reply({"error": {"code": 429}}, 429, "Retry-After: 31"), 1),
    "500": (error_reply(500), 3),
    "503": (error_reply(503), 3),
}
"""Error answers -> what is sent, and how often a route that may repeat it asks."""


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", PASSED)
async def test_an_error_answer_passes_as_it_came_after_a_few_attempts(
    proxy: StartProxy, name: str, target: str
) -> None:
    sent, attempts = PASSED[name]
    top, _, body = sent.raw.partition(b"\r\n\r\n")
    async with replying(sent) as upstream:
        answer = await (await proxy(upstream.url, repair=FEW)).ask(target)

        assert answer.status == int(top.split()[1])
        assert (answer.body, answer.ending) == (body, Ending.COMPLETE)
        assert len(upstream.seen) == (attempts if target in RETRYING else 1)
    assert answer.headers.get("Retry-After") == ("31" if b"Retry-After" in top else None)


PAGES = {
    "HTML": PAGE,
    "text": reply(b"no healthy upstream", 503, "Retry-After: 31", kind="text/plain"),
    "said to be JSON": reply(b"upstream timed out", 504, kind="application/json"),
    "packed": reply(gzip.compress(b"<h1>"), 502, "Content-Encoding: gzip", kind="text/html"),
}


@pytest.mark.parametrize(
    ("name", "target"),
    # What passes through is looked at where its type is none that passes.
    [(n, t) for n in PAGES for t in TARGETS if (n, t) != ("said to be JSON", OTHER)],
)
async def test_the_page_of_a_gateway_is_told_again_as_google_tells_errors(
    proxy: StartProxy, name: str, target: str
) -> None:
    sent = PAGES[name]
    status = int(sent.raw.split()[1])
    async with replying(sent) as upstream:
        answer = await (await proxy(upstream.url, repair=FEW)).ask(target)

    is_googles_error(answer, status, "DEADLINE_EXCEEDED" if status == 504 else "UNAVAILABLE")
    assert answer.body.startswith(b"[" if target == ARRAY else b"{")
    assert answer.headers.get("Retry-After") == ("31" if b"Retry-After" in sent.raw else None)


GARBAGE = b"\x1f\x8b\x08\x00 this is no deflate stream"
EMPTY = reply(b"", 200)
UNREADABLE: dict[str, Reply] = {
    "empty": EMPTY,
    "empty, an event stream": reply(b"", 200, kind="text/event-stream"),
    "gzip that is none": reply(GARBAGE, 200, "Content-Encoding: gzip", kind="text/event-stream"),
    "a page of HTML": reply(b"<html>Welcome</html>", 200, kind="text/html"),
    "half a document": cut(json_reply({"candidates": []})),
    "no HTTP": Reply(b"220 mail.invalid ESMTP\r\n\r\n", closes=True),
    "no answer": Reply(b"", closes=True),
    "a reset": Reply(b"", resets=True),
}
"""What is no answer in any language."""


@pytest.mark.parametrize("target", [STREAM, ARRAY])
@pytest.mark.parametrize("name", UNREADABLE)
async def test_a_stream_that_cannot_be_read_is_asked_for_again_and_then_unavailable(
    proxy: StartProxy, access_log: AccessLog, name: str, target: str
) -> None:
    async with replying(UNREADABLE[name]) as upstream:
        answer = await (await proxy(upstream.url, repair=FEW)).ask(target)

        assert len(upstream.seen) <= 6  # of connections that were used before, one may be stale
    is_googles_error(answer, answer.status, "UNAVAILABLE")
    assert answer.status in {502, 503}
    assert (await access_log.line())["attempts"] == 3


@pytest.mark.parametrize("target", TARGETS)
async def test_who_asked_in_vain_says_not_to_ask_again_at_once(
    proxy: StartProxy, target: str
) -> None:
    async with replying(UNREADABLE["no answer"]) as upstream:
        answer = await (await proxy(upstream.url, repair=FEW)).ask(target)

    told = answer.headers.get("Retry-After"), answer.headers.get("x-should-retry")
    assert told == (("30", "false") if target in RETRYING else (None, None))


@pytest.mark.parametrize("target", TARGETS)
async def test_what_the_upstream_answers_says_no_more_of_asking_again(
    proxy: StartProxy, target: str
) -> None:
    async with replying(error_reply(503)) as upstream:
        answer = await (await proxy(upstream.url, repair=FEW)).ask(target)

    assert not {"Retry-After", "x-should-retry"} & set(answer.headers)


@pytest.mark.parametrize("target", [UNARY, COMPUTE, OTHER])
@pytest.mark.parametrize("name", ["no HTTP", "no answer", "a reset"])
async def test_a_call_without_an_answer_is_unavailable(
    proxy: StartProxy, name: str, target: str
) -> None:
    async with replying(UNREADABLE[name]) as upstream:
        answer = await (await proxy(upstream.url, repair=FEW)).ask(target)

        assert len(upstream.seen) == (3 if target in RETRYING else 1)
    is_googles_error(answer, 502, "UNAVAILABLE")


@pytest.mark.parametrize("target", [UNARY, COMPUTE, OTHER])
@pytest.mark.parametrize("name", ["empty", "gzip that is none", "a page of HTML"])
async def test_a_call_whose_answer_means_nothing_gets_it_as_it_came(
    proxy: StartProxy, name: str, target: str
) -> None:
    sent = UNREADABLE[name]
    async with replying(sent) as upstream:
        answer = await (await proxy(upstream.url, repair=FEW)).ask(target)

        assert len(upstream.seen) <= 3
    assert answer.ending is Ending.COMPLETE
    says_nothing_of_the_code(answer.body)
    assert answer.status in {200, 502}
    if answer.status == 200:
        assert answer.body == sent.raw.partition(b"\r\n\r\n")[2]
    else:
        assert json.loads(answer.body)["error"]["status"] == "UNAVAILABLE"


async def test_a_retry_after_that_fits_is_waited_for_once(proxy: StartProxy) -> None:
    limited = json_reply({"error": {"code": 429}}, 429, "Retry-After: 0")
    async with replying(limited) as upstream:
        answer = await (await proxy(upstream.url, repair=FEW)).ask()

        assert (answer.status, len(upstream.seen)) == (429, 2)
