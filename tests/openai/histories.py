"""Histories in OpenAI's form and contents in Gemini's, in short words, for tests."""

from collections.abc import Sequence
from typing import Any

import pytest

from gemproxy.core.errors import BadField
from gemproxy.openai.request import Ways, translate
from tests.gatekeeper import problems

Json = dict[str, Any]

NEW, OLD, GEMMA, DRAWS = (
    "gemini-3.8-flash",
    "gemini-2.5-flash",
    "gemma-4-31b-it",
    "gemini-3-pro-image",
)
MODELS = (NEW, OLD, GEMMA, DRAWS, "gemini-3.5-flash-lite", "gemini-3.1-pro-preview", "nobody-knows")
PNG = "iVBORw0KGgo="
PICTURE: Json = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
INLINE: Json = {"inlineData": {"mimeType": "image/png", "data": PNG}}


def native(
    messages: Sequence[Json], model: str = NEW, ways: Ways | None = None, **more: Any
) -> Json:
    """Return the native request for messages; Gemini accepts it."""
    asked = translate({"model": model, "messages": list(messages), **more}, ways or Ways())
    assert problems(model, "generateContent", asked.body) == []
    return asked.body


def contents(messages: Sequence[Json], model: str = NEW, ways: Ways | None = None) -> list[Json]:
    found: list[Json] = native(messages, model, ways)["contents"]
    return found


def said(role: str, *parts: Json | str) -> Json:
    return {"role": role, "parts": [{"text": p} if isinstance(p, str) else p for p in parts]}


def user(*content: Json) -> Json:
    return {"role": "user", "content": list(content)}


def call(call_id: str | None, name: str = "tide", arguments: object = "{}", **more: Any) -> Json:
    inner = {"name": name, "arguments": arguments}
    named = {} if call_id is None else {"id": call_id}
    return {**named, "type": "function", "function": inner, **more}


def calls(*made: Json, **more: Any) -> Json:
    return {"role": "assistant", "content": None, "tool_calls": list(made), **more}


def result(call_id: str, content: object) -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def response(call_id: str | None, name: str, value: object, **more: Any) -> Json:
    given = {} if call_id is None else {"id": call_id}
    value = value if isinstance(value, dict) else {"result": value}
    return {"functionResponse": {**given, "name": name, "response": value, **more}}


def refused(messages: object, field: str, model: str = NEW) -> BadField:
    with pytest.raises(BadField) as caught:
        translate({"model": model, "messages": messages}, Ways())
    assert caught.value.field == field
    return caught.value


GO: Json = {"role": "user", "content": "go"}
