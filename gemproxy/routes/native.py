"""A request of OpenAI's clients as the request to Gemini's own API that answers it.

Its target, its body and its headers are ours. Few headers of the client go up, those that Gemini's
API has a meaning for: OpenAI's own (``OpenAI-Organization``, ``OpenAI-Beta``, ``X-Stainless-*``)
say who the client is at another company, and would be read by nobody.

A client's own Gemini key goes up as ``x-goog-api-key``, whatever its form is: OpenAI's SDKs have
one place for a key, the Bearer token. Only what is known as a token of Google's stays one.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import attrs
from multidict import CIMultiDict

from gemproxy.core.errors import BadField, BadRequest, UpstreamFailure, UpstreamRejection
from gemproxy.core.repair.request import Unreadable, parse_strictly
from gemproxy.core.repair.verdict import retry_delay_of_body
from gemproxy.exchange.credential import of_openai
from gemproxy.exchange.deadline import HEADER as DEADLINE
from gemproxy.exchange.exchange import Exchange
from gemproxy.relay.headers import retry_after
from gemproxy.relay.pages import Refusal

_PASSED = (
    DEADLINE,
    "x-goog-user-project",
)
"""Headers of the client that go up."""
_PASSED_DOWN = ("Retry-After", "x-gemini-service-tier")
"""Headers of the upstream that the client gets."""
_ERRORS = 400
_COLLECTIONS = ("tunedModels/", "models/")
_VERSION = "v1beta"


def document_of(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a request; raise BadRequest where it could be read in two ways."""
    try:
        return parse_strictly(body)
    except Unreadable:
        raise BadRequest(
            "The request body must be one JSON object in UTF-8, in which no name is there twice"
            " and every number is finite."
        ) from None


def passed_to_openai(content_type: str, headers: Mapping[str, str]) -> CIMultiDict[str]:
    """Return the headers of an answer in OpenAI's dialect."""
    passed = CIMultiDict({"Content-Type": content_type})
    passed.extend((name, headers[name]) for name in _PASSED_DOWN if name in headers)
    return passed


def retold(refusal: Refusal) -> UpstreamFailure:
    """Return the upstream's error answer as an error, which the client's voice words."""
    if refusal.status < _ERRORS:
        return UpstreamFailure(f"The upstream answered with status {refusal.status}.")
    asked = retry_delay_of_body(refusal.body)
    after = retry_after(refusal.headers) if asked is None else asked
    return UpstreamRejection(refusal.status, refusal.body, after)


def native(exchange: Exchange, model: str, method: str) -> Exchange:
    """Return the exchange for a ``method`` of a model, with a body in JSON.

    ``model`` may have its collection in front. Raises BadField for a name that cannot stand in a
    path.
    """
    return _towards(exchange, f"/{_VERSION}/{in_path(model)}:{method}", "POST")


def plain_get(exchange: Exchange, target: str) -> Exchange:
    """Return the exchange that reads a target of Gemini's."""
    return _towards(exchange, target, "GET")


def _towards(exchange: Exchange, target: str, method: str) -> Exchange:
    headers = CIMultiDict(
        (name, exchange.headers[name]) for name in _PASSED if name in exchange.headers
    )
    if method == "POST":
        headers["Content-Type"] = "application/json"
    own = not exchange.account.access
    credential = of_openai(exchange.headers, exchange.target.credential) if own else None
    if credential is not None:
        headers[credential.header] = credential.value
    towards = exchange.towards(target)
    return attrs.evolve(towards, method=method, headers=headers, due=exchange.deadline)


def in_path(model: str) -> str:
    """Return a model with its collection, as it stands in a path; raise BadField for no name."""
    collection = next((one for one in _COLLECTIONS if model.startswith(one)), "models/")
    name = model.removeprefix(collection)
    if not name.strip("/. ") or ".." in name.split("/"):
        raise BadField("model", "is no name of a model")
    return collection + quote(name, safe="/")
