"""The server on real sockets, seen by a client that sees the bytes."""

import asyncio
import contextlib
import json
from typing import Any

import aiohttp
import pytest

from gemproxy.chaos.answers import Answer
from gemproxy.chaos.behaviours import Behaviour
from gemproxy.chaos.delivery import Wiring
from gemproxy.chaos.faults import END, HEADERS, Fault, Kind, byte, event, parse_fault
from gemproxy.chaos.framing import Style
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer, Outcome, Served
from tests.chaos.client import (
    HELLO,
    STREAM,
    Seen,
    ask,
    continuation,
    dechunked,
    leave,
    request_bytes,
    text_of,
)

STORY = BUILT_IN["story"]
KEY = {"x-goog-api-key": "test-key"}


def outcomes(server: ChaosServer) -> list[Outcome]:
    return [attempt.outcome for attempt in server.attempts]


async def stream_of(script: Script) -> Seen:
    async with ChaosServer(script) as server:
        return await ask(server.url)


async def test_an_uncut_client_gets_the_whole_answer() -> None:
    seen = await stream_of(Script(STORY))
    assert seen.status == 200
    assert "text/event-stream" in seen.head
    assert seen.text == STORY.text
    assert seen.terminated


async def test_requests_are_recorded_as_they_came() -> None:
    async with ChaosServer(Script(STORY)) as server:
        await ask(server.url)
        await ask(server.url, target="/v1/models", method="GET", document=b"")
    first, second = server.requests
    assert (first.method, first.target) == ("POST", STREAM)
    assert first.header("x-goog-api-key") == "test-key"
    assert first.document == HELLO
    assert (second.method, second.path) == ("GET", "/v1/models")


async def test_the_same_stream_comes_as_an_array() -> None:
    async with ChaosServer(Script(STORY)) as server:
        seen = await ask(server.url, target=STREAM.removesuffix("?alt=sse"))
    assert "application/json" in seen.head
    assert json.loads(seen.body)[-1]["candidates"][0]["finishReason"] == "STOP"


async def test_a_connection_is_used_again() -> None:
    async with ChaosServer(Script(STORY)) as server, aiohttp.ClientSession() as session:
        for _ in range(3):
            async with session.post(server.url + STREAM, json=HELLO, headers=KEY) as response:
                await response.read()
            assert server.open_connections == 1


async def test_requests_that_come_at_once_are_answered_in_order() -> None:
    last = request_bytes(STREAM, HELLO, {"Connection": "close"})
    async with ChaosServer(Script(STORY)) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(request_bytes(STREAM, HELLO) + last)
        raw = await reader.read()
        await leave(writer)
    assert raw.count(b"HTTP/1.1 200 OK") == len(server.attempts) == 2
    assert raw.count(b'"finishReason": "STOP"') == 2


@pytest.mark.parametrize(
    ("spec", "reset", "terminated"),
    [
        ("clean@300", False, True),
        ("fin@300", False, False),
        ("rst@300", True, False),
        ("truncated-chunk@300", False, False),
        ("bad-chunk@300", False, False),
        ("short-length@300", False, False),
    ],
)
async def test_a_cut_comes_after_exactly_so_many_bytes(
    spec: str, *, reset: bool, terminated: bool
) -> None:
    whole = await stream_of(Script(STORY))
    seen = await stream_of(Script(STORY, faults=[parse_fault(spec)]))
    assert seen.body[:300] == whole.body[:300]
    assert b"data:" not in seen.body[300:]
    assert (seen.reset, seen.terminated) == (reset, terminated)


@pytest.mark.parametrize("spec", ["fin@headers", "rst@headers", "refuse"])
async def test_a_connection_may_end_before_a_word(spec: str) -> None:
    seen = await stream_of(Script(STORY, faults=[parse_fault(spec)]))
    assert seen.raw == b""
    assert seen.reset == (spec != "fin@headers")


async def test_a_refused_connection_costs_one_connection_between_attempts() -> None:
    faults = [Fault(Kind.REFUSE_CONNECT), None, Fault(Kind.REFUSE_CONNECT)]
    async with ChaosServer(Script(STORY, faults=faults)) as server:
        seen = [await ask(server.url) for _ in range(4)]
    assert [bool(each.raw) for each in seen] == [False, True, False, True]
    assert len(server.requests) == 2


