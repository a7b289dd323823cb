"""Names the limit of an answer in a request that names none, so that the answer fits its hold.

The body is edited as bytes: everything else in it stays as the client wrote it. Gemini has
``generationConfig.maxOutputTokens``, in either spelling, an interaction
``generation_config.max_output_tokens``, and OpenAI's requests have ``max_completion_tokens``, or
``max_output_tokens`` for a response. Other requests have no such limit.
"""

import functools
from typing import Any

from gemproxy.accounts.estimate import Asking
from gemproxy.core.answer.rewrite import dump
from gemproxy.core.repair.request import parse_strictly
from gemproxy.core.wire.members import inside_of

_CONFIGS = ("generationConfig", "generation_config")
_LIMITS = ("maxOutputTokens", "max_output_tokens")
_NONE = (None, 0, "0")
_OF_OPENAI = ("max_completion_tokens", "max_tokens", "max_output_tokens")


def bounded(kind: Asking, body: bytes, tokens: int) -> bytes:
    """Return the body with a limit of ``tokens``, or itself where it names one or can have none.

    Raises ``core.repair.request.Unreadable`` for a body that is no unambiguous JSON object: what it
    names cannot be known.
    """
    if kind is Asking.GENERATION:
        return _in_config(body, parse_strictly(body), tokens, 0)
    if kind is Asking.INTERACTION:
        document = parse_strictly(body)
        if document.get("agent"):  # an agent has no such configuration
            return body
        return _in_config(body, document, tokens, 1)
    if kind is Asking.OPENAI:
        return _in_openai(body, parse_strictly(body), tokens)
    return body


def _in_config(body: bytes, document: dict[str, Any], tokens: int, usual: int) -> bytes:
    """Return the body with the limit in its configuration; ``usual`` is the spelling of a new one.

    A configuration that is no object is left to Google to refuse. A limit of 0 is none, as in
    protobuf.
    """
    named = [name for name in _CONFIGS if document.get(name) is not None]
    configs = [document[name] for name in named]
    if not all(isinstance(config, dict) for config in configs):
        return body
    limits = [config.get(name) for config in configs for name in _LIMITS]
    if any(limit is False or limit not in _NONE for limit in limits):
        return body
    if not named:
        own = (_CONFIGS[usual], _LIMITS[usual])
        return _added(body, document, (), (own, tokens), _CONFIGS)
    limit = (_LIMITS[_CONFIGS.index(named[0])],)
    return _added(body, document, (named[0],), (limit, tokens), _LIMITS)


def _in_openai(body: bytes, document: dict[str, Any], tokens: int) -> bytes:
    if _names(document, _OF_OPENAI):
        return body
    field = "max_output_tokens" if "input" in document else "max_completion_tokens"
    return _added(body, document, (), ((field,), tokens), _OF_OPENAI)


def _names(config: dict[str, Any], names: tuple[str, ...]) -> bool:
    return any(config.get(name) is not None for name in names)


def _limit(names: tuple[str, ...], tokens: int) -> dict[str, Any]:
    """Return a limit of ``tokens`` as the member, or the member of a member, of these names."""
    name, *inner = names
    return {name: _limit(tuple(inner), tokens) if inner else tokens}


@functools.lru_cache(maxsize=64)
def _members(names: tuple[str, ...], tokens: int) -> bytes:
    return dump(_limit(names, tokens))[1:-1]


def _added(
    body: bytes,
    document: dict[str, Any],
    path: tuple[str, ...],
    own: tuple[tuple[str, ...], int],
    taken: tuple[str, ...],
) -> bytes:
    """Return the body with a limit (``_limit(*own)``) first in the object at ``path``.

    Where the object has a null under one of the ``taken`` names, or cannot be found among the
    bytes, the whole document is written anew.
    """
    target = document
    for name in path:
        target = target[name]
    at = inside_of(body, path)
    if at is None or any(name in target for name in taken):
        kept = {name: value for name, value in target.items() if name not in taken}
        target.clear()
        target.update({**_limit(*own), **kept})
        return dump(document)
    return body[:at] + _members(*own) + (b"," if target else b"") + body[at:]
