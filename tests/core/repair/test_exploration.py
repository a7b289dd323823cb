"""The machine explored exhaustively: every sequence of inputs up to a length, by its laws.

The world is played by a model that goes on plainly from what it is shown, so the text that
a client may have is known at every moment: a beginning of the story.
"""

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from gemproxy.core.repair.attempt import Plan
from gemproxy.core.repair.engine import State
from gemproxy.core.repair.events import (
    Cause,
    Ended,
    Fail,
    Finish,
    Frames,
    GaveUp,
    How,
    Input,
    Opened,
    Received,
    Rejected,
    Resume,
    Run,
)
from gemproxy.core.repair.machine import StreamMachine
from gemproxy.core.repair.request import StreamRequest
from gemproxy.core.wire.flow import Flow, take
from gemproxy.voices.sse import EventVoice
from tests.gemini import BODY, Json, chunk, documents, received, sse

LENGTH = int(os.environ.get("GEMPROXY_EXPLORE", "5"))
"""How long the explored sequences are; ``make explore`` goes further."""

STORY = "".join(f"word{number} " for number in range(40))
STEP = 24
CALL = {"functionCall": {"name": "look", "args": {}}}
IMAGE = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
LEAKED = b'{"error": {"message": "Your API key was reported as leaked."}}'
BLOCK = {"promptFeedback": {"blockReason": "SAFETY"}}


@attrs.define
class World:
    """A faithful model behind one machine, and all that went up and down."""

    machine: StreamMachine = attrs.field(factory=lambda: StreamMachine(StreamRequest(BODY)))
    voice: EventVoice = attrs.field(factory=EventVoice)
    at: int = 0
    attempts: int = 0
    upstream: bytes = b""
    downstream: bytes = b""
    resumes: int = 0
    calls: int = 0
    turns: set[int] = attrs.field(factory=lambda: {0})
    ending: Finish | Fail | None = None
    decided: bool = False
    tokens: dict[str, int] = attrs.field(factory=dict)
    natively: bool = True
    began_with: int = 0

    def legal(self, name: str) -> bool:
        kind = type(INPUTS[name](self))
        flows = kind is not Flow or self.machine.flowing
        return flows and (self.machine.state, kind) in StreamMachine.TRANSITIONS

    def play(self, name: str) -> None:
        event = INPUTS[name](self)
        plan = self.machine.plan
        self._before(event)
        actions = self.machine.receive(event)
        decides = any(isinstance(action, Resume | Finish | Fail) for action in actions)
        assert decides or not isinstance(event, Ended), "an end leads to a verdict"
        for action in actions:
            match action:
                case Run() | Frames():
                    self.downstream += self.voice.say((action,))
                case Resume(cause, _, at_once, elsewhere):
                    assert elsewhere == (name == "key at fault"), "only its key is left behind"
                    assert not at_once or elsewhere or cause in FOLLOWS, "all else is paced"
                    self.resumes += 1
                    self.natively &= plan is not Plan.NATIVE or cause not in GIVES_UP_TOKENS
                    self._check_resume()
                case Finish() | Fail():
                    self.ending = action
        self._check()

    def offer(self) -> str:
        """Return a token for the place that the model has reached."""
        token = f"token-{self.at}-{len(self.tokens)}"
        self.tokens[token] = self.at
        return token

    def _before(self, event: Input) -> None:
        if isinstance(event, Opened):
            self.attempts += 1
            self.at = self._begins_at()
            self.began_with = self.machine.transcript.chars
            self.calls = 0
        if isinstance(event, Flow):
            self.upstream += event.raw
            self.at += len("".join(event.texts))
        if isinstance(event, Received):
            self.calls += event.chunk.call
            self.turns.add(self.calls)
            self.upstream += event.frame.raw
            self.at += len(event.chunk.text)
            self.decided |= event.chunk.finish_reason == "SAFETY"
            self.decided |= event.chunk.block_reason is not None

    def _begins_at(self) -> int:
        """Return where in the story a faithful model begins the present attempt."""
        asked = json.loads(self.machine.next_request)
        if self.machine.plan is Plan.NATIVE:
            return self.tokens[asked["continuationToken"]]
        return len(self.machine.transcript.text) if self.machine.plan is Plan.TEXT else 0

    def _check_resume(self) -> None:
        """Assert the laws of another attempt."""
        assert not self.decided, "no attempt follows a decision about content"
        checkpoint = self.machine.transcript.checkpoint
        opaque = self.machine.transcript.opaque_since_checkpoint
        if checkpoint is not None and not opaque and self.natively:
            asked = json.loads(self.machine.next_request)
            assert asked["continuationToken"] == checkpoint.token, "an offered token is sent"

    def _check(self) -> None:
        """Assert the laws that hold after every input."""
        told = documents(self.downstream)
        firsts, seconds = _candidates(told)
        text = "".join(map(_visible, firsts))
        assert STORY.startswith(text), "the client reads a beginning of the story"
        assert text == self.machine.transcript.text, "the transcript is what the client has"
        assert len({d["responseId"] for d in told if self.resumes and "responseId" in d}) <= 1
        calls = self.downstream.count(b"functionCall")
        assert calls in self.turns, "calls arrive once"
        if not self.resumes:
            assert self.upstream.startswith(self.downstream), "undisturbed bytes are untouched"
        state = self.machine.state
        assert (self.ending is None) == (state not in (State.DONE, State.FAILED))
        if state is State.DONE:
            self._check_done(told, firsts, seconds)
        if state is State.FAILED:
            assert isinstance(self.ending, Fail)

    def _check_done(self, told: list[Json], firsts: list[Json], seconds: list[Json]) -> None:
        """Assert the laws of a clean end."""
        blocked = any("promptFeedback" in document for document in told)
        seen = [said for said in (firsts, seconds) if any(map(_says_visibly, said))]
        for said in seen or ([] if blocked else [firsts or seconds]):
            assert said, "an end says something"
            assert said[-1].get("finishReason"), "every candidate says why it ends"
        new = self.machine.transcript.chars > self.began_with or b"functionCall" in self.downstream
        if self.machine.finish_reason == "STOP" and self.began_with:
            assert new, "a story that is open does not end with nothing new"


