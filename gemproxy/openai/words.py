"""An error in the words of OpenAI: from a google.rpc error body to OpenAI's error object.

    {"error": {"message", "type", "param", "code", "request_id"}}

The status decides ``type`` and ``code``. Details of google.rpc are more exact where they are there:
the field of BadRequest is the ``param``, and the reason of ErrorInfo is the ``code``. The message
is kept, with anything in it that looks like a Google key masked: Google's own text about a
suspended project shows the key.

Sources: https://platform.openai.com/docs/guides/error-codes for OpenAI's words,
https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto for the details.
OpenAI's SDKs choose the class of the exception by the HTTP status alone.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from gemproxy.core.errors import details_of
from gemproxy.core.repair.refusals import lasts
from gemproxy.core.repair.verdict import error_status
from gemproxy.core.wire.sse import event

Json = dict[str, Any]

_INVALID = "invalid_request_error"
_SERVER = "server_error"

WORDS: Mapping[int, tuple[str, str | None]] = {
    400: (_INVALID, None),
    401: (_INVALID, "invalid_api_key"),
    402: ("insufficient_quota", "insufficient_quota"),
    403: ("permission_error", "permission_denied"),
    404: (_INVALID, "model_not_found"),
    408: ("timeout_error", "request_timeout"),
    409: (_INVALID, "conflict"),
    410: (_INVALID, "gone"),
    413: (_INVALID, "request_too_large"),
    415: (_INVALID, "unsupported_media_type"),
    422: (_INVALID, "idempotency_key_reused"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    499: (_SERVER, "cancelled"),
    500: (_SERVER, "internal_error"),
    501: (_SERVER, "not_implemented"),
    502: (_SERVER, "bad_gateway"),
    503: (_SERVER, "service_unavailable"),
    504: (_SERVER, "timeout"),
}
"""HTTP status -> ``type`` and ``code``."""

_OUT_OF_QUOTA = ("insufficient_quota", "insufficient_quota")

_REASONS: Mapping[str, str] = {
    "API_KEY_INVALID": "invalid_api_key",
    "ACCESS_TOKEN_TYPE_UNSUPPORTED": "invalid_api_key",
    "ACCESS_TOKEN_EXPIRED": "invalid_api_key",
    "CREDENTIALS_MISSING": "invalid_api_key",
}
"""Reasons of Google's for which OpenAI has a word; any other one is the ``code`` in lower case."""

HEARTBEAT = b": keep-alive\n\n"
"""Keeps a stream warm: every SDK of OpenAI's skips SSE comments."""

_EVENT_END = b"\n\n"

_KEY = re.compile(r"(?:AIza|(?<![A-Za-z0-9])(?:AQ|ya29)\.)[\w.-]{8,}")
_MASK = "(key hidden)"
_TOO_MANY = 429
_CLIENT_ERRORS = range(400, 500)


def told(payload: Mapping[str, Any]) -> Json:
    """Return a google.rpc error body in OpenAI's form; one without a message gets an empty one."""
    error = payload.get("error")
    error = error if isinstance(error, dict) else {"message": str(error or "")}
    kind, code = _words(error)
    message = error.get("message")
    worded: Json = {
        "message": _KEY.sub(_MASK, message) if isinstance(message, str) else "",
        "type": kind,
        "param": _detail(error, "BadRequest", _field),
        "code": _detail(error, "ErrorInfo", _reason) or code,
    }
    request_id = _detail(error, "RequestInfo", _request_id)
    return {"error": worded if request_id is None else {**worded, "request_id": request_id}}


def body(payload: Mapping[str, Any]) -> bytes:
    """Return a google.rpc error body as the body of an answer of OpenAI's."""
    return json.dumps(told(payload)).encode()


def as_event(payload: Mapping[str, Any]) -> bytes:
    """Return a google.rpc error body as an event in a stream of OpenAI's."""
    return event(body(payload), b"\n")


def last_words(payload: Mapping[str, Any], tail: bytes) -> bytes:
    """Return the error as the last event of a stream of which ``tail`` went out last.

    Within an event it would be read as the rest of that, so there it is empty.
    """
    return b"" if tail and not tail.endswith(_EVENT_END) else as_event(payload)


def _words(error: Mapping[str, Any]) -> tuple[str, str | None]:
    status = error_status(error)
    if is_out_of_quota(error):
        return _OUT_OF_QUOTA
    other = (_INVALID, None) if status in _CLIENT_ERRORS else (_SERVER, "internal_error")
    return WORDS.get(status, other)


def is_out_of_quota(error: Mapping[str, Any]) -> bool:
    """Return whether a quota is used up for the day, or there is none for the model.

    ``error`` is a google.rpc.Status. No short wait helps, whatever RetryInfo says.
    """
    return error_status(error) == _TOO_MANY and lasts(error)


def _detail(error: Mapping[str, Any], kind: str, find: Any) -> str | None:  # noqa: ANN401
    """Return the first word that ``find`` takes from details of this ``kind``."""
    words = (find(detail) for detail in details_of(error, kind))
    return next((word for word in words if isinstance(word, str) and word), None)


def _field(detail: Mapping[str, Any]) -> object:
    violations = _list(detail.get("fieldViolations"))
    return violations[0].get("field") if violations else None


def _reason(detail: Mapping[str, Any]) -> str | None:
    reason = detail.get("reason")
    if not isinstance(reason, str):
        return None
    return _REASONS.get(reason, reason if detail.get("domain") == "gemproxy" else reason.lower())


def _request_id(detail: Mapping[str, Any]) -> object:
    return detail.get("requestId")


def _list(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
