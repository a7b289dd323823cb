"""The driver of the JavaScript SDK, against a Gemini of a few lines: it reports what happens."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.sdk.node import DriverError, NodeDriver, NodeError

Serve = Callable[..., Awaitable["Script"]]
AiohttpServer = Callable[[web.Application], Awaitable[TestServer]]


def answer(text: str, finish_reason: str | None = None) -> dict[str, Any]:
    """Return one GenerateContentResponse with a piece of text."""
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": [{"text": text}]}}
    if finish_reason:
        candidate["finishReason"] = finish_reason
    return {"candidates": [candidate]}


def overloaded() -> dict[str, Any]:
    """Return the error body that Gemini sends when it is overloaded."""
    return {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}


@attrs.define
class Script:
    """A server that gives one scripted answer a request, and keeps the requests."""

    answers: list[list[dict[str, Any]]]
    status: int = 200
    base_url: str = ""
    requests: list[web.Request] = attrs.field(factory=list)
    bodies: list[Any] = attrs.field(factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        """Answer with the next script: SSE frames when asked for, else one JSON body."""
        self.requests.append(request)
        self.bodies.append(await request.json())
        frames = self.answers.pop(0)
        if request.query.get("alt") != "sse" or self.status != 200:
            return web.json_response(frames[0], status=self.status)
        body = "".join(f"data: {json.dumps(frame)}\r\n\r\n" for frame in frames)
        return web.Response(text=body, content_type="text/event-stream")


@pytest.fixture
def serve(aiohttp_server: AiohttpServer) -> Serve:
    """Return a function that starts a server for a script."""

    async def start(*answers: list[dict[str, Any]], status: int = 200) -> Script:
        script = Script(list(answers), status)
        app = web.Application()
        app.router.add_post("/{path:.*}", script.handle)
        script.base_url = str((await aiohttp_server(app)).make_url("/"))
        return script

    return start


async def test_a_stream_is_reported_chunk_by_chunk(serve: Serve, node_driver: NodeDriver) -> None:
    script = await serve([answer("Grüß"), answer(" Gott 👋", "STOP")])

    run = await node_driver(script.base_url, "Hello")

    assert [(chunk.text, chunk.finish_reason) for chunk in run.chunks] == [
        ("Grüß", None),
        (" Gott 👋", "STOP"),
    ]
    assert run.text() == "Grüß Gott 👋"
    assert run.chunks[1].raw == answer(" Gott 👋", "STOP")
    assert run.error is None


async def test_the_job_reaches_the_wire(serve: Serve, node_driver: NodeDriver) -> None:
    script = await serve([answer("ok", "STOP")])

    await node_driver(
        script.base_url,
        "Hello",
        model="gemini-other",
        api_key="another-test-key",
        config={"temperature": 0.5},
        headers={"Idempotency-Key": "abc"},
    )

    (request,) = script.requests
    assert request.path.endswith("/v1beta/models/gemini-other:streamGenerateContent")
    assert request.headers["x-goog-api-key"] == "another-test-key"
    assert request.headers["Idempotency-Key"] == "abc"
    (body,) = script.bodies
    assert body["generationConfig"] == {"temperature": 0.5}


async def test_a_chat_goes_on_from_its_own_history(serve: Serve, node_driver: NodeDriver) -> None:
    script = await serve([answer("One."), answer("", "STOP")], [answer("Two.", "STOP")])

    run = await node_driver(script.base_url, "first", "second", mode="chat")

    assert [run.text(0), run.text(1)] == ["One.", "Two."]
    assert "One." in json.dumps(script.bodies[1])
    roles = [content["role"] for content in run.history]
    assert roles == ["user", "model", "model", "user", "model"]
    assert run.curated[-1]["parts"] == [{"text": "Two."}]


async def test_a_single_answer_is_one_chunk(serve: Serve, node_driver: NodeDriver) -> None:
    script = await serve([answer("whole", "STOP")])

    run = await node_driver(script.base_url, "Hello", mode="generate")

    assert run.text() == "whole"
    assert script.requests[0].path.endswith(":generateContent")


async def test_a_refusal_is_reported_with_its_status(serve: Serve, node_driver: NodeDriver) -> None:
    script = await serve([overloaded()], status=503)

    run = await node_driver(script.base_url, "Hello")

    assert run.chunks == ()
    assert run.error is not None
    assert (run.error.name, run.error.status) == ("ApiError", 503)


async def test_an_error_in_the_stream_comes_after_the_text_before_it(
    serve: Serve, node_driver: NodeDriver
) -> None:
    script = await serve([answer("so far"), overloaded()])

    run = await node_driver(script.base_url, "Hello", mode="chat")

    assert run.text() == "so far"
    assert isinstance(run.error, NodeError)
    assert "overloaded" in run.error.message


async def test_silence_ends_with_the_process_killed(
    aiohttp_server: AiohttpServer, node_driver: NodeDriver
) -> None:
    async def never(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    app = web.Application()
    app.router.add_post("/{path:.*}", never)
    server = await aiohttp_server(app)

    with pytest.raises(TimeoutError):
        await node_driver(str(server.make_url("/")), "Hello", patience=0.01)


async def test_a_job_it_cannot_do_is_no_answer(node_driver: NodeDriver) -> None:
    with pytest.raises(DriverError, match="unknown mode"):
        await node_driver("http://127.0.0.1:9", "Hello", mode="shout")  # type: ignore[arg-type]
