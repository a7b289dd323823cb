"""A made-up dialect takes a voice and a route: plain text in, lines of plain text out.

Its stream is repaired as any other, and what it says of errors is its own.
"""

import json
from functools import partial
from typing import ClassVar

import attrs
import pytest
from aiohttp import web

from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.core.answer.chunk import read
from gemproxy.core.repair.events import Out, each
from gemproxy.core.repair.machine import StreamMachine
from gemproxy.core.repair.request import StreamRequest
from gemproxy.core.wire.frame import Frame
from gemproxy.core.wire.sse import SSEDecoder
from gemproxy.generation.connection import connection_reader
from gemproxy.generation.generation import Generation
from gemproxy.generation.kinds import STREAM
from gemproxy.routes import USUAL
from gemproxy.routes.parts import CLIENTS, DISPATCHER, EXCHANGE, LIVE, VOICE
from gemproxy.voices.voice import Payload
from tests.running import StartProxy
from tests.wire import Ending

STORY = BUILT_IN["story"]


@attrs.frozen
class LinesVoice:
    """Says the text of each frame on a line, as a JSON string; see ``Voice``."""

    name: ClassVar[str] = "lines"
    content_type: ClassVar[str] = "text/plain"

    def say(self, out: tuple[Out, ...]) -> bytes:
        texts = (read(frame.data).text for frame in each(out) if frame.data is not None)
        return b"".join(json.dumps(text).encode() + b"\n" for text in texts if text)

    def close(self, _tail: Frame | None) -> bytes:
        return b"THE END\n"

    def heartbeat(self) -> bytes | None:
        return None

    def last_words(self, payload: Payload, _tail: bytes) -> bytes:
        return b"OH NO: " + str(payload["error"]["message"]).encode() + b"\n"

    def refusal(self, payload: Payload) -> bytes:
        return self.last_words(payload, b"")


async def handle(request: web.Request) -> web.StreamResponse:
    """Answer a prompt in plain text."""
    app, voice, repair = request.app, LinesVoice(), request[LIVE].repair
    request[VOICE] = voice
    turn = {"role": "user", "parts": [{"text": await request.text()}]}
    exchange = request[EXCHANGE].towards(
        "/v1beta/models/gemini-test:streamGenerateContent?alt=sse", "POST"
    )
    machine = StreamMachine(StreamRequest(json.dumps({"contents": [turn]}).encode()))
    reader = connection_reader(request, voice, send_timeout=app[CLIENTS].send_timeout)
    await Generation(
        STREAM,
        exchange,
        STREAM.intake(machine, SSEDecoder),
        reader,
        partial(app[DISPATCHER].attempt, exchange),
        repair.pacing(exchange, "gemini-test", lambda: machine.progress),
        repair.timing.within(exchange.deadline),
        lambda _: {"Content-Type": voice.content_type},
    ).run()
    return reader.response


@pytest.fixture(autouse=True)
def route(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemproxy.web.app.USUAL", [web.post("/lines", handle), *USUAL])


def said(body: bytes) -> str:
    *lines, end = body.splitlines()
    assert end == b"THE END"
    return "".join(map(json.loads, lines))


@pytest.mark.parametrize("faults", [(), ("rst@900",), ("rst@900", "rst@500", "status:503")])
async def test_a_made_up_dialect_is_repaired_by_a_voice_and_a_route(
    proxy: StartProxy, faults: tuple[str, ...]
) -> None:
    async with ChaosServer(Script(STORY, [parse_fault(spec) for spec in faults])) as server:
        answer = await (await proxy(server)).ask("/lines", b"Tell me a story.")

    assert said(answer.body) == STORY.text
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.ending is Ending.COMPLETE


async def test_its_errors_are_worded_by_its_voice(proxy: StartProxy) -> None:
    script = Script(STORY, [parse_fault("rst@900"), parse_fault("status:400")], rearm=False)
    async with ChaosServer(script) as server:
        running = await proxy(server, repair={"max_consecutive_retries": 0})
        answer = await running.ask("/lines", b"Tell me a story.")

    assert answer.body.splitlines()[-1].startswith(b"OH NO: ")
    assert answer.ending is not Ending.COMPLETE
