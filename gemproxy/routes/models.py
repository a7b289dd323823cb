"""``GET /v1/models`` and ``/v1/models/{m}``, in one form that Gemini and OpenAI clients read.

Both kinds of clients request the same path: Google's SDKs from major version 3 on, and OpenAI's
with a base URL that ends in ``/v1``. ``openai.catalogue`` has the form. For a client of Gemini's,
any other answer, an error or a partial one, passes unchanged, and so does ``/v1beta/models``.

A client of OpenAI's knows no pages: it gets those of the upstream joined, and errors of its own
dialect. Behind an access key the last list that came serves while no key of the pool can.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from aiohttp import web
from multidict import CIMultiDict

from gemproxy.access.models import may_call, require
from gemproxy.accounts.user import OWN
from gemproxy.core.answer.chunk import Undecodable, loads
from gemproxy.core.answer.rewrite import dump
from gemproxy.core.errors import Unserved, UpstreamFailure, UpstreamRejection
from gemproxy.core.repair.unary import Look
from gemproxy.exchange.exchange import Exchange
from gemproxy.openai.catalogue import Catalogue, merged, pages_joined
from gemproxy.relay.bodies import Body
from gemproxy.routes.addressing import passed_down
from gemproxy.routes.allowed import only_allowed
from gemproxy.routes.calling import call
from gemproxy.routes.documents import Documents
from gemproxy.routes.foreign import is_openai
from gemproxy.routes.native import in_path, plain_get
from gemproxy.routes.parts import CATALOGUE, EXCHANGE, LIVE, USER
from gemproxy.shaping.suffix import split

Json = dict[str, Any]

_PAGE = 1000
"""The largest page that Google gives."""
_PAGED = ("pageSize=", "pageToken=")
_MOST_PAGES = 50
_OF_THE_SERVICE = 500
_JSON = "application/json; charset=UTF-8"


async def handle(request: web.Request) -> web.StreamResponse:
    """Answer with the models, or one of them, in the form of both."""
    exchange, single = request[EXCHANGE], "model" in request.match_info
    if not is_openai(request.headers):
        rewrite = merged_entry if single else merged_list
        return await call(request, exchange, Body(), Look.STATUS, only_allowed(request, rewrite))
    return await (_entry(request) if single else _list(request))


async def _list(request: web.Request) -> web.Response:
    """Answer a client of OpenAI's with all models that it may call."""
    documents = Documents(request, "list of models")
    headers: Mapping[str, str] = {}
    try:
        pages = await _pages(request, documents)
        catalogue, headers = pages_joined(pages), documents.headers
        rest = {name: value for name, value in pages[-1].items() if name != "models"}
        if request[EXCHANGE].account.access and not rest:
            request.app[CATALOGUE].keep(catalogue)
    except (Unserved, UpstreamFailure) as error:
        catalogue, rest = _kept(request, error), {}
    finally:
        request[EXCHANGE].account.result = documents.result()
    user, ways = request.get(USER, OWN), request[LIVE].ways
    allowed = catalogue.of(lambda model: may_call(user, model))
    aliases = {alias: model for alias, model in ways.aliases.items() if may_call(user, model)}
    told = allowed.told(aliases, rest, suffixes=ways.suffixes)
    return web.Response(body=dump(told), headers=_head(request, headers))


async def _pages(request: web.Request, documents: Documents) -> list[Json]:
    """Return the pages that a request asks for: all, where it does not ask for one."""
    exchange = request[EXCHANGE]
    target = _of_pages(exchange)
    pages = [await _page(exchange, documents, whole_list(target))]
    tokens = {""}
    while not _is_paged(target) and len(pages) < _MOST_PAGES:
        token = str(pages[-1].get("nextPageToken") or "")
        if token in tokens:
            break
        tokens.add(token)
        pages.append(await _page(exchange, documents, whole_list(target, token)))
    return pages


async def _page(exchange: Exchange, documents: Documents, target: str) -> Json:
    page = await documents.fetch(plain_get(exchange, target))
    if not isinstance(page.get("models"), list):
        raise UpstreamFailure("Gemini answered with something that is no list of models.")
    return page


async def _entry(request: web.Request) -> web.Response:
    """Answer a client of OpenAI's with one model, under the name that it asked for."""
    exchange, ways = request[EXCHANGE], request[LIVE].ways
    asked = request.match_info["model"].removeprefix("models/")
    name = ways.aliases.get(asked, asked)
    if ways.suffixes:
        name, _ = split(name)
    require(request.get(USER, OWN), name)
    documents = Documents(request, "model")
    headers: Mapping[str, str] = {}
    try:
        model = await documents.fetch(plain_get(exchange, f"/v1/{in_path(name)}"))
        entry, headers = merged(model), documents.headers
    except (Unserved, UpstreamFailure) as error:
        found = _kept(request, error).find(name)
        if found is None:
            raise
        entry = found
    finally:
        exchange.account.result = documents.result()
    return web.Response(body=dump({**entry, "id": asked}), headers=_head(request, headers))


def _kept(request: web.Request, error: Unserved | UpstreamFailure) -> Catalogue:
    """Return the last list that came; raise the error where none may stand for the answer."""
    kept = request.app[CATALOGUE].last if request[EXCHANGE].account.access else None
    refused = isinstance(error, UpstreamRejection) and error.rejected_with < _OF_THE_SERVICE
    if kept is None or refused:
        raise error
    return kept


def _of_pages(exchange: Exchange) -> str:
    """Return the target of a list with what it asks about pages; Google refuses other fields."""
    pairs = [pair for pair in exchange.raw_query.split("&") if pair.startswith(_PAGED)]
    return f"/v1/models?{'&'.join(pairs)}" if pairs else "/v1/models"


def _head(request: web.Request, headers: Mapping[str, str]) -> CIMultiDict[str]:
    """Return the headers of an answer, with those of the upstream's if it is from there."""
    head = passed_down(request, headers)
    head["Content-Type"] = _JSON
    return head


def whole_list(raw_target: str, token: str = "") -> str:
    """Return the target that asks for as many models as a page has, behind the ``token`` of one.

    A target that asks for a page of its own is returned as it is.
    """
    if _is_paged(raw_target):
        return raw_target
    path, _, query = raw_target.partition("?")
    pairs = [pair for pair in (query, f"pageSize={_PAGE}") if pair]
    if token:
        pairs.append(f"pageToken={quote(token, safe='')}")
    return f"{path}?{'&'.join(pairs)}"


def _is_paged(raw_target: str) -> bool:
    pairs = raw_target.partition("?")[2].split("&")
    return any(pair.startswith(_PAGED) for pair in pairs)


def merged_list(body: bytes) -> bytes | None:
    """Return a list of models for both kinds of clients, or None if ``body`` is not a list.

    The token of the next page stays in the place for Gemini clients.
    """
    document = _object(body)
    models = document.pop("models", None) if document else None
    if document is None or not isinstance(models, list):
        return None
    catalogue = Catalogue(tuple(model for model in models if isinstance(model, dict)))
    return dump(catalogue.told({}, document))


def merged_entry(body: bytes) -> bytes | None:
    """Return one model for both kinds of clients, or None if ``body`` is not a model."""
    model = _object(body)
    if model is None or not isinstance(model.get("name"), str):
        return None
    return dump(merged(model))


def _object(body: bytes) -> Json | None:
    try:
        document = loads(body)
    except Undecodable:
        return None
    return document if isinstance(document, dict) else None
