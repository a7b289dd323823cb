"""What stands around every handler: ids, the access log, errors, the bound."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from gemproxy.access.door import Door
from gemproxy.config.settings import Settings
from gemproxy.core.errors import (
    BadRequest,
    Busy,
    LimitReached,
    Unauthenticated,
    Unrepaired,
    UpstreamRejection,
)
from gemproxy.exchange.account import Entry
from gemproxy.metering.meter import UNMETERED
from gemproxy.observe.logs import request_id_var
from gemproxy.relay.downstream import ClientGone
from gemproxy.relay.inflight import InFlight
from gemproxy.relay.parting import NEVER
from gemproxy.routes.parts import (
    CLIENTS,
    DOOR,
    EXCHANGE,
    IN_FLIGHT,
    METER,
    PRESENT,
    Clients,
    Present,
)
from gemproxy.web.live import Learnt, live_of
from gemproxy.web.middlewares import MIDDLEWARES, stamp
from tests.sockets import Client, chunk, connected, exchange, running

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SETTINGS = Settings()
REQUEST = b"GET /x?key=test-key HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
POST = REQUEST.replace(b"GET", b"POST")


def app_of(handler: Handler, limit: int = 9) -> web.Application:
    app = web.Application(middlewares=MIDDLEWARES, client_max_size=4)
    app[IN_FLIGHT] = InFlight(limit, patience=0.01)
    app[CLIENTS] = Clients(send_timeout=30.0)
    app[DOOR] = Door()
    app[METER] = UNMETERED
    app[PRESENT] = Present(live_of(SETTINGS, Learnt.of(SETTINGS)))
    app.on_response_prepare.append(stamp)
    app.router.add_route("*", "/x", handler, name="x")
    app.router.add_get("/health", handler, name="health")
    return app


async def fine(_request: web.Request) -> web.Response:
    return web.Response(text="fine")


def raising(error: BaseException) -> Handler:
    async def handler(_request: web.Request) -> web.StreamResponse:
        raise error

    return handler


async def answer(handler: Handler, request: bytes = REQUEST) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of the answer to one request."""
    async with running(app_of(handler)) as port:
        head, body = await exchange(port, request)
    status, *lines = head.decode().splitlines()
    headers = dict(line.split(": ", 1) for line in lines if line)
    return int(status.split()[1]), headers, body


async def head_and_rest(client: Client) -> tuple[bytes, bytes]:
    return await client.head(), await client.rest()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    for name in ("gemproxy", "gemproxy.access"):
        caplog.set_level(logging.DEBUG, name)
    return caplog


def line(log: pytest.LogCaptureFixture) -> dict[str, Any]:
    """Return the fields of the one line of the access log."""
    (record,) = [record for record in log.records if record.name == "gemproxy.access"]
    return record.__dict__


async def test_a_request_gets_an_id() -> None:
    _, headers, _ = await answer(fine)

    assert len(headers["X-Request-Id"]) == 32


async def test_a_sane_id_of_the_client_is_kept() -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(text=request_id_var.get())

    request = REQUEST.replace(b"Host", b"X-Request-Id: my-id.7\r\nHost")

    _, headers, body = await answer(handler, request)

    assert headers["X-Request-Id"] == "my-id.7"
    assert body == b"my-id.7"


async def test_another_id_of_the_client_is_replaced() -> None:
    _, headers, _ = await answer(fine, REQUEST.replace(b"Host", b"X-Request-Id: a b\r\nHost"))

    assert headers["X-Request-Id"] != "a b"


async def test_a_streamed_answer_has_the_id_too() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        return response

    _, headers, _ = await answer(handler)

    assert "X-Request-Id" in headers


async def test_an_error_is_googles_json_with_the_request_id() -> None:
    status, headers, body = await answer(raising(BadRequest("The body is not JSON.")))

    assert status == 400
    assert headers["Content-Type"].startswith("application/json")
    assert json.loads(body)["error"] == {
        "code": 400,
        "message": "The body is not JSON.",
        "status": "INVALID_ARGUMENT",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.RequestInfo",
                "requestId": headers["X-Request-Id"],
            }
        ],
    }


async def test_an_error_gives_its_advice_on_retries_before_its_type() -> None:
    _, headers, _ = await answer(raising(Busy("Too many requests.")))

    assert list(headers)[:2] == ["Retry-After", "Content-Type"]


async def test_the_upstreams_refusal_keeps_its_status_and_body() -> None:
    sent = {"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"}}

    status, _, body = await answer(raising(UpstreamRejection(429, json.dumps(sent).encode())))

    assert status == 429
    error = json.loads(body)["error"]
    assert error.pop("details")[0]["@type"].endswith("RequestInfo")
    assert {"error": error} == sent


async def test_a_bug_is_answered_without_a_word_about_it(log: pytest.LogCaptureFixture) -> None:
    status, _, body = await answer(raising(ZeroDivisionError("test-secret")))

    assert status == 500
    assert b"test-secret" not in body
    assert json.loads(body)["error"]["status"] == "INTERNAL"
    assert line(log)["status"] == 500
    assert any(record.exc_info for record in log.records)


