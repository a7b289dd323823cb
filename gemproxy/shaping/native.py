"""The operator's additions to a native request for content, which is edited as a document.

A body to which nothing is added keeps its bytes; so does one that is no JSON object, for Google to
refuse. A member that stands twice stands once in what is written: the last one, as the prompt must
not be lost by a second systemInstruction.
"""

import json
from typing import Any

import attrs
import msgspec

from gemproxy.core.answer.chunk import Undecodable, loads
from gemproxy.shaping.family import Family
from gemproxy.shaping.injection import Injection, inject
from gemproxy.shaping.thinking import Thinking, thinking_config

Json = dict[str, Any]

_CONFIG = ("generationConfig", "generation_config")
_THINKING = ("thinkingConfig", "thinking_config")
_encode = msgspec.json.Encoder().encode


@attrs.frozen
class Added:
    """A body to which something may have been added; ``injected``: the prompt is in it."""

    body: bytes = attrs.field(repr=False)
    injected: bool = False


def added(body: bytes, family: Family, thinking: Thinking, prompt: Injection | None) -> Added:
    """Return a body with a default for thinking, if it says nothing about that, and the prompt.

    ``family`` is that of the request's model.
    """
    try:
        document = loads(body)
        return _added(body, document, family, thinking, prompt)
    except (Undecodable, RecursionError):
        return Added(body)


def _added(
    body: bytes, document: object, family: Family, thinking: Thinking, prompt: Injection | None
) -> Added:
    if not isinstance(document, dict):
        return Added(body)
    config = thinking_config(family, thinking)
    thought = document if config is None else _thought(document, config)
    made = inject(thought, prompt, family) if prompt is not None else None
    if made is not None:
        return Added(_written(made), injected=True)
    return Added(body if thought is document else _written(thought))


def _written(document: Json) -> bytes:
    """Return JSON that goes up; half a surrogate pair stays the escape that the client wrote."""
    try:
        return _encode(document)
    except UnicodeEncodeError:
        return json.dumps(document, separators=(",", ":")).encode()


def _thought(document: Json, config: Json) -> Json:
    """Return the request with a thinkingConfig; itself if it has one, or is not of that form."""
    given = [document[name] for name in _CONFIG if document.get(name) is not None]
    if not all(isinstance(one, dict) for one in given):
        return document
    if any(one.get(name) is not None for one in given for name in _THINKING):
        return document
    name = next((name for name in _CONFIG if document.get(name) is not None), _CONFIG[0])
    own = document.get(name) or {}
    kept = {key: value for key, value in own.items() if key not in _THINKING}
    return {**document, name: {**kept, _THINKING[0]: config}}
