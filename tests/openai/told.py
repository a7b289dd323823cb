"""Answers of the translator in tests: frames in, and what a client has of them."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from gemproxy.core.repair.events import Frames, How, Out
from gemproxy.core.repair.intake import Intake
from gemproxy.core.repair.machine import StreamMachine
from gemproxy.core.repair.policy import Policy
from gemproxy.core.repair.request import StreamRequest
from gemproxy.core.wire.frame import Frame
from gemproxy.core.wire.sse import SSEDecoder
from gemproxy.openai.answer import Answer
from gemproxy.openai.asked import Telling
from gemproxy.openai.completion import Message, completion
from gemproxy.openai.voice import OpenAIVoice
from tests.openai.reader import Reader, Told

Json = dict[str, Any]

CREATED = 1_764_378_000
TELLING = Telling("boat")


def frame(document: Json) -> Frames:
    """Return one frame of our own making."""
    return Frames((Frame(b"", json.dumps(document).encode()),))


def answer(telling: Telling = TELLING, n: int = 1) -> Answer:
    """Return an answer about which nothing is known yet."""
    return Answer(telling, "req-1", CREATED, n)


def streamed(frames: Iterable[Json], telling: Telling = TELLING) -> bytes:
    """Return the bytes of a stream."""
    voice = OpenAIVoice.of(answer(telling))
    return b"".join([voice.say((frame(one),)) for one in frames]) + voice.close(None)


def read(frames: Iterable[Json], telling: Telling = TELLING) -> Told:
    """Return what a strict client has of a stream."""
    return Reader.of(streamed(frames, telling), usage=telling.include_usage).told


def collected(frames: Iterable[Json], telling: Telling = TELLING) -> Json:
    """Return the unary answer."""
    whole = answer(telling)
    message = Message.of(whole)
    message.take([frame(one) for one in frames])
    assert message.end()
    document: Json = json.loads(b"".join(completion(whole, [message])))
    return document


def message(frames: Iterable[Json], telling: Telling = TELLING) -> Json:
    """Return the message of the unary answer."""
    told: Json = collected(frames, telling)["choices"][0]["message"]
    return told


def from_bytes(data: bytes, sizes: Sequence[int] = ()) -> list[Out]:
    """Return what the repair passes on of a stream that comes in reads of these sizes."""
    intake = Intake(StreamMachine(StreamRequest(b"{}"), Policy(repair=False)), SSEDecoder)
    intake.opened("text/event-stream")
    out: list[Out] = []
    at = 0
    for size in (*sizes, len(data)):
        out += intake.received(data[at : at + size]).out if data[at : at + size] else ()
        at += size
    return [*out, *intake.ended(How.EOF).out]


def text(*pieces: str, **rest: object) -> Json:
    """Return a frame with some texts."""
    return {"candidates": [{"content": {"parts": [{"text": piece} for piece in pieces]}, **rest}]}


STOP: Json = {"candidates": [{"finishReason": "STOP"}]}
