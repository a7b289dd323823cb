"""The machine explored exhaustively: every sequence of inputs up to a length, by its laws.

The world is played by a model that goes on plainly from what it is shown, so the text that
a client may have is known at every moment: a beginning of the story.
"""

import itertools
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from gemproxy.core.attempt import Plan
from gemproxy.core.events import (
    Emit,
    Ended,
    Fail,
    Finish,
    GaveUp,
    How,
    Input,
    Opened,
    Received,
    Rejected,
    Resume,
)
from gemproxy.core.flow import Flow, take
from gemproxy.core.machine import TRANSITIONS, State, StreamMachine
from gemproxy.core.request import StreamRequest
from gemproxy.core.sse import SSEEncoder
from tests.gemini import BODY, chunk, documents, received, sse, text_of

LENGTH = int(os.environ.get("GEMPROXY_EXPLORE", "5"))
"""How long the explored sequences are; ``make explore`` goes further."""

STORY = "".join(f"word{number} " for number in range(40))
STEP = 24
CALL = {"functionCall": {"name": "look", "args": {}}}


@attrs.define
class World:
    """A faithful model behind one machine, and all that went up and down."""

    machine: StreamMachine = attrs.field(
        factory=lambda: StreamMachine(StreamRequest(BODY), SSEEncoder())
    )
    at: int = 0
    attempts: int = 0
    upstream: bytes = b""
    downstream: bytes = b""
    resumes: int = 0
    calls: int = 0
    ending: Finish | Fail | None = None
    reasons: list[str] = attrs.field(factory=list)

    def legal(self, name: str) -> bool:
        kind = type(INPUTS[name](self))
        flows = kind is not Flow or self.machine.flowing
        return flows and (self.machine.state, kind) in TRANSITIONS

    def play(self, name: str) -> None:
        event = INPUTS[name](self)
        self._before(event, name)
        for action in self.machine.receive(event):
            match action:
                case Emit(raw):
                    self.downstream += raw
                case Resume():
                    self.resumes += 1
                case Finish() | Fail():
                    self.ending = action
        self._check(name)

    def _before(self, event: Input, name: str) -> None:
        if isinstance(event, Opened):
            self.attempts += 1
            self.at = len(self.machine.transcript.text) if self.machine.plan is Plan.TEXT else 0
            self.reasons = []
            self.calls = 0
        if isinstance(event, Flow):
            self.upstream += event.raw
            self.at += len("".join(event.texts))
            self.reasons = []
        if isinstance(event, Received):
            self.calls += event.chunk.call
            self.upstream += event.frame.raw
            self.at += len(event.chunk.text)
            if event.chunk.finish_reason:
                self.reasons.append(event.chunk.finish_reason)
            elif event.chunk.news:
                self.reasons = []

    def _check(self, name: str) -> None:
        """Assert the laws that hold after every input."""
        told = documents(self.downstream)
        text = text_of(self.downstream)
        assert STORY.startswith(text), "the client reads a beginning of the story"
        assert text == self.machine.transcript.text, "the transcript is what the client has"
        assert len({d["responseId"] for d in told if self.resumes and "responseId" in d}) <= 1
        calls = self.downstream.count(b"functionCall")
        assert calls in (0, self.calls), "calls arrive together, and once"
        if not self.resumes:
            assert self.upstream.startswith(self.downstream), "undisturbed bytes are untouched"
        state = self.machine.state
        assert (self.ending is None) == (state not in (State.DONE, State.FAILED))
        if state is State.DONE:
            candidates = [c for d in told for c in d.get("candidates", [])]
            assert candidates[-1].get("finishReason"), "an end says why"
        if state is State.FAILED:
            assert isinstance(self.ending, Fail)
        if name == "safety, then the end" or (name == "end" and self.reasons[-1:] == ["SAFETY"]):
            assert state is State.DONE, "a policy ending is never asked again"


def _says(finish: str | None = None, *, parts: bool = True) -> Callable[[World], Input]:
    def event(world: World) -> Input:
        text = STORY[world.at : world.at + STEP] if parts else ""
        return received(chunk(text, finish=finish, response_id=f"attempt-{world.attempts}"))

    return event


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
    "error": lambda _: received({"error": {"code": 503}}),
    "usage": lambda _: received({"usageMetadata": {"promptTokenCount": 1}}),
    "end": lambda _: Ended(How.EOF),
    "unavailable": lambda _: Rejected(503, b"{}"),
    "refused": lambda _: Rejected(400, json.dumps({"error": {"code": 400}}).encode()),
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
    kinds = {kind for _, kind in TRANSITIONS}

    assert not [kind for kind, s in itertools.product(kinds, [state]) if (s, kind) in TRANSITIONS]