@pytest.mark.parametrize("place", [HEADERS, byte(0), event(3), END])
async def test_a_stall_lasts_until_the_peer_closes(place: object) -> None:
    fault = Fault(Kind.STALL, place)  # type: ignore[arg-type]  # parametrize says object
    async with ChaosServer(Script(STORY, faults=[fault])) as server:
        asking = asyncio.create_task(ask(server.url))
        await server.until_stalled()
        assert outcomes(server) == [Outcome.STALLED]
        asking.cancel()
        await server.until_closed()
        assert outcomes(server) == [Outcome.ABANDONED]
        assert server.open_connections == 0


async def test_an_endless_line_stops_when_the_peer_closes() -> None:
    fault = Fault(Kind.ENDLESS_LINE, event(1))
    async with ChaosServer(Script(STORY, faults=[fault])) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(request_bytes(STREAM, HELLO))
        data = await reader.readexactly(1_000_000)
        assert data.count(b"data: ") == 2
        await leave(writer)
        await server.until_closed()
        assert outcomes(server) == [Outcome.ABANDONED]


async def test_an_abandoned_answer_ends_at_once() -> None:
    async with ChaosServer(Script(STORY), event_delay=3600) as server:
        asking = asyncio.create_task(ask(server.url))
        await server.until_requests(1)
        asking.cancel()
        await server.until_closed()
        assert outcomes(server) == [Outcome.ABANDONED]


async def test_a_cut_stream_is_continued_to_the_same_text() -> None:
    async with ChaosServer(Script(STORY, faults=[Fault(Kind.CLEAN_EOF, event(9))])) as server:
        first = await ask(server.url)
        notice = f"Go on after <<<{first.text[-20:]}>>>"
        second = await ask(server.url, continuation(first.text, notice))
    assert first.text + second.text.removeprefix(first.text[-20:]) == STORY.text
    assert server.attempts[1].plan.behaviour is Behaviour.ECHO
    assert server.violations == []


async def test_a_checkpoint_is_continued_to_the_same_text() -> None:
    text, document = "", dict(HELLO)
    async with ChaosServer(Script(BUILT_IN["long-decode"])) as server:
        while True:
            seen = await ask(server.url, document)
            text += seen.text
            last = seen.documents[-1]["candidates"][0]
            if last["finishReason"] != "CONTINUATION":
                break
            document["continuationToken"] = last["continuationToken"]
    assert text == STORY.text
    assert len(server.attempts) > 2


async def test_what_clients_do_wrong_is_recorded() -> None:
    async with ChaosServer(Script(Answer("Hello"), faults=[Fault(Kind.FIN, event(1))])) as server:
        await ask(server.url)
        assert (await ask(server.url, continuation("Hi"))).status == 400
        assert (await ask(server.url, target=STREAM + "&key=test-key")).status == 400
        assert (await ask(server.url, {})).status == 400
        assert (await ask(server.url, key=None)).status == 403
    assert len(server.violations) == 3
    assert "test-key" not in "".join(server.violations)


async def test_an_unknown_path_gets_googles_404() -> None:
    async with ChaosServer(Script(STORY)) as server:
        seen = await ask(server.url, target="/v1/corpora", method="GET", document=b"")
    assert seen.status == 404
    assert json.loads(seen.body)["error"]["status"] == "NOT_FOUND"


async def test_each_model_has_its_script() -> None:
    scripts = {"a": Script(Answer("A")), "b": Script(Answer("B"))}
    async with ChaosServer(scripts) as server:
        texts = [
            (await ask(server.url, target=f"/v1/models/{m}:streamGenerateContent?alt=sse")).text
            for m in "ab"
        ]
        unknown = await ask(server.url, target="/v1/models/c:streamGenerateContent?alt=sse")
        listed = await ask(server.url, target="/v1/models", method="GET", document=b"")
    assert texts == ["A", "B"]
    assert unknown.status == 404
    assert [m["name"] for m in json.loads(listed.body)["models"]] == ["models/a", "models/b"]


async def test_streams_at_the_same_time_have_faults_of_their_own() -> None:
    documents = [{"contents": f"Hello from {number}"} for number in range(20)]
    async with ChaosServer(Script(STORY, faults=[Fault(Kind.FIN, event(3))])) as server:
        cut = await asyncio.gather(*(ask(server.url, document) for document in documents))
        whole = await asyncio.gather(*(ask(server.url, document) for document in documents))
    assert {len(seen.documents) for seen in cut} == {3}
    assert {seen.text for seen in whole} == {STORY.text}