FOLLOWS = (Cause.REFUSED, Cause.CONTINUATION)
GIVES_UP_TOKENS = (Cause.REFUSED, Cause.DIVERGED, Cause.EMPTY)


def _candidates(told: list[Json]) -> tuple[list[Json], list[Json]]:
    """Return what was said of the first candidate, and what of the second."""
    said: list[Json] = [c for document in told for c in document.get("candidates", [])]
    return [c for c in said if not c.get("index")], [c for c in said if c.get("index")]


def _visible(candidate: Json) -> str:
    parts = candidate.get("content", {}).get("parts", [])
    return "".join(part.get("text", "") for part in parts if not part.get("thought"))


def _says_visibly(candidate: Json) -> bool:
    parts = candidate.get("content", {}).get("parts", [])
    return any(part.get("text") != "" and not part.get("thought") for part in parts)


def _says(
    finish: str | None = None, *, parts: bool = True, token: bool = False
) -> Callable[[World], Input]:
    def event(world: World) -> Input:
        text = STORY[world.at : world.at + STEP] if parts else ""
        answer = f"attempt-{world.attempts}"
        world.at += len(text)
        offered = world.offer() if token else None
        world.at -= len(text)
        return received(chunk(text, finish=finish, token=offered, response_id=answer))

    return event


def _second(finish: str | None = None) -> Callable[[World], Input]:
    candidate = {"index": 1, "content": {"parts": [{"text": "Twice"}], "role": "model"}}
    ending = {"finishReason": finish} if finish else {}
    return lambda world: received(
        {"candidates": [{**candidate, **ending}], "responseId": f"attempt-{world.attempts}"}
    )


def _parts(*parts: dict[str, Any]) -> Callable[[World], Input]:
    return lambda world: received(chunk(parts=list(parts), response_id=f"attempt-{world.attempts}"))


def _flow(world: World) -> Input:
    half = STEP // 2
    texts = [STORY[at : at + half] or " " for at in (world.at, world.at + half)]
    answer = f"attempt-{world.attempts}"
    flow = take(sse(*(chunk(text, response_id=answer) for text in texts)), b"\r\n\r\n")
    assert flow is not None
    return flow


INPUTS: dict[str, Callable[[World], Input]] = {
    "opened": lambda _: Opened(),
    "text": _says(),
    "flow": _flow,
    "text and stop": _says("STOP"),
    "text and other": _says("OTHER"),
    "empty stop": _says("STOP", parts=False),
    "safety": _says("SAFETY", parts=False),
    "malformed": _says("MALFORMED_FUNCTION_CALL", parts=False),
    "thought": _parts({"text": "hm", "thought": True}),
    "call": _parts(CALL),
    "image": _parts(IMAGE),
    "text and token": _says(token=True),
    "continuation": _says("CONTINUATION", parts=False, token=True),
    "second": _second(),
    "second and stop": _second("STOP"),
    "block": lambda _: received(BLOCK),
    "error": lambda _: received({"error": {"code": 503}}),
    "usage": lambda _: received({"usageMetadata": {"promptTokenCount": 1}}),
    "end": lambda _: Ended(How.EOF),
    "unavailable": lambda _: Rejected(503, b"{}"),
    "key at fault": lambda _: Rejected(403, LEAKED, another=True),
    "refused": lambda _: Rejected(400, json.dumps({"error": {"message": "model turn"}}).encode()),
    "gave up": lambda _: GaveUp("budget"),
}


def _sequences(length: int) -> Iterator[tuple[str, ...]]:
    """Yield every legal sequence of ``length`` inputs, or shorter where the stream is over."""
    stack: list[tuple[str, ...]] = [()]
    while stack:
        path = stack.pop()
        world = World()
        for name in path:
            world.play(name)
        if len(path) == length or world.ending is not None:
            yield path
            continue
        stack.extend((*path, name) for name in INPUTS if world.legal(name))


def test_every_sequence_of_inputs_keeps_the_laws() -> None:
    explored = sum(1 for _ in _sequences(LENGTH))

    print(f"explored {explored} sequences of up to {LENGTH} inputs")
    assert explored > 10 ** (LENGTH - 2)


@pytest.mark.parametrize("state", [State.DONE, State.FAILED])
def test_nothing_follows_an_ending(state: State) -> None:
    assert state not in {before for before, _ in StreamMachine.TRANSITIONS}
