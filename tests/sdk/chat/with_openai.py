"""Drives the stock openai package (Python) as an application would; see ``playing``."""

import base64
import sys
from typing import Any

import openai
import pydantic

from tests.sdk.chat import playing
from tests.sdk.chat.playing import MODEL, asked

Client = Any
"""openai.OpenAI, whose own types want more than the plain dictionaries of an application."""


class Boat(pydantic.BaseModel):
    """A boat, as the application wants it."""

    name: str
    masts: int


def _text(client: Client) -> Any:
    answer = client.chat.completions.create(model=MODEL, messages=asked(playing.TEXT))
    (choice,) = answer.choices
    return {
        "text": choice.message.content,
        "finish": choice.finish_reason,
        "usage": _usage(answer.usage),
        "thoughts": getattr(choice.message, "reasoning_content", None),
    }


def _usage(usage: Any) -> list[int]:
    return [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens]


def _stream(client: Client, prompt: str) -> Any:
    text, thoughts, finish, usage = "", "", [], None
    stream = client.chat.completions.create(
        model=MODEL,
        messages=asked(prompt),
        stream=True,
        stream_options={"include_usage": True},
    )
    try:
        for chunk in stream:
            usage = chunk.usage or usage
            for choice in chunk.choices:
                text += choice.delta.content or ""
                thoughts += getattr(choice.delta, "reasoning_content", None) or ""
                finish += [choice.finish_reason] if choice.finish_reason else []
    except openai.OpenAIError as error:
        return playing.raised(error, text)
    (last,) = finish
    return {"text": text, "finish": last, "usage": _usage(usage), "thoughts": thoughts}


def _tools(client: Client) -> Any:
    """Send whole messages back, with all that the package does not know."""
    messages: list[Any] = asked(playing.TOOLS)
    steps: list[Any] = []
    while True:
        answer = client.chat.completions.create(
            model=MODEL, messages=messages, tools=playing.FUNCTIONS
        )
        message = answer.choices[0].message
        if not message.tool_calls:
            return {
                "steps": steps,
                "text": message.content,
                "finish": answer.choices[0].finish_reason,
            }
        messages.append(message.model_dump(exclude_none=True))
        called = [(one.function.name, one.function.arguments, one.id) for one in message.tool_calls]
        steps.append(_answered(messages, called))


def _streamed_tools(client: Client) -> Any:
    """Send back no more than the fields that OpenAI documents."""
    messages: list[Any] = asked(playing.TOOLS)
    steps: list[Any] = []
    while True:
        called: dict[int, list[str]] = {}
        text, finish = "", None
        stream = client.chat.completions.create(
            model=MODEL, messages=messages, tools=playing.FUNCTIONS, stream=True
        )
        for chunk in stream:
            (choice,) = chunk.choices
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
            for one in choice.delta.tool_calls or []:
                call = called.setdefault(one.index, ["", "", ""])
                function = one.function
                for place, piece in enumerate((function.name, function.arguments, one.id)):
                    call[place] += piece or ""
        if not called:
            return {"steps": steps, "text": text, "finish": finish}
        calls = [tuple(called[index]) for index in sorted(called)]
        messages.append(
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": id_, "type": "function", "function": {"name": name, "arguments": args}}
                    for name, args, id_ in calls
                ],
            }
        )
        steps.append(_answered(messages, calls))


def _answered(messages: list[Any], called: list[Any]) -> list[list[str]]:
    for name, arguments, id_ in called:
        result = playing.used(name, arguments)
        messages.append({"role": "tool", "tool_call_id": id_, "content": result})
    return [[name, arguments] for name, arguments, _ in called]


def _blocked(client: Client) -> Any:
    answer = client.chat.completions.create(model=MODEL, messages=asked(playing.BLOCKED))
    return {
        "text": answer.choices[0].message.content or "",
        "finish": answer.choices[0].finish_reason,
    }


def _picture(client: Client) -> Any:
    answer = client.chat.completions.create(model=MODEL, messages=asked(playing.WITH_PICTURE))
    return answer.choices[0].message.content


def _schema(client: Client) -> Any:
    answer = client.chat.completions.parse(
        model=MODEL, messages=asked(playing.SCHEMA), response_format=Boat
    )
    boat = answer.choices[0].message.parsed
    return None if boat is None else boat.model_dump()


def _refused(client: Client) -> Any:
    return client.chat.completions.create(
        model=MODEL, messages=asked(playing.REFUSED), stream=True
    ).response.status_code


def _embeddings(client: Client) -> Any:
    return (
        client.embeddings.create(model=playing.EMBEDDING, input=playing.EMBEDDED).data[0].embedding
    )


def _image(client: Client) -> Any:
    answer = client.images.generate(model=playing.DRAWING, prompt=playing.DRAWN)
    return answer.data[0].b64_json


def _image_edit(client: Client) -> Any:
    picture = ("x.png", base64.b64decode(playing.JPEG), "image/png")
    asked = {"model": playing.DRAWING, "prompt": playing.REDRAWN, "image": picture}
    return client.images.edit(**asked).data[0].b64_json


def _image_events(client: Client) -> Any:
    events = list(client.images.generate(model=playing.DRAWING, prompt=playing.DRAWN, stream=True))
    last = events[-1]
    return [[event.type for event in events], last.b64_json, last.usage.total_tokens]


def main(url: str) -> None:
    """Do everything once."""
    client: Any = openai.OpenAI(api_key=playing.KEY, base_url=url, max_retries=0)
    playing.play(
        {
            "text": lambda: _text(client),
            "stream": lambda: _stream(client, playing.TEXT),
            "tools": lambda: _tools(client),
            "tools, streamed": lambda: _streamed_tools(client),
            "picture": lambda: _picture(client),
            "JSON schema": lambda: _schema(client),
            "blocked": lambda: _blocked(client),
            "error": lambda: _refused(client),
            "cut": lambda: _stream(client, playing.CUT),
            "cut, resumed": lambda: _stream(client, playing.REPAIRED),
            "embeddings": lambda: _embeddings(client),
            "models": lambda: [model.id for model in client.models.list()],
            "image": lambda: _image(client),
            "image edit": lambda: _image_edit(client),
            "image, streamed": lambda: _image_events(client),
        }
    )


if __name__ == "__main__":
    main(sys.argv[1])
