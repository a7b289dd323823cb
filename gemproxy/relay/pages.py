"""Error answers that no SDK can read: they are told again as Google tells errors.

A gateway on the way to Gemini answers with a page of HTML or with a line of text when Gemini is
not to be reached. SDKs look for a google.rpc.Status in JSON; what else they are given ends up
as a parser's complaint, or as markup in a message. A bare ``null``, number or string is JSON, but
an SDK shows nothing of it but "None". Objects and lists pass byte for byte, Google's own errors
first of all, and so does an answer without a body.
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
    """An error answer as the client gets it."""

    status: int
    headers: Mapping[str, str]
    body: bytes = attrs.field(repr=False)


def is_of_gemini(path: str) -> bool:
    """Tell the path of a resource of the Gemini API, whose clients read google.rpc.Status."""
    return "/openai/" not in path and _GEMINI.search(path) is not None


def may_be_unreadable(status: int, headers: Mapping[str, str]) -> bool:
    """Tell an error answer whose head names another type than JSON."""
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
    """Tell a JSON object or list."""
    try:
        return isinstance(json.loads(body), dict | list)
    except (ValueError, RecursionError):
        return False


def _is_json(headers: Mapping[str, str]) -> bool:
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def _is_packed(headers: Mapping[str, str]) -> bool:
    """Tell a body that is compressed: it is judged by its type alone."""
    return headers.get("Content-Encoding", "identity").strip().lower() != "identity"
