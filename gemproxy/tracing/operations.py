"""What a request to the upstream is in the words of OpenTelemetry's gen_ai conventions.

An operation has spans and metrics of its own kind. Requests that compute nothing with a model have
none: lists, files, caches, counts of tokens, batches that are only begun.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

GENERATE = "generate_content"
CHAT = "chat"
EMBED = "embeddings"
COMPLETE = "text_completion"
FETCH = "fetch_response"
"""The reading of an answer that exists already; it has no usage."""

_OF_FAMILIES: Mapping[str, str] = {
    "stream": GENERATE,
    "generate": GENERATE,
    "chat": CHAT,
    "embeddings": EMBED,
    "drawing": GENERATE,
    "edits": GENERATE,
    "image_relay": GENERATE,
    "interactions": GENERATE,
    "live": GENERATE,
}
"""Route -> operation. Chats of OpenAI's clients are chats, though Gemini's API is another one."""

_OF_METHODS: Mapping[str, str] = {
    "generateContent": GENERATE,
    "streamGenerateContent": GENERATE,
    "generateAnswer": GENERATE,
    "rawPredict": GENERATE,
    "streamRawPredict": GENERATE,
    "predict": GENERATE,
    "embedContent": EMBED,
    "batchEmbedContents": EMBED,
}
"""Method of Gemini's API -> operation."""

_OF_OPENAI: Mapping[str, str] = {
    "chat/completions": CHAT,
    "responses": CHAT,
    "completions": COMPLETE,
    "embeddings": EMBED,
    "images/generations": GENERATE,
}
"""Resource of Google's layer for OpenAI's clients -> operation."""

_METHOD = re.compile(r"(?::|%3[Aa])(\w+)/*$")
_RESOURCE = re.compile(rf"/openai/(?:v\d\w*/)?({'|'.join(_OF_OPENAI)})/*$")


@lru_cache(maxsize=1024)
def operation_of(family: str, method: str, path: str) -> str:
    """Return the operation of a request; empty for one that is none.

    ``family`` is its route, ``method`` that of HTTP, ``path`` the raw path.
    """
    if family == "interaction":
        return FETCH if method == "GET" else ""
    if family in _OF_FAMILIES:
        return _OF_FAMILIES[family]
    if method != "POST" or family == "upload":
        return ""
    resource = _RESOURCE.search(path)
    if resource is not None:
        return _OF_OPENAI[resource[1]]
    found = _METHOD.search(path)
    operation = _OF_METHODS.get(found[1], "") if found is not None else ""
    return EMBED if operation == GENERATE and "embedding" in path else operation
