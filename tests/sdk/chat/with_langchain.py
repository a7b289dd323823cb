"""Drives the stock langchain-openai as an application would; see ``playing``."""

import sys
from typing import Any

from langchain_core.messages import HumanMessage, ToolMessage  # type: ignore[import-not-found]
from langchain_openai import ChatOpenAI, OpenAIEmbeddings  # type: ignore[import-not-found]

from tests.sdk.chat import playing


def _said(message: Any) -> dict[str, Any]:
    usage = message.usage_metadata or {}
    return {
        "text": message.text,
        "finish": message.response_metadata.get("finish_reason"),
        "usage": [usage.get(f"{kind}_tokens") for kind in ("input", "output", "total")],
    }


def _stream(chat: Any, prompt: str) -> Any:
    text, whole = "", None
    try:
        for chunk in chat.stream(prompt):
            text += chunk.text
            whole = chunk if whole is None else whole + chunk
    except Exception as error:  # noqa: BLE001 - it is what the application sees
        return playing.raised(error, text)
    return _said(whole)


def _tools(chat: Any, *, streamed: bool) -> Any:
    able = chat.bind_tools([playing.tide, playing.wind, playing.book])
    messages: list[Any] = [HumanMessage(playing.TOOLS)]
    steps: list[Any] = []
    while True:
        if streamed:
            answer = None
            for chunk in able.stream(messages):
                answer = chunk if answer is None else answer + chunk
        else:
            answer = able.invoke(messages)
        said: Any = answer
        if not said.tool_calls:
            return {**_said(said), "steps": steps}
        messages.append(said)
        steps.append([[call["name"], call["args"]] for call in said.tool_calls])
        for call in said.tool_calls:
            result = playing.USED[call["name"]](**call["args"])
            messages.append(ToolMessage(result, tool_call_id=call["id"]))


def _schema(chat: Any) -> Any:
    return chat.with_structured_output(
        playing.BOAT | {"title": "Boat"}, method="json_schema"
    ).invoke(playing.SCHEMA)


def main(url: str) -> None:
    """Do everything once."""
    options = {"api_key": playing.KEY, "base_url": url, "max_retries": 0}
    chat = ChatOpenAI(model=playing.MODEL, stream_usage=True, use_responses_api=False, **options)
    embeddings = OpenAIEmbeddings(
        model=playing.EMBEDDING, check_embedding_ctx_length=False, **options
    )
    playing.play(
        {
            "text": lambda: _said(chat.invoke(playing.TEXT)),
            "stream": lambda: _stream(chat, playing.TEXT),
            "tools": lambda: _tools(chat, streamed=False),
            "tools, streamed": lambda: _tools(chat, streamed=True),
            "picture": lambda: chat.invoke([HumanMessage(playing.WITH_PICTURE)]).text,
            "JSON schema": lambda: _schema(chat),
            "blocked": lambda: _said(chat.invoke(playing.BLOCKED)),
            "error": lambda: _said(chat.invoke(playing.REFUSED)),
            "cut": lambda: _stream(chat, playing.CUT),
            "cut, resumed": lambda: _stream(chat, playing.REPAIRED),
            "embeddings": lambda: embeddings.embed_query(playing.EMBEDDED),
        }
    )


if __name__ == "__main__":
    main(sys.argv[1])
