"""Google's OpenAI layer in the fake Gemini, as far as OpenAI clients use it.

    POST /{version}/openai/chat/completions    whole, or a stream that ends with [DONE]
    POST /{version}/openai/embeddings
    GET  /{version}/openai/models

Only a Bearer credential is accepted here, as by Google. The answer to a chat repeats its last
message.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from gemproxy.chaos.api import Refused, json_reply
from gemproxy.chaos.delivery import Reply
from gemproxy.chaos.resources import vector
from gemproxy.chaos.wire import Request

_PATH = re.compile(r"/v\d\w*/openai/(?P<what>chat/completions|embeddings|models)$")
_CREATED = 1767225600


@attrs.frozen
class OpenAI:
    """The layer; ``models`` are the names that it lists."""

    models: tuple[str, ...]

    def answer(self, request: Request) -> Reply | None:
        """Return the answer to a request for this layer, None for any other; raise Refused."""
        found = _PATH.search(request.path)
        if found is None:
            return None
        _check_bearer(request)
        if found["what"] == "models":
            return json_reply(self._listed())
        if found["what"] == "embeddings":
            return json_reply(_embedded(request.document))
        return _chat(request.document)

    def _listed(self) -> Mapping[str, Any]:
        data = [
            {"id": f"models/{name}", "object": "model", "created": _CREATED, "owned_by": "google"}
            for name in self.models
        ]
        return {"object": "list", "data": data}


def _check_bearer(request: Request) -> None:
    bearer = [value for value in request.values("authorization") if value.startswith("Bearer ")]
    if len(bearer) != 1 or request.values("x-goog-api-key") or "key" in request.query:
        raise Refused(400, "Missing or invalid Authorization header.", violation=True)


def _chat(document: Mapping[str, Any]) -> Reply:
    text = str(document["messages"][-1]["content"])
    if not document.get("stream"):
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        return json_reply(
            {**_head(document, "chat.completion"), "choices": [choice], "usage": usage}
        )
    events = [f"data: {json.dumps(event)}\n\n".encode() for event in _events(document, text)]
    return Reply(200, (("Content-Type", "text/event-stream"),), (*events, b"data: [DONE]\n\n"))


def _events(document: Mapping[str, Any], text: str) -> Iterator[Mapping[str, Any]]:
    head = _head(document, "chat.completion.chunk")
    for word in re.findall(r"\s*\S+", text):
        delta = {"role": "assistant", "content": word}
        yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


def _head(document: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "chat-1", "object": kind, "created": _CREATED, "model": document.get("model")}


def _embedded(document: Mapping[str, Any]) -> Mapping[str, Any]:
    asked = document["input"]
    texts = [asked] if isinstance(asked, str) else list(asked)
    data = [
        {"object": "embedding", "index": index, "embedding": vector(text)}
        for index, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return {"object": "list", "data": data, "model": document.get("model"), "usage": usage}
