"""``GET /v1/models`` and ``/v1/models/{m}``, in one form that Gemini and OpenAI clients read.

Both kinds of clients request the same path: Google's SDKs from major version 3 on, and OpenAI's
with a base URL that ends in ``/v1``. Each entry gets the fields of both, and the list both names,
``models`` and ``data``; each SDK reads its own and ignores the rest. Any other answer, an error or
a partial one, passes unchanged, and so does ``/v1beta/models``.
"""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from gemproxy.core.answer.chunk import Undecodable, loads
from gemproxy.core.answer.rewrite import dump
from gemproxy.core.repair.unary import Look
from gemproxy.exchange.credential import API_KEY, AUTHORIZATION
from gemproxy.relay.bodies import Body
from gemproxy.routes.allowed import only_allowed
from gemproxy.routes.calling import call
from gemproxy.routes.parts import EXCHANGE

Json = dict[str, Any]

_PAGE = 1000
"""The largest page that Google gives."""


async def handle(request: web.Request) -> web.StreamResponse:
    """Answer with the merged form of the upstream's answer."""
    rewrite = merged_entry if "model" in request.match_info else merged_list
    exchange = request[EXCHANGE]
    if "model" not in request.match_info and is_openai(request.headers):
        exchange = exchange.towards(whole_list(exchange.raw_target))
    return await call(request, exchange, Body(), Look.STATUS, only_allowed(request, rewrite))


def is_openai(headers: Mapping[str, str]) -> bool:
    """Return whether a request comes from an OpenAI client."""
    stainless = any(name.lower().startswith("x-stainless-") for name in headers)
    return stainless or (AUTHORIZATION in headers and API_KEY not in headers)


def whole_list(raw_target: str) -> str:
    """Return the target that asks for all models at once: OpenAI's list has no pages."""
    path, _, query = raw_target.partition("?")
    if any(pair.startswith(("pageSize=", "pageToken=")) for pair in query.split("&")):
        return raw_target
    return f"{path}?{query}&pageSize={_PAGE}" if query else f"{path}?pageSize={_PAGE}"


def merged_list(body: bytes) -> bytes | None:
    """Return a list of models for both kinds of clients, or None if ``body`` is not a list.

    The token of the next page stays in the place for Gemini clients.
    """
    document = _object(body)
    models = document.get("models") if document else None
    if document is None or not isinstance(models, list):
        return None
    entries = [_merged(model) for model in models if isinstance(model, dict)]
    return dump({"object": "list", "data": entries, **document, "models": entries})


def merged_entry(body: bytes) -> bytes | None:
    """Return one model for both kinds of clients, or None if ``body`` is not a model."""
    model = _object(body)
    if model is None or not isinstance(model.get("name"), str):
        return None
    return dump(_merged(model))


def _merged(model: Json) -> Json:
    """Return an entry with OpenAI's fields; Google gives no time of creation."""
    name = str(model.get("name", "")).removeprefix("models/")
    return {"id": name, "object": "model", "created": 0, "owned_by": "google", **model}


def _object(body: bytes) -> Json | None:
    try:
        document = loads(body)
    except Undecodable:
        return None
    return document if isinstance(document, dict) else None
