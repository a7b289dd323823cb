"""Gemini's side of a conversation, in the smallest pieces a test needs."""

import json
from typing import Any

from gemproxy.core.answer.chunk import read
from gemproxy.core.repair.events import Received
from gemproxy.core.wire.frame import Frame

Json = dict[str, Any]

REQUEST: Json = {"contents": [{"role": "user", "parts": [{"text": "Tell me a story."}]}]}
BODY = json.dumps(REQUEST).encode()


def chunk(
    text: str | None = None,
    *,
    finish: str | None = None,
    parts: list[Json] | None = None,
    usage: tuple[int, int] | None = None,
    response_id: str | None = "first",
    token: str | None = None,
    **more: Any,
) -> Json:
    """Return one response object; ``usage`` is prompt and output tokens."""
    candidate: Json = {"index": 0}
    parts = [{"text": text}] if text is not None and parts is None else parts
    if parts is not None:
        candidate["content"] = {"parts": parts, "role": "model"}
    if finish is not None:
        candidate["finishReason"] = finish
    if token is not None:
        candidate["continuationToken"] = token
    response: Json = {"candidates": [candidate], "modelVersion": "gemini-test", **more}
    if response_id is not None:
        response["responseId"] = response_id
    if usage is not None:
        prompt, output = usage
        response["usageMetadata"] = {
            "promptTokenCount": prompt,
            "candidatesTokenCount": output,
            "totalTokenCount": prompt + output,
        }
    return response


def sse(*responses: Json, eol: str = "\r\n") -> bytes:
    """Return responses as the bytes of an event stream."""
    return b"".join(
        f"data: {json.dumps(response, ensure_ascii=False)}{eol}{eol}".encode()
        for response in responses
    )


def received(response: Json) -> Received:
    """Return what the machine is told when ``response`` comes as one frame."""
    raw = sse(response)
    data = raw[len(b"data: ") : -4]
    return Received(Frame(raw, data), read(data))


def documents(stream: bytes) -> list[Json]:
    """Return the responses in an event stream; raise when it is not cleanly framed."""
    text = stream.decode()
    eol = "\r\n" if "\r\n" in text else "\n"
    events = text.split(eol * 2)
    if events[-1]:
        raise ValueError(f"the stream ends inside an event: {events[-1]!r}")
    return [json.loads(event.removeprefix("data: ")) for event in events if event.strip()]


def text_of(stream: bytes) -> str:
    """Return the visible text that a client reads in an event stream."""
    return "".join(
        part.get("text", "")
        for document in documents(stream)
        for candidate in document.get("candidates", [])
        for part in candidate.get("content", {}).get("parts", [])
        if not part.get("thought")
    )
