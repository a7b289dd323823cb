"""Drives the stock litellm, as a client, as an application would; see ``playing``."""

import base64
import io
import json
import sys
from typing import Any

import litellm  # type: ignore[import-not-found]

from tests.sdk.chat import playing
from tests.sdk.chat.playing import asked


class _Chat:
    """The functions of litellm with the options that an application sets for a base URL."""

    def __init__(self, url: str) -> None:
        self._options = {"api_key": playing.KEY, "api_base": url, "max_retries": 0}

    def ask(self, messages: list[Any], **more: Any) -> Any:
        """Return an answer, or a stream of chunks."""
        model = f"openai/{playing.MODEL}"
        return litellm.completion(model=model, messages=messages, **self._options, **more)

    def embed(self, text: str) -> Any:
        """Return a vector."""
        model = f"openai/{playing.EMBEDDING}"
        return litellm.embedding(model=model, input=[text], **self._options).data[0]["embedding"]

    def draw(self) -> Any:
        """Return a picture in base64."""
        model = f"openai/{playing.DRAWING}"
        answer = litellm.image_generation(playing.DRAWN, model=model, **self._options)
        return answer.data[0].b64_json

    def redraw(self) -> Any:
        """Return a changed picture in base64."""
        model, image = f"openai/{playing.DRAWING}", io.BytesIO(base64.b64decode(playing.JPEG))
        answer = litellm.image_edit(
            image=image, prompt=playing.REDRAWN, model=model, **self._options
        )
        return answer.data[0].b64_json


def _said(answer: Any) -> dict[str, Any]:
    choice = answer.choices[0]
    usage = answer.usage
    return {
        "text": choice.message.content or "",
        "finish": choice.finish_reason,
        "usage": [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens],
        "thoughts": getattr(choice.message, "reasoning_content", None),
    }


def _stream(chat: _Chat, prompt: str) -> Any:
    text, chunks = "", []
    try:
        for chunk in chat.ask(asked(prompt), stream=True, stream_options={"include_usage": True}):
            chunks.append(chunk)
            text += chunk.choices[0].delta.content or "" if chunk.choices else ""
    except Exception as error:  # noqa: BLE001 - it is what the application sees
        return playing.raised(error, text)
    return _said(litellm.stream_chunk_builder(chunks))


def _tools(chat: _Chat, *, streamed: bool) -> Any:
    messages = asked(playing.TOOLS)
    steps: list[Any] = []
    while True:
        answer = chat.ask(messages, tools=playing.FUNCTIONS, stream=streamed)
        if streamed:
            answer = litellm.stream_chunk_builder(list(answer), messages=messages)
        message = answer.choices[0].message
        if not message.tool_calls:
            return {**_said(answer), "steps": steps}
        messages.append(message)
        called = [(one.function.name, one.function.arguments, one.id) for one in message.tool_calls]
        steps.append([[name, arguments] for name, arguments, _ in called])
        for name, arguments, id_ in called:
            result = playing.used(name, arguments)
            messages.append({"role": "tool", "tool_call_id": id_, "content": result})


def _schema(chat: _Chat) -> Any:
    form = {
        "type": "json_schema",
        "json_schema": {"name": "boat", "strict": True, "schema": playing.BOAT},
    }
    return json.loads(
        chat.ask(asked(playing.SCHEMA), response_format=form).choices[0].message.content
    )


def main(url: str) -> None:
    """Do everything once."""
    chat = _Chat(url)
    playing.play(
        {
            "text": lambda: _said(chat.ask(asked(playing.TEXT))),
            "stream": lambda: _stream(chat, playing.TEXT),
            "tools": lambda: _tools(chat, streamed=False),
            "tools, streamed": lambda: _tools(chat, streamed=True),
            "picture": lambda: _said(chat.ask(asked(playing.WITH_PICTURE)))["text"],
            "JSON schema": lambda: _schema(chat),
            "blocked": lambda: _said(chat.ask(asked(playing.BLOCKED))),
            "error": lambda: _said(chat.ask(asked(playing.REFUSED))),
            "cut": lambda: _stream(chat, playing.CUT),
            "cut, resumed": lambda: _stream(chat, playing.REPAIRED),
            "embeddings": lambda: chat.embed(playing.EMBEDDED),
            "image": chat.draw,
            "image edit": chat.redraw,
        }
    )


if __name__ == "__main__":
    main(sys.argv[1])
