"""The errors of the proxy, as one tree.

    GemproxyError                 500 INTERNAL
    |- BadRequest                 400 INVALID_ARGUMENT      the client's request is not usable
    |  |- BadField                400 INVALID_ARGUMENT      one field of it, which is named
    |  `- Undrawable              400 INVALID_ARGUMENT      its picture is refused for its content
    |- Unauthenticated            401 UNAUTHENTICATED       no access key, or a wrong one
    |- Forbidden                  403 PERMISSION_DENIED     this access key may not call that
    |- NotOwned                   404 NOT_FOUND             a name that this access key did not make
    |- Unrouted                   404 NOT_FOUND             a path that the proxy does not have
    |- WrongMethod                405 UNIMPLEMENTED         a method that the path does not take
    |- Conflict                   409 ABORTED               the present state does not allow it
    |- Gone                       410 OUT_OF_RANGE          what it asks for is not kept any more
    |- Mismatch                   422 INVALID_ARGUMENT      its key belongs to another request
    |- Cancelled                  499 CANCELLED             its owner or the operator ended it
    |- TooSlow                    408 DEADLINE_EXCEEDED     the client sends its body too slowly
    |- TooLarge                   413 INVALID_ARGUMENT      a limit on size was exceeded
    |- Encoded                    415 INVALID_ARGUMENT      a body that must be read is compressed
    |- Misdirected                421 INVALID_ARGUMENT      a host name that is not the proxy's
    |- LimitReached               429 RESOURCE_EXHAUSTED    a limit of an access key, or of all
    |- Busy                       503 UNAVAILABLE           a limit on concurrency was exceeded
    |- Unserved                   503 UNAVAILABLE           no key of the pool serves this request
    |  |- NoKey                   503 UNAVAILABLE           all that could serve are sick or off
    |  |- KeyRefused              503 UNAVAILABLE           a key was refused, and the body is gone
    |  |- Exhausted               429 RESOURCE_EXHAUSTED    all keys that could serve rest
    |  `- LocationRefused         400 FAILED_PRECONDITION   Google does not serve our address
    |- DeadlinePassed             504 DEADLINE_EXCEEDED     the client's deadline has passed
    |- NotContinuable             (never sent) this request or answer cannot be continued as text
    `- UpstreamFailure            502 UNAVAILABLE           Gemini, or the way to it, failed
       |- NoPicture               502 UNAVAILABLE           an answer lacks the picture it is for
       |- Unreachable             503 UNAVAILABLE           no connection could be made
       |- NoFirstByte             504 DEADLINE_EXCEEDED     connected, then silence
       |- Unrepaired              503 UNAVAILABLE           a broken stream that stays broken
       |  `- BadEnding              503 UNAVAILABLE           an ending the client has no word for
       `- UpstreamRejection       (Gemini's own status)     an error answer, passed on as it came

Each class has its HTTP status and its google.rpc code, so every route can answer in its own
dialect without a table of its own.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import attrs

_RECOVERY_SECONDS = 30
_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"

RPC_CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    502: "UNAVAILABLE",  # has no code of its own, like the following
    408: "DEADLINE_EXCEEDED",
    415: "INVALID_ARGUMENT",
    410: "OUT_OF_RANGE",
    417: "INVALID_ARGUMENT",
    421: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
}
"""HTTP status -> google.rpc code, after google/rpc/code.proto. If several statuses share a code,
the first of them is the status of that code."""


class GemproxyError(Exception):
    """The root; ``message`` is shown to the client, so it holds no secret and no content."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "INTERNAL"
    retry_after: ClassVar[int | None] = None
    """Seconds after which a client should ask again, if known."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def headers(self, attempts: int) -> dict[str, str]:
        """Return the headers about retries in an answer with this error.

        ``attempts`` counts the requests to Gemini for this request.
        """
        del attempts
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}

    def payload(self, request_id: str | None = None) -> dict[str, Any]:
        """Return the google.rpc.Status body, with the request id among its details."""
        return status_payload(self.status, self.message, code=self.code, request_id=request_id)


class BadRequest(GemproxyError):
    """The client's request cannot be used."""

    status = 400
    code = "INVALID_ARGUMENT"