async def test_a_path_without_a_route_is_not_found_in_googles_json() -> None:
    status, _, body = await answer(fine, REQUEST.replace(b"/x", b"/y"))

    assert status == 404
    assert json.loads(body)["error"]["status"] == "NOT_FOUND"


async def test_a_redirect_of_our_own_is_no_error() -> None:
    status, headers, _ = await answer(raising(web.HTTPFound("/y")))

    assert (status, headers["Location"]) == (302, "/y")


async def read_body(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def test_a_body_that_is_too_large_is_refused() -> None:
    request = POST.replace(b"Host", b"Content-Length: 5\r\nHost")

    status, _, body = await answer(read_body, request + b"12345")

    assert status == 413
    assert json.loads(body)["error"]["status"] == "INVALID_ARGUMENT"


async def test_a_body_that_breaks_off_is_the_clients_fault() -> None:
    status, _, body = await answer(raising(web.RequestPayloadError()))

    assert status == 400
    assert json.loads(body)["error"]["status"] == "INVALID_ARGUMENT"


async def test_a_bug_in_a_streamed_answer_cuts_it_short() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"one")
        raise ZeroDivisionError

    status, _, body = await answer(handler)

    assert status == 200
    assert body == chunk(b"one") + NEVER


async def test_while_the_last_words_are_read_the_request_counts_no_longer() -> None:
    began = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        began.set()
        raise ZeroDivisionError

    app = app_of(handler, limit=1)
    app[IN_FLIGHT].patience = 3600.0
    keep_alive = REQUEST.replace(b"Connection: close\r\n", b"")
    async with running(app) as port, connected(port, keep_alive) as client:
        await client.head()
        assert await client.reader.readexactly(len(NEVER)) == NEVER
        await began.wait()
        assert len(app[IN_FLIGHT]) == 0
        assert app[IN_FLIGHT].lingering == 1
        client.writer.close()
        while app[IN_FLIGHT].lingering:  # noqa: ASYNC110 (nothing announces it)
            await asyncio.sleep(0)


async def test_a_request_has_one_line_in_the_log_and_the_query_is_not_in_it(
    log: pytest.LogCaptureFixture,
) -> None:
    async def handler(request: web.Request) -> web.Response:
        request[EXCHANGE].account.model = "m"
        return web.Response(text="fine")

    await answer(handler)
    fields = line(log)

    assert fields["levelname"] == "INFO"
    assert fields["message"] == "GET /x 200"
    expected = {
        "route": "x",
        "method": "GET",
        "path": "/x",
        "status": 200,
        "bytes": 4,
        "model": "m",
    }
    assert {name: fields[name] for name in expected} == expected
    assert fields["duration_ms"] >= 0
    assert "test-key" not in str(fields)


async def test_a_health_check_is_worth_a_line_only_when_debugging(
    log: pytest.LogCaptureFixture,
) -> None:
    await answer(fine, REQUEST.replace(b"/x", b"/health"))

    assert line(log)["levelname"] == "DEBUG"


