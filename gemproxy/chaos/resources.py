"""Other resources of Gemini: caches, batches, embeddings.

    /{version}/cachedContents[/{id}]                      create, list, get, patch, delete
    POST /{version}/models/{model}:batchGenerateContent    a batch, as a long-running operation
    /{version}/batches[/{id}][:cancel]                     list, get, cancel, delete
    POST /{version}/models/{model}:embedContent            and :batchEmbedContents

Ids are counted. A batch never runs: it stays pending until it is cancelled.
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from gemproxy.chaos.api import Refused, check_credential, json_reply, prompt_tokens
from gemproxy.chaos.conversation import texts_of, turns_of
from gemproxy.chaos.delivery import Reply
from gemproxy.chaos.paging import page
from gemproxy.chaos.wire import Request

Json = dict[str, Any]

_KEPT = re.compile(
    r"/v\d\w*/(?P<kind>cachedContents|batches)(?:/(?P<id>[^/:]+))?(?P<cancel>:cancel)?$"
)
_METHOD = re.compile(
    r"/v\d\w*/models/(?P<model>[^/:]+):(?P<method>batchGenerateContent|embedContent|batchEmbedContents)$"
)
_PAGE = 50
_CREATED = "2026-01-01T00:00:00Z"
_EXPIRES = "2026-01-01T01:00:00Z"
_DIMENSIONS = 8
_PACKAGE = "google.ai.generativelanguage.v1main"


@attrs.define(eq=False)
class Resources:
    """The caches and batches of one project, by name; the ids are counted by ``numbers``."""

    caches: dict[str, Json] = attrs.field(factory=dict)
    batches: dict[str, Json] = attrs.field(factory=dict)
    numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1), repr=False)

    def answer(self, request: Request) -> Reply | None:
        """Return the answer to a request for these APIs, None for any other; raise Refused."""
        kept, method = _KEPT.search(request.path), _METHOD.search(request.path)
        if kept is not None:
            check_credential(request)
            return json_reply(self._kept(request, *kept.group("kind", "id", "cancel")))
        if method is not None and request.method == "POST":
            check_credential(request)
            return json_reply(self._computed(method["model"], method["method"], request))
        return None

    def _kept(
        self,
        request: Request,
        kind: str,
        key: str | None,
        cancel: str | None,
    ) -> Mapping[str, Any]:
        if key is None:
            return self._collection(kind, request)
        return self._one(f"{kind}/{key}", request, cancels=cancel is not None)

    def _computed(self, model: str, method: str, request: Request) -> Mapping[str, Any]:
        if method == "embedContent":
            return {"embedding": embedding(request.document)}
        if method == "batchEmbedContents":
            asked = request.document.get("requests", [])
            return {"embeddings": [embedding(one) for one in asked]}
        return self._batch(model, request.document.get("batch", {}))

    def _batch(self, model: str, asked: Mapping[str, Any]) -> Json:
        name = self._name("batches")
        self.batches[name] = {
            "name": name,
            "metadata": {
                "@type": f"type.googleapis.com/{_PACKAGE}.GenerateContentBatch",
                "model": f"models/{model}",
                "displayName": asked.get("displayName", ""),
                "state": "BATCH_STATE_PENDING",
                "createTime": _CREATED,
                "updateTime": _CREATED,
                "name": name,
            },
        }
        return self.batches[name]

    def _collection(self, kind: str, request: Request) -> Mapping[str, Any]:
        if request.method == "GET" and kind == "batches":
            return page(request, "operations", list(self.batches.values()), _PAGE)
        if request.method == "GET":
            return page(request, "cachedContents", list(self.caches.values()), _PAGE)
        if request.method != "POST" or kind == "batches":
            raise Refused(404, "The requested URL was not found on this server.")
        asked = request.document
        name = self._name("cachedContents")
        self.caches[name] = {
            "name": name,
            "model": asked.get("model", ""),
            "displayName": asked.get("displayName", ""),
            "createTime": _CREATED,
            "updateTime": _CREATED,
            "expireTime": _EXPIRES,
            "usageMetadata": {"totalTokenCount": prompt_tokens(asked)},
        }
        return self.caches[name]

    def _one(self, name: str, request: Request, *, cancels: bool) -> Mapping[str, Any]:
        held = self.batches if name.startswith("batches/") else self.caches
        if name not in held:
            raise Refused(404, f"{name} was not found.")
        if cancels:
            held[name]["metadata"]["state"] = "BATCH_STATE_CANCELLED"
            return {}
        if request.method == "DELETE":
            del held[name]
            return {}
        if request.method == "PATCH":
            held[name] |= {"updateTime": _EXPIRES, **_without_ttl(request.document)}
        return held[name]

    def _name(self, kind: str) -> str:
        return f"{kind}/{next(self.numbers):04d}"


def embedding(document: Mapping[str, Any]) -> Json:
    """Return a vector that depends on the text alone."""
    text = "".join(texts_of(turns_of({"contents": document.get("content")})))
    return {"values": vector(text)}


def vector(text: str) -> list[float]:
    """Return the same few numbers for the same text."""
    values = [float(len(text))]
    values += [
        float(sum(text.encode()[index::_DIMENSIONS]) % 97) for index in range(1, _DIMENSIONS)
    ]
    return values


def _without_ttl(document: Mapping[str, Any]) -> Json:
    return {name: value for name, value in document.items() if name != "ttl"}
