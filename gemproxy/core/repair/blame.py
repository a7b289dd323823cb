"""Whose fault a refusal is: the key's, the request's or the service's.

A fault of the *key* (its project's quota, a key that is invalid, suspended, leaked, disabled or
expired) is over as soon as another key is used. A fault of the *request* meets every key: a bad
argument, a location, a file of another project, a model that does not exist. A fault of the
*service* (5xx, overload, the way to it) says nothing about either.

Google names the cause in ErrorInfo (google/api/error_reason.proto), so its reason decides before
the status does: an invalid key is a 400, like a bad argument. Some refusals have no details, and
then the words decide: a leaked key, a denied project, a file of another project. Billing is the
key's affair only in a FAILED_PRECONDITION; the refusal of a safety setting speaks of it, too. An
answer without a google.rpc.Status does not come from the API, so only a 401 or a 402 is held
against the key: Google's page about automated queries is a 429 as well, and meets an address.
"""

import enum
import re
from collections.abc import Mapping
from typing import Any

from gemproxy.core.errors import details_of

_BAD_REQUEST, _UNAUTHENTICATED, _PAYMENT_REQUIRED, _FORBIDDEN = 400, 401, 402, 403
_TIMEOUT, _TOO_MANY_REQUESTS, _NOT_IMPLEMENTED = 408, 429, 501
_CLIENT_ERRORS = range(400, 500)


class Fault(enum.Enum):
    """Whose fault a refusal is."""

    KEY = "key"
    REQUEST = "request"
    SERVICE = "service"


_REASONS: Mapping[str, Fault] = {
    **dict.fromkeys(
        (
            "ACCESS_TOKEN_EXPIRED",
            "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
            "ACCESS_TOKEN_TYPE_UNSUPPORTED",
            "ACCOUNT_STATE_INVALID",
            "API_KEY_ANDROID_APP_BLOCKED",
            "API_KEY_HTTP_REFERRER_BLOCKED",
            "API_KEY_INVALID",
            "API_KEY_IOS_APP_BLOCKED",
            "API_KEY_IP_ADDRESS_BLOCKED",
            "API_KEY_SERVICE_BLOCKED",
            "BILLING_DISABLED",
            "CONSUMER_INVALID",
            "CONSUMER_SUSPENDED",
            "CREDENTIALS_MISSING",
            "GCP_SUSPENDED",
            "RATE_LIMIT_EXCEEDED",
            "RESOURCE_QUOTA_EXCEEDED",
            "SERVICE_DISABLED",
            "USER_BLOCKED_BY_ADMIN",
            "USER_PROJECT_DENIED",
        ),
        Fault.KEY,
    ),
    **dict.fromkeys(
        (
            "LOCATION_ORG_POLICY_VIOLATED",
            "LOCATION_POLICY_VIOLATED",
            "LOCATION_TAX_POLICY_VIOLATED",
            "SYSTEM_PARAMETER_UNSUPPORTED",
        ),
        Fault.REQUEST,
    ),
}

_LIMITED: Mapping[str, Any] = {
    "code": _FORBIDDEN,
    "status": "PERMISSION_DENIED",
    "message": "The account is limited or disabled.",
    "details": [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ACCOUNT_STATE_INVALID"}
    ],
}
_BAD_KEY = re.compile(r"\bAPI key (?:not (?:valid|found)|expired)", re.IGNORECASE)
_SOMEONE_ELSES = re.compile(
    r"or it may not exist|not found \(or permission denied\)|User location"
    r"|do not have permission to access",
    re.IGNORECASE,
)
_LOCATION = re.compile(r"\bUser location is not supported", re.IGNORECASE)
_BILLING = re.compile(r"\bbilling\b", re.IGNORECASE)


def blame(status: int | None, error: Mapping[str, Any] | None) -> Fault:
    """Return whose fault a refusal is.

    ``status`` is its HTTP status, None where no answer came; ``error`` is the google.rpc.Status in
    it (``upstream_error``), None where it has none.
    """
    reasons = (str(info.get("reason")) for info in details_of(error, "ErrorInfo"))
    named = next((_REASONS[reason] for reason in reasons if reason in _REASONS), None)
    if named is not None:
        return named
    if status is None or status not in _CLIENT_ERRORS or status == _TIMEOUT:
        return Fault.REQUEST if status == _NOT_IMPLEMENTED else Fault.SERVICE
    if status in (_UNAUTHENTICATED, _PAYMENT_REQUIRED):
        return Fault.KEY
    if status in (_FORBIDDEN, _TOO_MANY_REQUESTS):
        return Fault.SERVICE if error is None else _of_the_caller(error)
    if status == _BAD_REQUEST and error is not None and _speaks_of_the_key(error):
        return Fault.KEY
    return Fault.REQUEST


def is_of_the_location(error: Mapping[str, Any] | None) -> bool:
    """Return whether Google refuses the address that a request comes from.

    Every key that goes out by this address meets it; one with another outbound proxy may not. Where
    the location is refused for want of a billing account, a paying project is not.
    """
    error = error or {}
    message = str(error.get("message", ""))
    unmet = error.get("status") == "FAILED_PRECONDITION" and not _BILLING.search(message)
    return unmet and _LOCATION.search(message) is not None


def refusal_behind(finish_reason: str | None) -> Mapping[str, Any] | None:
    """Return the refusal that a finishReason stands for, None for one that is no key's fault.

    Google ends the answers of an account that it has limited or disabled, with status 200.
    """
    return _LIMITED if finish_reason == "PUP_LIMITED_DISABLED" else None


def _of_the_caller(error: Mapping[str, Any]) -> Fault:
    """Tell a caller that is not let in from one that asks for what another project owns."""
    elses = _SOMEONE_ELSES.search(str(error.get("message", "")))
    return Fault.REQUEST if elses else Fault.KEY


def _speaks_of_the_key(error: Mapping[str, Any]) -> bool:
    """Tell a 400 that is no bad argument, without an ErrorInfo to say so."""
    message = str(error.get("message", ""))
    unpaid = error.get("status") == "FAILED_PRECONDITION" and _BILLING.search(message)
    return bool(unpaid or _BAD_KEY.search(message))
