"""Requests at paths that OpenAI's API and Gemini's share, and who sent them.

Gemini's files, batches and models are at the same paths below ``/v1``. OpenAI's SDKs are known by
their headers; other clients of that dialect by the place of their key.
"""

import re
from collections.abc import Mapping

from aiohttp import web

from gemproxy.core.errors import Unrouted, WrongMethod
from gemproxy.exchange.credential import API_KEY, AUTHORIZATION

_FAMILIES = frozenset({"chat", "embeddings", "drawing", "edits", "refused"})
_MODELS = frozenset({"models", "model"})
_OTHERS = frozenset({"fetch", "passthrough"})
"""Routes by their names in the table."""
_READING = frozenset({"GET", "HEAD"})
_BEGINNINGS = ("v1/files", "v1/batches", "v1/models", "v1//")
_MODEL = re.compile(r"/*v1/+models(?:/+[^/:]+)?/*\Z")
_SHARED = re.compile(r"/*v1/+(?:files|batches)(?:/.*)?/*\Z", re.DOTALL)


def of_an_openai_sdk(headers: Mapping[str, str]) -> bool:
    """Return whether a request comes from one of OpenAI's own SDKs."""
    return any(name.lower().startswith("x-stainless-") for name in headers)


def is_openai(headers: Mapping[str, str]) -> bool:
    """Return whether a request comes from an OpenAI client."""
    return of_an_openai_sdk(headers) or (AUTHORIZATION in headers and API_KEY not in headers)


def speaks_openai(request: web.Request, family: str) -> bool:
    """Return whether the client of a request of a family of routes reads OpenAI's errors."""
    if family in _FAMILIES:
        return True
    if family in _MODELS:
        return is_openai(request.headers)
    return family in _OTHERS and is_foreign(request)


def is_foreign(request: web.Request) -> bool:
    """Return whether a request at a path of both means OpenAI's and not Gemini's."""
    path = request.path
    if not path.lstrip("/").startswith(_BEGINNINGS):
        return False
    if _MODEL.match(path):
        return request.method not in _READING and is_openai(request.headers)
    if not _SHARED.match(path):
        return False
    creates = request.method == "POST" and ":" not in request.path
    return creates or of_an_openai_sdk(request.headers)


def refuse_foreign(request: web.Request) -> None:
    """Raise what refuses a request that would be read as one of Gemini's and is OpenAI's.

    OpenAI's SDKs can delete a model; Gemini has no such method.
    """
    if not is_foreign(request):
        return
    if _MODEL.match(request.path):
        raise WrongMethod("Models are read only: /v1/models takes GET.", "GET", "HEAD")
    raise Unrouted("Files and batches are not supported for clients of OpenAI.")