async def test_what_is_no_http_is_answered_and_closed() -> None:
    async with ChaosServer(Script(STORY)) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"HELLO\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400 Bad Request\r\n")
        await leave(writer)
    assert server.requests == []


async def test_an_observer_hears_of_every_outcome() -> None:
    heard: list[tuple[Served, Outcome]] = []
    async with ChaosServer(
        Script(STORY), observe=lambda attempt: heard.append((attempt, attempt.outcome))
    ) as server:
        await ask(server.url)
    assert heard == [(server.attempts[0], Outcome.SENT)]


async def test_leaving_the_server_ends_what_is_open() -> None:
    async with ChaosServer(Script(STORY, faults=[Fault(Kind.STALL, event(1))])) as server:
        asking = asyncio.create_task(ask(server.url))
        await server.until_stalled()
    assert dechunked((await asking).raw.partition(b"\r\n\r\n")[2]).startswith(b"data: ")
    assert server.open_connections == 0


async def test_a_server_may_be_told_not_to_record() -> None:
    async with ChaosServer(Script(STORY), record=False) as server:
        assert (await ask(server.url)).text == STORY.text
    assert (server.requests, server.attempts) == ([], [])


async def test_a_url_of_ipv6_has_brackets() -> None:
    assert ChaosServer(Script(STORY), host="::1", port=9).url == "http://[::1]:9"


async def test_bytes_may_come_one_by_one() -> None:
    seen = await stream_of(Script(Answer("Grüße 🎒"), wiring=Wiring(write_size=1)))
    assert seen.text == "Grüße 🎒"


async def test_a_unary_answer_comes_whole() -> None:
    async with ChaosServer(Script(STORY)) as server:
        seen = await ask(server.url, target="/v1beta/models/g:generateContent")
    (candidate,) = json.loads(seen.body)["candidates"]
    assert candidate["content"]["parts"][0]["text"] == STORY.text


def test_every_form_of_a_body_is_served() -> None:
    assert {style.value for style in Style} == {"sse", "array", "unary", "lines"}


def _read(style: Style, body: bytes) -> list[Any]:
    """Return the documents of a body in the form ``style``."""
    if style is Style.SSE:
        return [json.loads(event[6:]) for event in body.split(b"\r\n\r\n") if event]
    if style is Style.LINES:
        return [json.loads(line) for line in body.splitlines()]
    document = json.loads(body)
    return document if isinstance(document, list) else [document]


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("target", [STREAM, STREAM.removesuffix("?alt=sse")])
async def test_a_stream_may_come_in_another_form_than_was_asked_for(
    target: str, style: Style
) -> None:
    script = Script(STORY, style=style, media_type="text/plain")
    async with ChaosServer(script) as server:
        seen = await ask(server.url, target=target)

    assert "Content-Type: text/plain" in seen.head
    assert text_of(_read(style, seen.body)) == STORY.text


async def test_a_unary_answer_has_no_other_form() -> None:
    async with ChaosServer(Script(STORY, style=Style.SSE, media_type="text/plain")) as server:
        seen = await ask(server.url, target="/v1beta/models/g:generateContent")

    assert "Content-Type: application/json" in seen.head
    assert json.loads(seen.body)["candidates"]


@pytest.mark.parametrize(("spec", "events"), [("fin@event:2", 2), ("clean@event:1", 1), ("", 5)])
async def test_a_streamed_chat_comes_in_chunks_and_is_cut_by_the_script(
    spec: str, events: int
) -> None:
    messages = [{"role": "user", "content": "One two three"}]
    asked = {"model": "m", "stream": True, "messages": messages}
    script = Script(STORY, [parse_fault(spec)] if spec else [])
    bearer = {"Authorization": "Bearer test-key"}
    async with ChaosServer(script) as server:
        url = f"{server.url}/v1beta/openai/chat/completions"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, json=asked, headers=bearer) as response,
        ):
            body = b""
            with contextlib.suppress(aiohttp.ClientPayloadError):
                async for data in response.content.iter_any():
                    body += data

    assert response.headers["Transfer-Encoding"] == "chunked"
    assert body.count(b"data: ") == events
