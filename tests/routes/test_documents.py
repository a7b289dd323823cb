"""JSON of the upstream's that an answer is made of: whole, or an error that says why."""

import json

import pytest
from aiohttp import web

from gemproxy.routes import USUAL
from gemproxy.routes.documents import Documents
from gemproxy.routes.parts import EXCHANGE
from tests.replies import DEAD, Reply, cut, error_reply, json_reply, reply, replying
from tests.running import AccessLog, StartProxy
from tests.wire import Answer

FOUND = json_reply({"a": 1}, 200, "X-Some: 1")


async def handle(request: web.Request) -> web.Response:
    """Answer with a document of the upstream's, and what it came with."""
    documents, exchange = Documents(request, "thing"), request[EXCHANGE]
    try:
        found = await documents.fetch(exchange.towards("/v1beta/thing", "GET"))
    finally:
        exchange.account.result = documents.result()
    return web.json_response({**found, "some": documents.headers["X-Some"]})


@pytest.fixture(autouse=True)
def route(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemproxy.web.app.USUAL", [web.get("/thing", handle), *USUAL])


async def got(proxy: StartProxy, *replies: Reply, retries: int = 5, repair: str = "on") -> Answer:
    async with replying(*replies) as upstream:
        running = await proxy(upstream.url, repair={"max_consecutive_retries": retries})
        headers = {"x-goog-api-key": "k", "X-Gemproxy-Repair": repair}
        return await running.ask("/thing", b"", headers, "GET")


async def test_a_document_comes_with_its_headers(proxy: StartProxy) -> None:
    answer = await got(proxy, FOUND)

    assert (answer.status, json.loads(answer.body)) == (200, {"a": 1, "some": "1"})


@pytest.mark.parametrize("first", [error_reply(503), cut(FOUND), DEAD, reply(b'{"a')])
async def test_it_is_asked_for_again(
    proxy: StartProxy, access_log: AccessLog, first: Reply
) -> None:
    assert (await got(proxy, error_reply(503), first, FOUND)).status == 200
    line = await access_log.line()
    assert len(line["causes"]) >= 1
    assert line["attempts"] >= 2


async def test_it_is_asked_for_once_where_repair_is_off(proxy: StartProxy) -> None:
    assert (await got(proxy, error_reply(503), FOUND, repair="off")).status == 503


@pytest.mark.parametrize("given", [json_reply([1]), json_reply("a"), json_reply(None)])
async def test_other_json_is_a_failure(proxy: StartProxy, given: Reply) -> None:
    answer = await got(proxy, given)

    assert answer.status == 502
    assert answer.error["message"] == "Gemini answered with something that is no thing."


@pytest.mark.parametrize(
    ("given", "after"),
    [
        (error_reply(400), None),
        (json_reply({"error": {"code": 429, "message": "m"}}, 429, "Retry-After: 7"), "7"),
        (
            error_reply(429, {"@type": "x/google.rpc.RetryInfo", "retryDelay": "36.5s"}),
            "37",
        ),
    ],
)
async def test_an_error_has_its_status_and_its_wait(
    proxy: StartProxy, given: Reply, after: str | None
) -> None:
    answer = await got(proxy, given, retries=0)

    assert answer.status in {400, 429}
    assert answer.headers.get("Retry-After") == after


async def test_no_answer_is_a_failure(proxy: StartProxy) -> None:
    assert (await got(proxy, DEAD, retries=0)).status >= 500