class BadField(BadRequest):
    """A field of the client's request cannot be used.

    ``field`` is its path as the client's dialect writes it, ``why`` the rest of a sentence about
    it, ``reason`` a word for programs where the dialect has one.
    """

    def __init__(self, field: str, why: str, *, reason: str | None = None) -> None:
        super().__init__(f"'{field}' {why}.")
        self.field = field
        self.reason = reason

    def payload(self, request_id: str | None = None) -> dict[str, Any]:
        """Return the error with the field in google.rpc.BadRequest, and the word in ErrorInfo."""
        payload = super().payload(request_id)
        violation = {"field": self.field, "description": self.message}
        details = payload["error"].setdefault("details", [])
        details.append({"@type": _BAD_REQUEST, "fieldViolations": [violation]})
        return payload if self.reason is None else _with_reason(payload, self.reason)


class Undrawable(BadRequest):
    """The upstream refuses the content of what was asked for, or of what it drew."""

    def payload(self, request_id: str | None = None) -> dict[str, Any]:
        """Return the error with OpenAI's word for it."""
        return _with_reason(super().payload(request_id), "content_policy_violation")


class Unauthenticated(GemproxyError):
    """The client sent no access key, or a wrong one."""

    status = 401
    code = "UNAUTHENTICATED"

    def headers(self, attempts: int) -> dict[str, str]:
        """Return the scheme of the credential that is missing (RFC 9110 section 15.5.2)."""
        del attempts
        return {"WWW-Authenticate": "Bearer"}


class Forbidden(GemproxyError):
    """The access key may not call what the request names."""

    status = 403
    code = "PERMISSION_DENIED"


class NotOwned(GemproxyError):
    """The request names something that its access key did not make."""

    status = 404
    code = "NOT_FOUND"


class Unrouted(GemproxyError):
    """The proxy has nothing at the path of the request."""

    status = 404
    code = "NOT_FOUND"

    def payload(self, request_id: str | None = None) -> dict[str, Any]:
        """Return the error with a word for programs, as OpenAI has one."""
        return _with_reason(super().payload(request_id), "unknown_url")


class WrongMethod(GemproxyError):
    """The path does not take the method of the request; ``allowed`` are those that it takes."""

    status = 405
    code = "UNIMPLEMENTED"

    def __init__(self, message: str, *allowed: str) -> None:
        super().__init__(message)
        self.allowed = allowed

    def headers(self, attempts: int) -> dict[str, str]:
        """Return the methods that the path takes (RFC 9110 section 15.5.6)."""
        del attempts
        return {"Allow": ", ".join(self.allowed)}

    def payload(self, request_id: str | None = None) -> dict[str, Any]:
        """Return the error with a word for programs, as OpenAI has one."""
        return _with_reason(super().payload(request_id), "method_not_allowed")


class Conflict(GemproxyError):
    """The present state of what the request would change does not allow it."""

    status = 409
    code = "ABORTED"


class Gone(GemproxyError):
    """The request goes on with an answer, or a part of one, that is not kept any more."""

    status = 410
    code = "OUT_OF_RANGE"


class Mismatch(GemproxyError):
    """The request has the Idempotency-Key of another request."""

    status = 422
    code = "INVALID_ARGUMENT"


class TooSlow(GemproxyError):
    """The client sent its request body too slowly."""

    status = 408
    code = "DEADLINE_EXCEEDED"


class Misdirected(GemproxyError):
    """The request names a host that is not known as one of the proxy's."""

    status = 421
    code = "INVALID_ARGUMENT"


class Encoded(GemproxyError):
    """A request body that must be read has a Content-Encoding."""

    status = 415
    code = "INVALID_ARGUMENT"


class TooLarge(GemproxyError):
    """A limit on size was exceeded."""

    status = 413
    code = "INVALID_ARGUMENT"


class Cancelled(GemproxyError):
    """The request was ended by an operator or its owner, or because nobody read its answer.

    No SDK asks again after this status.
    """

    status = 499
    code = "CANCELLED"


class Busy(GemproxyError):
    """A limit on concurrency was exceeded; the client may ask again."""

    status = 503
    code = "UNAVAILABLE"
    retry_after = 1


