"""Pieces of which playbooks of the stream machine are made."""

import json
from typing import Any

from gemproxy.core.repair.continuation import find_anchor
from gemproxy.core.repair.events import (
    Cause,
    Ended,
    How,
    Opened,
    Resume,
)
from gemproxy.core.repair.machine import StreamMachine
from gemproxy.core.repair.policy import Policy
from gemproxy.core.repair.request import StreamRequest
from tests.gemini import BODY, REQUEST, Json, chunk, documents, received, sse, text_of
from tests.playbook import Playbook, Said, Seen

STORY = "Once upon a time there was a fox who lived at the edge of a deep green forest"

REST = " and nobody had ever seen it."

EOF = Ended(How.EOF)

RESET = Ended(How.RESET)


def machine(request: Json | None = None, **policy: Any) -> StreamMachine:
    body = BODY if request is None else json.dumps(request).encode()
    return StreamMachine(StreamRequest(body), Policy(**policy))


def emits(*responses: Json) -> Said:
    return Said(sse(*responses))


def says(text: str, **fields: Any) -> Any:
    """Expect rewritten frames with this visible text and these fields in the last one."""

    def check(action: Seen) -> bool:
        if not isinstance(action, Said) or text_of(action.raw) != text:
            return False
        last = documents(action.raw)[-1]
        return all(last.get(name) == value for name, value in fields.items())

    check.__name__ = f"emit {text!r} {fields}"
    return check


def part_frame(*parts: Json, **fields: Any) -> Json:
    return chunk(parts=list(parts), **fields)


THOUGHT = {"text": "Let me think.", "thought": True}

CALL = {"functionCall": {"name": "look", "args": {"at": "fox"}}, "thoughtSignature": "c2ln"}

IMAGE = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}


def opened(stream: StreamMachine | None = None) -> Playbook:
    """Play a stream whose next attempt has begun."""
    return Playbook(stream or machine()) >> Opened()


def showing(frame: Json, stream: StreamMachine | None = None) -> Playbook:
    """Play a stream whose first attempt has begun, with a frame that goes out as it came."""
    return opened(stream) >> received(frame) << emits(frame)


def fed(stream: StreamMachine, *events: Any) -> StreamMachine:
    """Return a stream that has begun and has taken ``events``, whatever it answered."""
    for event in (Opened(), *events):
        stream.receive(event)
    return stream


def broken_after(stream: StreamMachine, text: str = STORY, **fields: Any) -> Playbook:
    """Play a stream that is cut behind ``text``."""
    return showing(chunk(text, **fields), stream) >> RESET << Resume(Cause.DROP)


def anchor_of(stream: StreamMachine) -> str:
    contents = json.loads(stream.next_request)["contents"]
    return find_anchor(contents[-1]["parts"][0]["text"]) or ""


OTHER_STORY = STORY[:50] + " nothing like the other one, and so it goes" * 9


# -- calls, images, documents --------------------------------------------------------------

JSON_REQUEST = {**REQUEST, "generationConfig": {"responseMimeType": "application/json"}}

HALF, WHOLE = '{"name": "fox", "home": "the for', '{"name": "fox", "home": "the forest"}'
