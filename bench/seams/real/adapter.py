"""Gemini's streamGenerateContent over a language model that continues a prompt.

The first request for a case gets the exact beginning of a fixed answer, and then a clean end or a
reset. Later requests go to the model, in the chat format of SmolLM2's training, and end with STOP.
All attempts are kept for the report.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import attrs
from aiohttp import web

from bench.seams.real.conversations import Case
from gemproxy.chaos.conversation import Asked, Relation, Turn, recognise, texts_of, turns_of
from gemproxy.core.repair.request import look_up

SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
BEYOND = 120
"""Characters that the model may write beyond the requested repetition."""

PIECE = 7
"""Characters of an event; events cut words anywhere, as with real models."""

Wording = Callable[[Asked, str], str]
"""Return the model's last user turn, from the parsed request and gemproxy's own turn."""


class Speaker(Protocol):
    """A model that continues a prompt."""

    async def speak(self, prompt: str, *, least: int, most: int, begins: str) -> str:
        """Return the text that follows ``prompt``; see speaker.py."""


@attrs.frozen
class Attempt:
    """One resumed attempt: the request and the model's text."""

    asked: Asked
    text: str


@attrs.define
class Adapter:
    """The routes, the speaker behind them, and the attempts so far by case."""

    cases: Mapping[str, Case]
    speaker: Speaker
    wording: Wording
    attempts: dict[str, list[Attempt]] = attrs.field(factory=dict)

    def app(self) -> web.Application:
        """Return the application."""
        app = web.Application()
        app.router.add_post("/v1beta/models/{model}:streamGenerateContent", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        case = self.cases[request.match_info["model"]]
        document = await request.json()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        if case.name not in self.attempts:
            self.attempts[case.name] = []
            await _tell(case.delivered, response.write)
            if case.reset and request.transport is not None:
                request.transport.abort()
            return response
        attempt = await self._attempt(case, document)
        self.attempts[case.name].append(attempt)
        await _tell(attempt.text, response.write)
        await response.write(_event("", finish="STOP"))
        return response

    async def _attempt(self, case: Case, document: dict[str, Any]) -> Attempt:
        asked = recognise(document, [("user", ({"text": case.question},))])
        turns = turns_of(document)
        own = texts_of(turns[-1:])
        if asked.form is not Relation.PREFILL:
            turns = [*turns[:-1], ("user", ({"text": self.wording(asked, own)},))]
        text = await self.speaker.speak(
            prompt_of(turns, _system(document)),
            least=len(asked.anchor or "") + BEYOND,
            most=len(case.delivered) + BEYOND,
            begins=case.delivered,
        )
        return Attempt(asked, text)


def prompt_of(turns: Sequence[Turn], system: str = SYSTEM) -> str:
    """Return turns in the chat format; a model turn at the end stays open to be continued."""
    lines = [f"<|im_start|>system\n{system}<|im_end|>\n"]
    for turn in turns:
        name = "assistant" if turn[0] == "model" else "user"
        lines.append(f"<|im_start|>{name}\n{texts_of([turn])}<|im_end|>\n")
    if turns[-1][0] == "model":
        return "".join(lines).removesuffix("<|im_end|>\n")
    return "".join([*lines, "<|im_start|>assistant\n"])


def _system(document: dict[str, Any]) -> str:
    said = look_up(document, "systemInstruction")
    return texts_of(turns_of({"contents": [said]})) if isinstance(said, dict) else SYSTEM


async def _tell(text: str, write: Callable[[bytes], Awaitable[None]]) -> None:
    for start in range(0, len(text), PIECE):
        await write(_event(text[start : start + PIECE]))


def _event(text: str, finish: str | None = None) -> bytes:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": [{"text": text}]}}
    if finish is not None:
        candidate["finishReason"] = finish
    payload = {"candidates": [{**candidate, "index": 0}], "modelVersion": "smollm2-135m"}
    return f"data: {json.dumps(payload)}\r\n\r\n".encode()
