"""The rules for a user who may call some models only, beside those of the calls themselves.

Lists of Gemini (``/v1beta/models``) and of Google's layer for OpenAI's clients
(``/v1beta/openai/models``) show the allowed models. A page of a list may become empty; its token
still leads to the next one. An answer that is no list passes unchanged. The entry of another model,
and a cache for another model, are refused.
"""

import re
from functools import partial

from aiohttp import web

from gemproxy.access.models import may_call, require
from gemproxy.accounts.user import OWN, User
from gemproxy.core.answer.chunk import Undecodable, loads
from gemproxy.core.answer.rewrite import dump
from gemproxy.metering.asking import model_in
from gemproxy.relay.unary import Rewrite
from gemproxy.routes.parts import EXCHANGE, USER

_CACHES = re.compile(r"/cachedContents/*$")
_MODELS = re.compile(r"/v\d\w*/+(?:openai/+)?models(?:/+(?P<model>[^:]+?))?/*$")


def only_allowed(request: web.Request, rewrite: Rewrite | None = None) -> Rewrite | None:
    """Return the rewrite of an answer about models for the request's user.

    ``rewrite`` is that for every user, and the result where nothing is to be left out. Raises
    Forbidden for the entry of a model that the user may not call.
    """
    user = request.get(USER, OWN)
    found = _MODELS.search(request[EXCHANGE].path) if user.models else None
    if found is None:
        return rewrite
    if found["model"]:
        require(user, found["model"])
        return rewrite
    return partial(_filtered, user, rewrite)


def check_cache(request: web.Request, body: bytes) -> None:
    """Raise Forbidden for a new cache whose model the request's user may not call."""
    user, exchange = request.get(USER, OWN), request[EXCHANGE]
    if user.models and exchange.method == "POST" and _CACHES.search(exchange.path):
        require(user, model_in(body))


def _filtered(user: User, rewrite: Rewrite | None, body: bytes) -> bytes | None:
    """Return a list without the models that a user may not call, None if it is none."""
    told = rewrite(body) if rewrite is not None else None
    try:
        document = loads(body if told is None else told)
    except Undecodable:
        return told
    if not isinstance(document, dict):
        return told
    for name, field in (("models", "name"), ("data", "id")):
        if isinstance(document.get(name), list):
            document[name] = [
                entry
                for entry in document[name]
                if isinstance(entry, dict) and may_call(user, str(entry.get(field, "")))
            ]
    return dump(document)
