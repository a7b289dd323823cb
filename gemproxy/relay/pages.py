"""Replaces error answers that no SDK can read by errors in Google's form.

A gateway on the way to Gemini answers with an HTML page or a line of text if it cannot reach
Gemini. SDKs expect a google.rpc.Status in JSON; other answers become a parser's error, or markup in
a message. A bare ``null``, number or string is JSON, but an SDK shows it only as "None". Objects
and lists pass byte for byte, including Google's own errors, and so does an answer without a body.
"""

import json
import re
from collections.abc import Mapping

import attrs
from multidict import CIMultiDict

from gemproxy.core.errors import status_payload
from gemproxy.voices.voice import Asides

_ERRORS = 400
_OF_THE_BODY = ("Content-Type", "Content-Length", "Content-Encoding", "ETag", "Last-Modified")
_GEMINI = re.compile(
    r"/v\d\w*/(?:.*/)?(?:models|tunedModels|dynamic|endpoints|cachedContents|files"
    r"|fileSearchStores|corpora|batches|operations|interactions)(?:[/:]|$)"
)


@attrs.frozen
class Refusal:
    """An error answer for the client."""

    status: int
    headers: Mapping[str, str]
    body: bytes = attrs.field(repr=False)


def is_of_gemini(path: str) -> bool:
    """Return whether a path belongs to the Gemini API, whose clients read google.rpc.Status."""
    return "/openai/" not in path and _GEMINI.search(path) is not None


def may_be_unreadable(status: int, headers: Mapping[str, str]) -> bool:
    """Return whether an error answer has another Content-Type than JSON."""
    return status >= _ERRORS and not _is_json(headers)


def readable(refusal: Refusal, request_id: str | None, voice: Asides) -> Refusal:
    """Return an error answer that the client's SDK can read."""
    status, headers, body = refusal.status, refusal.headers, refusal.body
    if status < _ERRORS or not body:
        return refusal
    if _is_json(headers) if _is_packed(headers) else _holds_a_document(body):
        return refusal
    message = f"The upstream answered with status {status}, and not in JSON."
    payload = status_payload(status, message, request_id=request_id)
    told = CIMultiDict(headers)
    for name in _OF_THE_BODY:
        told.popall(name, None)
    told["Content-Type"] = "application/json; charset=UTF-8"
    return Refusal(status, told, voice.refusal(payload))


def _holds_a_document(body: bytes) -> bool:
    """Return whether a body is a JSON object or list."""
    try:
        return isinstance(json.loads(body), dict | list)
    except (ValueError, RecursionError):
        return False


def _is_json(headers: Mapping[str, str]) -> bool:
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def _is_packed(headers: Mapping[str, str]) -> bool:
    """Return whether a body is compressed; then only its type counts."""
    return headers.get("Content-Encoding", "identity").strip().lower() != "identity"
