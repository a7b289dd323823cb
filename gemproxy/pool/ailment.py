"""Why a key is out of order, by the refusal that was its fault.

ErrorInfo's reason decides (google/api/error_reason.proto), else the words, else the status. Only a
missing billing account is the affair of the whole project: its other keys would be refused, too.
"""

import re
from collections.abc import Mapping
from typing import Any

from gemproxy.core.errors import details_of
from gemproxy.pool.state import Why

_UNAUTHENTICATED, _PAYMENT_REQUIRED, _BAD_REQUEST = 401, 402, 400

_REASONS: Mapping[str, Why] = {
    "ACCESS_TOKEN_EXPIRED": Why.INVALID,
    "ACCESS_TOKEN_TYPE_UNSUPPORTED": Why.INVALID,
    "API_KEY_INVALID": Why.INVALID,
    "CREDENTIALS_MISSING": Why.INVALID,
    "CONSUMER_SUSPENDED": Why.SUSPENDED,
    "GCP_SUSPENDED": Why.SUSPENDED,
    "SERVICE_DISABLED": Why.DISABLED,
    "API_KEY_SERVICE_BLOCKED": Why.DISABLED,
    "ACCOUNT_STATE_INVALID": Why.DISABLED,
    "BILLING_DISABLED": Why.BILLING,
}
_WORDS: tuple[tuple[re.Pattern[str], Why], ...] = (
    (re.compile(r"\bleaked\b", re.IGNORECASE), Why.LEAKED),
    (re.compile(r"\bsuspended\b", re.IGNORECASE), Why.SUSPENDED),
    (re.compile(r"\bAPI key (?:not (?:valid|found)|expired)", re.IGNORECASE), Why.INVALID),
    (re.compile(r"\bdisabled\b", re.IGNORECASE), Why.DISABLED),
)
_STATUSES: Mapping[int, Why] = {
    _BAD_REQUEST: Why.BILLING,  # a FAILED_PRECONDITION that is the key's fault
    _UNAUTHENTICATED: Why.INVALID,
    _PAYMENT_REQUIRED: Why.BILLING,
}


def ailment_of(status: int, error: Mapping[str, Any] | None) -> Why:
    """Return why the key of a refusal cannot serve; the refusal is the fault of the key."""
    message = str((error or {}).get("message", ""))
    leaked, *others = _WORDS
    if leaked[0].search(message):
        return leaked[1]
    reasons = (str(info.get("reason")) for info in details_of(error, "ErrorInfo"))
    named = next((_REASONS[reason] for reason in reasons if reason in _REASONS), None)
    if named is not None:
        return named
    said = next((why for pattern, why in others if pattern.search(message)), None)
    return said or _STATUSES.get(status, Why.DENIED)
