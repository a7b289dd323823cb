"""Live sessions of the fake Gemini, and the tokens that open them.

    GET  /ws/...BidiGenerateContent[Constrained]   a WebSocket session
    POST /{version}/auth_tokens                    a token in place of a key, for sessions alone

A session answers ``setup``, and echoes each turn of text as two parts and a turnComplete. With
``sessionResumption`` in the setup, each answer ends with a new handle. A handle of another project
closes the session. JSON goes out in binary frames, as Gemini sends it. A turn costs a token for
each character: its prompt is all that was said before, since Google bills the context of each turn.
"""

import asyncio
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import attrs

from gemproxy.chaos.api import check_credential, json_reply
from gemproxy.chaos.delivery import Reply
from gemproxy.chaos.websocket import Farewell, Op, accept, frame, receive
from gemproxy.chaos.wire import Request
from gemproxy.core.repair.request import look_up

Json = dict[str, Any]

_TOKENS = re.compile(r"/v\d\w*/auth_tokens$")
_UNKNOWN = Farewell(1008, "BidiGenerateContent session not found")
_COMPLETE: Json = {"serverContent": {"turnComplete": True}}


@attrs.define(eq=False)
class Sessions:
    """The handles and tokens of one project; ``numbers`` counts both."""

    project: str = ""
    handles: list[str] = attrs.field(factory=list)
    tokens: list[str] = attrs.field(factory=list)
    numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1), repr=False)

    def answer(self, request: Request) -> Reply | None:
        """Return the answer to a request for a token, None for any other; raise Refused."""
        if request.method != "POST" or _TOKENS.search(request.path) is None:
            return None
        check_credential(request)
        self.tokens.append(f"auth_tokens/token{next(self.numbers)}")
        return json_reply({"name": self.tokens[-1]})

    async def serve(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Hold a session until one side closes it."""
        writer.write(accept(request))
        talk = Talk(self)
        farewell = Farewell(1000)
        while (message := await receive(reader, writer)) is not None:
            answers = talk.answers(json.loads(message))
            if isinstance(answers, Farewell):
                farewell = answers
                break
            for answer in answers:
                writer.write(frame(Op.BINARY, json.dumps(answer).encode()))
            await writer.drain()
        writer.write(frame(Op.CLOSE, farewell.payload))
        await writer.drain()

    def new_handle(self) -> str:
        """Return a handle by which a session of this project can be resumed."""
        self.handles.append(f"handle-{next(self.numbers)}")
        return self.handles[-1]


@attrs.define
class Talk:
    """One session, as messages: what the client says and what the model answers."""

    sessions: Sessions
    _resumes: bool = False
    _context: int = 0

    def answers(self, document: Json) -> list[Json] | Farewell:
        """Return the answers to one message of the client."""
        setup = look_up(document, "setup")
        if setup is not None:
            return self._begin(setup)
        content = look_up(document, "clientContent") or {}
        turns = look_up(content, "turns") or []
        said = "".join(
            str(part.get("text", "")) for turn in turns for part in turn.get("parts", ())
        )
        half = len(said) // 2
        parts = [_part(said[:half]), _part(said[half:])]
        return [*parts, *self._handle(), {**_COMPLETE, **self._usage(len(said))}]

    def _begin(self, setup: Json) -> list[Json] | Farewell:
        resumption = look_up(setup, "sessionResumption")
        handle = look_up(resumption or {}, "handle")
        if handle and handle not in self.sessions.handles:
            return _UNKNOWN
        self._resumes = resumption is not None
        return [{"setupComplete": {}}]

    def _usage(self, said: int) -> Json:
        prompt = self._context + said
        self._context = prompt + said
        counts = {"promptTokenCount": prompt, "responseTokenCount": said}
        return {"usageMetadata": {**counts, "totalTokenCount": prompt + said}}

    def _handle(self) -> list[Json]:
        if not self._resumes:
            return []
        handle = self.sessions.new_handle()
        return [{"sessionResumptionUpdate": {"newHandle": handle, "resumable": True}}]


def _part(text: str) -> Json:
    return {"serverContent": {"modelTurn": {"role": "model", "parts": [{"text": text}]}}}
