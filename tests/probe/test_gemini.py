"""The client of the API: what it sends, waits for, gives up on and never shows."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable

import pytest
from yarl import URL

from gemproxy.chaos.answers import Answer
from gemproxy.chaos.faults import HEADERS, Fault, Kind, event
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.core.answer.usage import Billed
from gemproxy.probe.gemini import (
    Gemini,
    Meter,
    Rejection,
    Scrubber,
    Unavailable,
    printable,
)
from gemproxy.probe.prompts import asking
from tests.probe.fake import KEY, MODEL

Connect = Callable[[ChaosServer], Gemini]
BODY = json.dumps(asking("Hello")).encode()


def server_with(*faults: Fault | None) -> ChaosServer:
    return ChaosServer({MODEL: Script(Answer("Hello there."), faults)})


async def ask(gemini: Gemini, model: str = MODEL) -> bytes:
    body = b""
    async with gemini.stream(model, BODY) as attempt:
        while data := await attempt.read():
            body += data
    return body


async def test_the_key_goes_up_in_its_header_and_nowhere_else(connect: Connect) -> None:
    async with server_with() as server:
        gemini = connect(server)
        await ask(gemini)
        (request,) = server.requests

    assert server.violations == []
    assert request.header("x-goog-api-key") == KEY
    assert KEY not in request.target
    assert request.target == f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"
    assert KEY not in repr(gemini)


async def test_a_path_in_the_base_is_kept(connect: Connect) -> None:
    async with server_with() as server:
        gemini = connect(server)
        gemini.base = URL(f"{server.url}/gateway/")
        await ask(gemini)

    assert server.requests[0].path.startswith("/gateway/v1beta/models/")


async def test_models_are_listed_and_looked_up(connect: Connect) -> None:
    async with server_with() as server:
        gemini = connect(server)
        listed = await gemini.models()
        found = await gemini.model(MODEL)

    assert [entry["name"] for entry in listed] == [f"models/{MODEL}"]
    assert found == listed[0]


async def test_a_quota_is_waited_for_as_long_as_the_server_asks(connect: Connect) -> None:
    notices: list[str] = []
    async with server_with(Fault(Kind.STATUS, code=429, retry=0.0)) as server:
        gemini = connect(server)
        gemini.notice = notices.append
        assert b"Hello" in await ask(gemini)

    assert notices == ["the server answered 429 RESOURCE_EXHAUSTED; waiting 0 s"]
    assert gemini.meter.requests == 2


async def test_a_quota_that_stays_spent_makes_the_model_unavailable(connect: Connect) -> None:
    spent = Fault(Kind.STATUS, code=429, retry=0.0)
    async with server_with(spent, spent, spent, None) as server:
        with pytest.raises(Unavailable, match="the server answered 429 RESOURCE_EXHAUSTED"):
            await ask(connect(server))

        assert len(server.requests) == 3


async def test_nobody_waits_for_tomorrow(connect: Connect) -> None:
    async with server_with(Fault(Kind.STATUS, code=429, retry=40000.0)) as server:
        with pytest.raises(Unavailable):
            await ask(connect(server))

        assert len(server.requests) == 1


@pytest.mark.parametrize("code", [401, 403, 404])
async def test_what_is_about_key_or_model_makes_it_unavailable_without_its_words(
    connect: Connect, code: int
) -> None:
    body = json.dumps({"error": {"status": "DENIED", "message": "project 1234 is blocked"}})
    async with server_with(Fault(Kind.STATUS, code=code, body=body.encode())) as server:
        with pytest.raises(Unavailable) as gone:
            await ask(connect(server))

    assert str(gone.value) == f"the server answered {code} DENIED"


async def test_what_is_about_the_request_is_a_rejection_with_its_words(connect: Connect) -> None:
    body = json.dumps({"error": {"status": "INVALID_ARGUMENT", "message": "No\nmodel turn."}})
    async with server_with(Fault(Kind.STATUS, code=400, body=body.encode())) as server:
        with pytest.raises(Rejection) as rejected:
            await ask(connect(server))

    assert str(rejected.value) == "400 INVALID_ARGUMENT: No model turn."
    assert rejected.value.message == "No model turn."


async def test_no_more_requests_are_made_than_allowed(connect: Connect) -> None:
    async with server_with() as server:
        gemini = connect(server)
        gemini.meter = Meter(1)
        await ask(gemini)
        with pytest.raises(Unavailable, match="the limit of 1 requests is reached"):
            await ask(gemini)

        assert len(server.requests) == 1


async def test_a_server_that_is_not_there_is_unavailable(connect: Connect) -> None:
    async with server_with() as server:
        gemini = connect(server)
    with pytest.raises(Unavailable, match=r"no answer from the server \(unreachable\)"):
        await ask(gemini)


async def test_a_server_that_resets_every_connection_is_unavailable(connect: Connect) -> None:
    async with server_with(Fault(Kind.RST, HEADERS)) as server:
        with pytest.raises(Unavailable, match=r"no answer from the server \(reset\)"):
            await ask(connect(server))


async def test_an_answer_that_does_not_end_is_given_up(connect: Connect) -> None:
    async with server_with(Fault(Kind.STALL, event(1))) as server:
        gemini = connect(server)
        gemini.timeout = 0.05
        with pytest.raises(TimeoutError):
            await ask(gemini)


@contextlib.asynccontextmanager
async def answering(*bodies: bytes) -> AsyncIterator[tuple[URL, list[str]]]:
    """Serve each body once, in order; yield the base URL and the targets asked for."""
    targets: list[str] = []
    left = iter(bodies)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        targets.append(head.split(b" ")[1].decode())
        body = next(left)
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"), targets


@pytest.mark.parametrize("page", [b"<html>", b"[]"])
async def test_a_server_that_speaks_something_else_is_unavailable(
    connect: Connect, page: bytes
) -> None:
    gemini = connect(server_with())
    async with answering(page) as (gemini.base, _):
        with pytest.raises(Unavailable, match="not that of the Gemini API"):
            await gemini.model(MODEL)


async def test_every_page_of_a_list_is_read(connect: Connect) -> None:
    gemini = connect(server_with())
    pages = b'{"models": [{"name": "a"}], "nextPageToken": "x+/="}', b'{"models": [{"name": "b"}]}'
    async with answering(*pages) as (gemini.base, targets):
        assert await gemini.models() == [{"name": "a"}, {"name": "b"}]

    assert URL(targets[1], encoded=True).query["pageToken"] == "x+/="


async def test_a_list_without_end_is_read_for_a_while(connect: Connect) -> None:
    gemini = connect(server_with())
    page = b'{"nextPageToken": "again"}'
    async with answering(*[page] * 20) as (gemini.base, targets):
        assert await gemini.models() == []

    assert len(targets) == 10


def test_foreign_text_becomes_one_short_line() -> None:
    assert printable("a\x1b[31m\n b\ud800 " + "x" * 500).startswith("a [31m b xxx")
    assert len(printable("x" * 500)) == 300


def test_a_scrubber_takes_the_key_out_and_does_not_show_it() -> None:
    scrub = Scrubber(KEY)

    assert scrub(f"key={KEY}&{KEY}") == "key=***&***"
    assert KEY not in repr(scrub)


def test_a_meter_adds_tokens() -> None:
    meter = Meter(1)
    meter.add(Billed(1, 2, 3, 6))
    meter.add(Billed(1, 1, 1, 3))

    assert meter.tokens == Billed(2, 3, 4, 9)
