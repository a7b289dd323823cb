"""The routes of the fake Gemini, and Google's error bodies.

Any version segment and any base path before it are accepted, because a client's base URL may have
one. A model may be named as gateways and Vertex AI name it: with a slash or a colon, by its
publisher or its endpoint. A path without a route gets Google's 404.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self
from urllib.parse import unquote

import attrs

from gemproxy.chaos.conversation import texts_of, turns_of
from gemproxy.chaos.delivery import Reply
from gemproxy.chaos.frames import tokens
from gemproxy.chaos.framing import Framing, Style
from gemproxy.chaos.refusals import Refusal
from gemproxy.chaos.wire import Request
from gemproxy.core.errors import status_payload
from gemproxy.core.repair.request import look_up

_ROUTE = re.compile(
    r"/(?P<version>v\d\w*)/(?:projects/.*/)?(?:models|tunedModels|dynamic|endpoints)"
    r"(?:/(?P<model>.+?)(?::(?P<method>\w+))?)?/?$"
)
_GENERATE = ("generateContent", "streamGenerateContent")
_COUNTED = (*_GENERATE, "embedContent", "batchEmbedContents")
_COUNTED_PATHS = ("/interactions", "/openai/chat/completions", "/openai/embeddings")


@attrs.frozen
class Route:
    """The route of a request; ``model`` is empty for the list, ``method`` for an entry."""

    version: str
    model: str
    method: str

    @property
    def generates(self) -> bool:
        """Whether this is a generation, which follows the script."""
        return self.method in _GENERATE


def route_of(request: Request) -> Route | None:
    """Return the route of the request, None if there is none."""
    match = _ROUTE.search(unquote(request.path))
    if match is None:
        return None
    route = Route(match["version"], match["model"] or "", match["method"] or "")
    wanted = "POST" if route.method else "GET"
    known = route.method in ("", "countTokens", *_GENERATE)
    return route if known and request.method == wanted else None


def model_of(request: Request) -> str:
    """Return the model whose quota counts a request; empty if none does.

    Generations, embeddings, interactions and chats of the OpenAI layer are counted.
    """
    if request.method != "POST":
        return ""
    route = _ROUTE.search(unquote(request.path))
    if route is not None:
        return (route["model"] or "") if route["method"] in _COUNTED else ""
    if not request.path.endswith(_COUNTED_PATHS):
        return ""
    named = request.document.get("model") or request.document.get("agent") or ""
    return str(named).removeprefix("models/")


def framing_of(request: Request, route: Route | None, line_end: str = "\r\n") -> Framing:
    """Return the form that the request asks for."""
    if route is None or route.method != "streamGenerateContent":
        return Framing(Style.UNARY)
    query = request.query
    alt, *options = query.get("$alt", query.get("alt", "")).split(";")
    style = Style.SSE if alt == "sse" else Style.ARRAY
    return Framing(style, line_end, "enum-encoding=int" in options)


class Refused(Exception):
    """A request that gets an error; ``violation``: a correct client never sends it.

    ``code`` is the google.rpc code if it is not the status's usual one.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        violation: bool = False,
        code: str | None = None,
        details: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.violation = violation
        self.code = code
        self.details = details

    def reply(self, framing: Framing) -> Reply:
        """Return the error in Google's form."""
        payload = status_payload(self.status, self.message, code=self.code)
        if self.details:
            payload["error"]["details"] = list(self.details)
        headers = (("Content-Type", framing.content_type),)
        return Reply(self.status, headers, (framing.rejection(payload),))

    @classmethod
    def by(cls, refusal: Refusal) -> Self:
        """Return the exception for a refusal in Google's words."""
        return cls(refusal.status, refusal.message, code=refusal.code, details=refusal.details)


def checked_route(request: Request, is_known: Callable[[str], bool]) -> Route:
    """Return the route of a request that can be answered; raise Refused.

    ``is_known`` returns whether there is a script for a model.
    """
    route = route_of(request)
    if route is None:
        raise Refused(404, "The requested URL was not found on this server.")
    check_credential(request)
    if route.model and not is_known(route.model):
        place = f"API version {route.version}"
        raise Refused(404, f"models/{route.model} is not found for {place}.")
    if route.method and not turns_of(inner_request(request.document)):
        raise Refused(400, "The request has no contents.", violation=True)
    return route


def check_credential(request: Request) -> None:
    """Raise Refused unless a request has exactly one credential.

    A key in the query is refused, because it ends up in logs; clients must send it in a header.
    """
    if {"key", "access_token", "oauth_token"} & set(request.query):
        message = "The credential came in the query; send it as x-goog-api-key."
        raise Refused(400, message, violation=True)
    count = len(request.values("x-goog-api-key")) + len(request.values("authorization"))
    if count == 0:
        raise Refused(403, "Method doesn't allow unregistered callers. Send x-goog-api-key.")
    if count > 1:
        message = "Multiple authentication credentials received. Send one."
        raise Refused(400, message, violation=True)


def unary_reply(route: Route, request: Request, models: Iterable[str]) -> Reply:
    """Return the answer to a request other than a generation: a list, an entry, a count."""
    if route.method:
        return json_reply(token_count(request.document))
    return json_reply(model_entry(route.model) if route.model else model_list(models))


def error_reply(status: int, message: str, framing: Framing) -> Reply:
    """Return an error in Google's form."""
    return Refused(status, message).reply(framing)


def json_reply(document: Mapping[str, Any]) -> Reply:
    """Return a unary answer."""
    framing = Framing(Style.UNARY)
    body = framing.frame(document, first=True)
    return Reply(200, (("Content-Type", framing.content_type),), (body,))


def inner_request(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the generateContentRequest that :countTokens may wrap, else the body itself."""
    inner = look_up(dict(document), "generateContentRequest")
    return inner if isinstance(inner, dict) else document


def prompt_tokens(document: Mapping[str, Any]) -> int:
    """Return the promptTokenCount of a request body: its text, at four characters a token."""
    document = inner_request(document)
    system = look_up(dict(document), "systemInstruction")
    conversation = turns_of(document) + turns_of({"contents": system})
    return max(1, tokens(len(texts_of(conversation))))


def token_count(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the answer to :countTokens."""
    count = prompt_tokens(document)
    details = [{"modality": "TEXT", "tokenCount": count}]
    return {"totalTokens": count, "promptTokensDetails": details}


def model_list(names: Iterable[str]) -> Mapping[str, Any]:
    """Return the answer to a list of models."""
    return {"models": [model_entry(name) for name in names]}


def model_entry(name: str) -> Mapping[str, Any]:
    """Return the API's entry of one model."""
    return {
        "name": f"models/{name}",
        "version": "1",
        "displayName": name,
        "description": "Answers by script.",
        "inputTokenLimit": 1048576,
        "outputTokenLimit": 65536,
        "supportedGenerationMethods": [*_GENERATE, "countTokens"],
    }
