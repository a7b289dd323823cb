"""What a request asks of the pool: its model, its conversation, its size.

A request that only computes an answer may go to any project, and a conversation to its home. All
others may create something or name it, so they go to the home of their access key: names that are
used together later are then together.

The model is that of the path. Interactions and OpenAI's routes have it in their body. The route of
Live has put it into the account.
"""

import functools
import re

import attrs
import msgspec

from gemproxy.exchange.exchange import Exchange
from gemproxy.pool.opening import opening
from gemproxy.pool.pool import Wish

_COMPUTES = re.compile(
    r":(?:(?:stream)?[gG]enerateContent|generate(?:Text|Message|Answer)|count\w+|embed\w+"
    r"|batchEmbed\w+|predict)$|/openai/(?:chat/completions|completions|embeddings|images/\w+)/?$"
)
_OF_A_MODEL = re.compile(r"/(?:models|tunedModels|dynamic|endpoints)/[^:]+:")
_IN_THE_BODY = re.compile(r"/openai/|/interactions/?$")
_IMAGE = re.compile(rb'"data"\s*:\s*"[A-Za-z0-9+/=_-]{256,}"')
_IMAGE_TOKENS = 258
"""Gemini's price of an image or of a tile of one."""
_BYTES_PER_TOKEN = 4


class _Named(msgspec.Struct):
    model: str = ""


_DECODER = msgspec.json.Decoder(_Named)


@attrs.frozen
class _Path:
    """What a path says: whether a POST to it only computes, and where the model is named."""

    computes: bool
    names_a_model: bool
    in_the_body: bool


@functools.lru_cache(maxsize=1024)
def _read(path: str) -> _Path:
    """Return what a decoded path says; nearly all requests have one of few."""
    computes = _COMPUTES.search(path) is not None
    of_a_model = _OF_A_MODEL.search(path) is not None
    return _Path(computes, of_a_model or computes, _IN_THE_BODY.search(path) is not None)


def computes(exchange: Exchange) -> bool:
    """Return whether a request only computes an answer."""
    return exchange.method == "POST" and _read(exchange.path).computes


def model_of(exchange: Exchange, body: bytes | None) -> str:
    """Return the model whose quota a request counts for; empty if there is none."""
    return _model_of(exchange, _read(exchange.path), body)


def _model_of(exchange: Exchange, path: _Path, body: bytes | None) -> str:
    model = exchange.model if path.names_a_model else exchange.account.model or ""
    if not model and body and path.in_the_body:
        model = _named_in(body)
    return model.removeprefix("models/")


def wish_of(exchange: Exchange, body: bytes | None, project: str | None = None) -> Wish:
    """Return what a request asks of the pool; ``project`` is the one that it is bound to."""
    path, access = _read(exchange.path), exchange.account.access
    model = _model_of(exchange, path, body)
    if exchange.method != "POST" or not path.computes:
        return Wish(model, project, caller=access)
    said = body or b""
    return Wish(model, project, opening=opening(access, said), tokens=tokens_of(said))


def tokens_of(body: bytes) -> int:
    """Return an estimate of the tokens of a prompt."""
    size, images = len(body), 0
    if size > _BYTES_PER_TOKEN * _IMAGE_TOKENS and b'"data"' in body:
        text, images = _IMAGE.subn(b"", body)
        size = len(text)
    return size // _BYTES_PER_TOKEN + images * _IMAGE_TOKENS


def _named_in(body: bytes) -> str:
    try:
        named = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return named.model