class LimitReached(GemproxyError):
    """A limit of an access key, or of the whole proxy, is reached.

    ``seconds``: until it may let the request in, None if no wait helps. ``fields`` are the further
    headers, which say the limit, what remains of it, and when it resets. ``brief`` says the same in
    few words, where little room is; else it is the message. ``scope`` is the word for the limit in
    the metrics, one of a few.
    """

    status = 429
    code = "RESOURCE_EXHAUSTED"

    def __init__(
        self,
        message: str,
        seconds: float | None,
        fields: Mapping[str, str] | None = None,
        *,
        brief: str = "",
        scope: str = "other",
    ) -> None:
        super().__init__(message)
        self.scope = scope
        self.seconds = seconds
        self.brief = brief or message
        self.fields = dict(fields or {})

    def headers(self, attempts: int) -> dict[str, str]:
        """Return the wait in whole seconds, and the state of the limit."""
        del attempts
        return {**self.fields, "x-should-retry": "false", **_wait_header(self.seconds)}

    def payload(self, request_id: str | None = None) -> dict[str, Any]:
        """Return the error with the wait in RetryInfo, as Google gives it."""
        return _with_wait(super().payload(request_id), self.seconds)


class Unserved(GemproxyError):
    """No key of the pool serves this request now."""

    status = 503
    code = "UNAVAILABLE"


class Exhausted(Unserved):
    """All keys of the pool that could serve rest.

    ``seconds``: until the first one can again; None if no wait helps, as for a model that is in no
    project's tier.
    """

    status = 429
    code = "RESOURCE_EXHAUSTED"

    def __init__(self, message: str, seconds: float | None) -> None:
        super().__init__(message)
        self.seconds = seconds

    def headers(self, attempts: int) -> dict[str, str]:
        """Return the wait in whole seconds; OpenAI's SDKs must not retry before."""
        del attempts
        return {"x-should-retry": "false", **_wait_header(self.seconds)}

    def payload(self, request_id: str | None = None) -> dict[str, Any]:
        """Return the error with the wait in RetryInfo, as Google gives it."""
        return _with_wait(super().payload(request_id), self.seconds)


class NoKey(Unserved):
    """All keys of the pool that could serve are sick or disabled."""

    def headers(self, attempts: int) -> dict[str, str]:
        """Return that OpenAI's SDKs must not retry: a key is checked again after a while."""
        del attempts
        return {"x-should-retry": "false"}


class KeyRefused(Unserved):
    """The key that served was refused, and the request cannot be made again with another."""

    retry_after = 1

    def __init__(self) -> None:
        super().__init__("Gemini refused the key that served. Send the request again.")


class LocationRefused(Unserved):
    """Google does not serve the address from which the proxy's requests come."""

    status = 400
    code = "FAILED_PRECONDITION"

    def __init__(self) -> None:
        super().__init__(
            "Google refuses this server's location: the Gemini API is not available where the"
            " proxy's requests come from."
        )


class DeadlinePassed(GemproxyError):
    """The client's deadline for an answer has passed."""

    status = 504
    code = "DEADLINE_EXCEEDED"


class NotContinuable(GemproxyError):
    """This request or this answer cannot be continued as text."""


class UpstreamFailure(GemproxyError):
    """Gemini, or the way to it, failed."""

    status = 502
    code = "UNAVAILABLE"

    def headers(self, attempts: int) -> dict[str, str]:
        """Return headers that advise against an immediate retry, after several attempts.

        A client that retries multiplies our attempts: Gemini CLI asked 36 times in two minutes.
        OpenAI's SDKs read ``x-should-retry`` first; most other clients know Retry-After.
        """
        if attempts == 1:
            return {}
        return {"Retry-After": str(_RECOVERY_SECONDS), "x-should-retry": "false"}


class NoPicture(UpstreamFailure):
    """An answer that should have a picture has none; another one would cost as much."""

    def headers(self, attempts: int) -> dict[str, str]:
        """Return that OpenAI's SDKs must not retry."""
        del attempts
        return {"x-should-retry": "false"}

    def payload(self, request_id: str | None = None) -> dict[str, Any]:
        """Return the error with a word for programs."""
        return _with_reason(super().payload(request_id), "no_image_generated")


class Unreachable(UpstreamFailure):
    """No connection to the upstream could be made."""

    status = 503


class NoFirstByte(UpstreamFailure):
    """The upstream accepted the connection and then stayed silent."""

    status = 504
    code = "DEADLINE_EXCEEDED"


class Unrepaired(UpstreamFailure):
    """The stream broke and could not be repaired."""

    status = 503