async def test_the_bytes_of_a_streamed_answer_are_those_on_the_wire(
    log: pytest.LogCaptureFixture,
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x" * 1000)
        return response

    await answer(handler)

    assert line(log)["bytes"] > 1000


async def test_an_unmatched_request_has_a_line_too(log: pytest.LogCaptureFixture) -> None:
    await answer(fine, REQUEST.replace(b"/x", b"/y"))

    assert (line(log)["route"], line(log)["status"]) == ("none", 404)


async def test_a_client_that_leaves_is_logged_as_such(log: pytest.LogCaptureFixture) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def handler(_request: web.Request) -> web.Response:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    async with running(app_of(handler)) as port, connected(port, REQUEST) as client:
        await begun.wait()
        client.writer.close()
        await ended.wait()

    assert line(log)["status"] == 499


async def test_a_client_that_does_not_read_is_logged_without_a_traceback(
    log: pytest.LogCaptureFixture,
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        raise ClientGone("the client does not read")

    async with running(app_of(handler)) as port, connected(port, REQUEST) as client:
        assert await client.rest() == b""

    assert line(log)["status"] == 499
    assert not any(record.exc_info for record in log.records)


async def hold(request: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError(request)


async def until(in_flight: InFlight, count: int) -> None:
    while len(in_flight) != count:  # noqa: ASYNC110 (nothing announces it)
        await asyncio.sleep(0)


async def test_a_request_beyond_the_limit_is_refused_and_health_is_not() -> None:
    async def handler(request: web.Request) -> web.Response:
        return await (fine if request.path == "/health" else hold)(request)

    app = app_of(handler, limit=1)
    async with running(app) as port, connected(port, REQUEST):
        await until(app[IN_FLIGHT], 1)
        head, body = await exchange(port, REQUEST)
        healthy, _ = await exchange(port, REQUEST.replace(b"/x", b"/health"))

    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 1\r\n" in head
    assert json.loads(body)["error"]["status"] == "UNAVAILABLE"
    assert healthy.startswith(b"HTTP/1.1 200 ")


async def test_during_a_shutdown_answers_close_their_connection() -> None:
    app = app_of(fine)
    app[IN_FLIGHT].draining = True
    keep_alive = REQUEST.replace(b"Connection: close\r\n", b"")

    async with running(app) as port:
        head, body = await exchange(port, keep_alive)

    assert b"\r\nConnection: close\r\n" in head
    assert body == b"fine"


async def drained(app: web.Application, port: int) -> tuple[bytes, bytes]:
    """Return what a running request receives when the shutdown does not wait for it."""
    async with connected(port, REQUEST) as client:
        await until(app[IN_FLIGHT], 1)
        await app[IN_FLIGHT].drain(0)
        return await head_and_rest(client)


async def test_a_request_that_outlasts_the_shutdown_is_told_so() -> None:
    app = app_of(hold)
    async with running(app) as port:
        head, body = await drained(app, port)

    assert head.startswith(b"HTTP/1.1 503 ")
    assert json.loads(body)["error"]["message"] == "The proxy is shutting down."


async def test_a_stream_that_outlasts_the_shutdown_is_cut_short() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"one")
        return await hold(request)

    app = app_of(handler)
    async with running(app) as port:
        _, body = await drained(app, port)

    assert body == chunk(b"one") + NEVER


async def test_in_http_1_0_a_stream_closes_a_connection_that_is_to_be_kept() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"all")
        return response

    kept = b"GET /x HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n"
    _, headers, body = await answer(handler, kept)

    assert (headers["Connection"], body) == ("close", b"all")


async def test_in_http_1_0_a_connection_is_kept_behind_a_body_with_a_length() -> None:
    kept = b"GET /x HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n"
    async with running(app_of(fine)) as port, connected(port, kept) as client:
        first = await client.head()
        assert await client.reader.readexactly(4) == b"fine"
        client.writer.write(kept.replace(b"keep-alive", b"close"))
        await client.head()
        assert await client.rest() == b"fine"

    assert b"Connection: keep-alive" in first


async def test_a_shutdown_completes_no_answer_in_http_1_0() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        return await hold(request)

    app = app_of(handler)
    async with running(app) as port, connected(port, REQUEST.replace(b"1.1", b"1.0")) as client:
        await client.head()
        await app[IN_FLIGHT].drain(0)
        with pytest.raises(ConnectionResetError):
            await client.rest()


OF_OPENAI = POST.replace(b"/x?key=test-key", b"/v1/x")


async def told(error: BaseException, attempts: int = 1) -> tuple[int, dict[str, str], Any]:
    """Return the answer to a client of OpenAI's for what a handler raises."""

    async def handler(request: web.Request) -> web.StreamResponse:
        request[EXCHANGE].account.access = "ann"
        request[EXCHANGE].account.entries += [Entry(0.0)] * attempts
        raise error

    app = app_of(fine)
    app.router.add_route("*", "/v1/x", handler, name="chat")
    async with running(app) as port:
        head, body = await exchange(port, OF_OPENAI)
    status, *lines = head.decode().splitlines()
    headers = dict(line.split(": ", 1) for line in lines if line)
    return int(status.split()[1]), headers, json.loads(body)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BadRequest("no"), 400),
        (Unauthenticated("no"), 401),
        (Busy("no"), 503),
        (ValueError("secret"), 500),
        (web.HTTPNotFound(), 404),
        (web.HTTPRequestEntityTooLarge(4, 5), 413),
        (UpstreamRejection(429, b'{"error": {"code": 429, "message": "m"}}', 36.2), 429),
    ],
)
async def test_a_client_of_openai_s_gets_each_error_in_its_form(
    error: BaseException, status: int
) -> None:
    given, headers, document = await told(error)

    assert given == status
    assert set(document["error"]) == {"message", "type", "param", "code", "request_id"}
    assert document["error"]["request_id"] == headers["X-Request-Id"]
    assert "secret" not in str(document)


@pytest.mark.parametrize(
    ("error", "attempts", "advice"),
    [
        (BadRequest("no"), 1, "false"),
        (Busy("no"), 1, "true"),
        (ValueError(), 1, "true"),
        (Unrepaired("no"), 1, "true"),
        (Unrepaired("no"), 3, "false"),
        (UpstreamRejection(503, b"", 5), 1, "true"),
        (UpstreamRejection(503, b"", 5), 3, "false"),
        (UpstreamRejection(429, b"", 36), 1, "true"),
        (UpstreamRejection(429, b"", 61), 1, "false"),
        (UpstreamRejection(404, b""), 1, "false"),
        (LimitReached("no", 5), 0, "false"),
    ],
)
async def test_a_client_of_openai_s_is_told_whether_to_ask_again(
    error: BaseException, attempts: int, advice: str
) -> None:
    _, headers, _ = await told(error, attempts)

    assert headers["x-should-retry"] == advice


async def test_other_clients_get_no_such_advice() -> None:
    _, headers, _ = await answer(raising(BadRequest("no")))

    assert "x-should-retry" not in headers
