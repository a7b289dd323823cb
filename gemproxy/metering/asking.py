"""Which requests count as one that asks a model, and in whose dialect they do.

That are all POSTs that compute something with a model, whatever route they take: Gemini's methods
(``models/x:generateContent``, also below ``tunedModels``, ``publishers/google/models`` and
``endpoints``), the creation of an interaction, and the resources of Google's layer for OpenAI's
clients. Files, lists, caches and other resources ask no model.
"""

import re
from typing import Any

import msgspec

from gemproxy.exchange.exchange import Exchange

_METHODS = re.compile(
    r"/(?:models|tunedModels|dynamic|endpoints)/.*:\w+/?$"
    r"|:(?:\w*[gG]enerate\w*|count\w*|embed\w*|batchEmbed\w*|asyncBatchEmbed\w*|\w*[pP]redict\w*)/?$",
    re.DOTALL,
)
_OPENAI = re.compile(
    r"/openai/(?:v\d\w*/)?(?:chat/completions|completions|responses|embeddings"
    r"|images/\w+|audio/\w+|videos|batches)/?$"
)
_INTERACTIONS = re.compile(r"/interactions/?$")
_BATCHES = re.compile(r":(?:batchGenerate\w*|asyncBatch\w*)/?$|/openai/(?:v\d\w*/)?batches/?$")
_VERTEX = re.compile(r"/(?:publishers|endpoints)/")

LIVE = "live"
OF_OPENAI = frozenset({"chat", "embeddings", "drawing", "edits"})
"""Routes of OpenAI's dialect, which translate it; their model and their body are given."""
TRANSLATED = OF_OPENAI | {"image_relay"}
"""All routes whose model and body are given."""


class _Named(msgspec.Struct):
    model: Any = None


_named = msgspec.json.Decoder(_Named)


def asks_a_model(exchange: Exchange) -> bool:
    """Return whether a request, which is no WebSocket, asks a model or creates an interaction."""
    if exchange.method != "POST" or exchange.given is not None or exchange.family == "upload":
        return False
    if exchange.family in TRANSLATED:
        return True
    path = exchange.path
    found = _METHODS.search(path) or _OPENAI.search(path) or _INTERACTIONS.search(path)
    return found is not None


def is_batch(exchange: Exchange) -> bool:
    """Return whether a request begins a batch, whose cost is known only when it is over."""
    return _BATCHES.search(exchange.path) is not None


def dialect_of(exchange: Exchange) -> str:
    """Return gemini, interactions, live, openai or vertex."""
    family = exchange.family
    if family in {LIVE, "fetch"}:
        return LIVE
    if family in OF_OPENAI:
        return "openai"
    if family in {"stream", "generate", "compute"} and "/publishers/" not in exchange.raw_path:
        return "gemini"
    path = exchange.path
    if _OPENAI.search(path):
        return "openai"
    if _INTERACTIONS.search(path):
        return "interactions"
    return "vertex" if _VERTEX.search(path) else "gemini"


def model_of(exchange: Exchange, dialect: str, body: bytes | None) -> str:
    """Return the model of a request, without its collection; empty if nothing readable names it.

    It is in the path or, for OpenAI's clients, in the body.
    """
    return exchange.model if dialect != "openai" or not body else model_in(body)


def model_in(body: bytes) -> str:
    """Return the model that a JSON body names, without its collection; empty for none."""
    try:
        model = _named.decode(body).model
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return model.rpartition("models/")[2] if isinstance(model, str) else ""
