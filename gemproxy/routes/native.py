"""A request of OpenAI's clients as the request to Gemini's own API that answers it.

Its target, its body and its headers are ours. Few headers of the client go up, those that Gemini's
API has a meaning for: OpenAI's own (``OpenAI-Organization``, ``OpenAI-Beta``, ``X-Stainless-*``)
say who the client is at another company, and would be read by nobody.

A client's own Gemini key goes up as ``x-goog-api-key``, whatever its form is: OpenAI's SDKs have one
place for a key, the Bearer token. Only what is known as a token of Google's stays one.
"""

from urllib.parse import quote

import attrs
from multidict import CIMultiDict

from gemproxy.core.errors import BadField
from gemproxy.exchange.credential import AUTHORIZATION, of_openai
from gemproxy.exchange.deadline import HEADER as DEADLINE
from gemproxy.exchange.exchange import Exchange

_PASSED = (
    DEADLINE,
    "traceparent",
    "tracestate",
    "x-goog-user-project",
)
"""Headers of the client that go up."""
_COLLECTIONS = ("tunedModels/", "models/")
_VERSION = "v1beta"


def native(exchange: Exchange, model: str, method: str) -> Exchange:
    """Return the exchange for a ``method`` of a model, with a body in JSON.

    ``model`` may have its collection in front. Raises BadField for a name that cannot stand in a
    path.
    """
    return _towards(exchange, f"/{_VERSION}/{_in_path(model)}:{method}", "POST")


def native_list(exchange: Exchange, query: str) -> Exchange:
    """Return the exchange for a page of Gemini's list of models."""
    return _towards(exchange, f"/{_VERSION}/models?{query}", "GET")


def _towards(exchange: Exchange, target: str, method: str) -> Exchange:
    headers = CIMultiDict(
        (name, exchange.headers[name]) for name in _PASSED if name in exchange.headers
    )
    if method == "POST":
        headers["Content-Type"] = "application/json"
    credential = of_openai(exchange.headers, exchange.target.credential)
    if credential is not None:
        headers[credential.header] = credential.value
    towards = exchange.towards(target)
    return attrs.evolve(towards, method=method, headers=headers, due=exchange.deadline)


def _in_path(model: str) -> str:
    """Return a model with its collection, as it stands in a path."""
    collection = next((one for one in _COLLECTIONS if model.startswith(one)), "models/")
    name = model.removeprefix(collection)
    if not name.strip("/. ") or ".." in name.split("/"):
        raise BadField("model", "is no name of a model")
    return collection + quote(name, safe="/")