class ContinuationRefused(Unrepaired):
    """The upstream refused our continuation; ``body`` is its answer."""

    def __init__(self, body: bytes) -> None:
        super().__init__("The stream broke, and the model refuses to continue it.")
        self._body = body

    def payload(self, request_id: str | None = None) -> dict[str, Any]:
        """Return our error with the upstream's own reason, which is not logged."""
        reason = (upstream_error(self._body) or {}).get("message")
        message = f"{self.message} It says: {reason}" if reason else self.message
        return status_payload(self.status, message, code=self.code, request_id=request_id)


class BadEnding(Unrepaired):
    """The answer has ended, for a reason that is no end in the client's dialect."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The model did not end its answer properly ({reason}).")
        self.reason = reason

    def payload(self, request_id: str | None = None) -> dict[str, Any]:
        """Return the error with Gemini's finishReason in ErrorInfo, in lower case."""
        payload = super().payload(request_id)
        info = {"@type": _ERROR_INFO, "reason": self.reason.lower(), "domain": "gemproxy"}
        payload["error"].setdefault("details", []).append(info)
        return payload


class Blocked(Unrepaired):
    """The upstream refused the prompt of a resume, when the client already had text."""


@attrs.define(eq=False, init=False)
class UpstreamRejection(UpstreamFailure):
    """The upstream's own error answer; ``body`` is its unchanged body.

    ``seconds``: how long the upstream asked to wait, where its own headers do not pass.
    """

    rejected_with: int
    body: bytes = attrs.field(repr=False)
    seconds: float | None = None

    def __init__(self, rejected_with: int, body: bytes, seconds: float | None = None) -> None:
        super().__init__(f"The upstream answered with status {rejected_with}.")
        self.rejected_with = rejected_with
        self.body = body
        self.seconds = seconds

    def headers(self, attempts: int) -> dict[str, str]:
        """Return the wait that was asked for; the upstream decides about retries."""
        del attempts
        return _wait_header(self.seconds)

    def payload(self, request_id: str | None = None) -> dict[str, Any]:
        """Return the upstream's error object if it sent one, else one of ours.

        An object that names no status, as gateways before Google send, gets that of the answer.
        """
        error = upstream_error(self.body)
        if error is None:
            return status_payload(self.rejected_with, self.message, request_id=request_id)
        if "code" not in error and "status" not in error:
            error = {**error, "code": self.rejected_with}
        return {"error": _with_request_id(error, request_id)}


def _wait_header(seconds: float | None) -> dict[str, str]:
    return {} if seconds is None else {"Retry-After": str(math.ceil(seconds))}


def _with_wait(payload: dict[str, Any], seconds: float | None) -> dict[str, Any]:
    """Add the wait to an error body, as Google gives it."""
    if seconds is not None:
        wait = {"@type": _RETRY_INFO, "retryDelay": f"{math.ceil(seconds)}s"}
        payload["error"].setdefault("details", []).append(wait)
    return payload


def _with_reason(payload: dict[str, Any], reason: str) -> dict[str, Any]:
    """Add a word for programs to an error body, as ErrorInfo has it."""
    info = {"@type": _ERROR_INFO, "reason": reason, "domain": "gemproxy"}
    payload["error"].setdefault("details", []).append(info)
    return payload


def _with_request_id(error: dict[str, Any], request_id: str | None) -> dict[str, Any]:
    if request_id is None:
        return error
    details = error.get("details")
    info = _request_info(request_id)
    return {**error, "details": [*(details if isinstance(details, list) else []), info]}


def _request_info(request_id: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": request_id}


def upstream_error(body: bytes) -> dict[str, Any] | None:
    """Return the ``error`` object of a Google error body, bare or wrapped in a list."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(document, list) and document:
        document = document[0]
    error = document.get("error") if isinstance(document, dict) else None
    return error if isinstance(error, dict) else None


def details_of(error: Mapping[str, Any] | None, kind: str) -> Iterator[Mapping[str, Any]]:
    """Yield the details of a google.rpc.Status of one ``kind``, such as RetryInfo."""
    details = (error or {}).get("details")
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, dict) and str(detail.get("@type", "")).endswith(kind):
            yield detail


def status_payload(
    status: int, message: str, *, code: str | None = None, request_id: str | None = None
) -> dict[str, Any]:
    """Return a google.rpc.Status error body; the request id goes into its details."""
    error: dict[str, Any] = {
        "code": status,
        "message": message,
        "status": code or RPC_CODES.get(status, "UNKNOWN"),
    }
    if request_id is not None:
        error["details"] = [_request_info(request_id)]
    return {"error": error}
