"""The tables: the meaning of an ending, a status or an error for the stream.

Settings cannot change policy endings: a resume after SAFETY and similar reasons would bypass a
safety decision, so the table does not accept them. Sources: finishReason and blockReason of the
Gemini API reference (GenerateContentResponse), google.rpc.RetryInfo, and the threads listed in
ARCHITECTURE.md for the meaning of OTHER and MALFORMED_*.
"""

import enum
import json
import re
from collections.abc import Mapping
from typing import Any

import attrs

from gemproxy.core.errors import RPC_CODES, UpstreamRejection, details_of, upstream_error


class Verdict(enum.Enum):
    """What an attempt's finishReason means for the answer."""

    ACCEPT = "accept"  # the answer ends here, by the upstream
    RESUME = "resume"  # keep the text and continue it
    REPLAY = "replay"  # ask again if no visible content went out, else pass it on
    REROLL = "reroll"  # the same, once
    POLICY = "policy"  # a decision about content: passed on, never asked again
    CONTINUE = "continue"  # Gemini asks for another call


POLICY_REASONS = frozenset(
    {
        "SAFETY",
        "PROHIBITED_CONTENT",
        "BLOCKLIST",
        "SPII",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "IMAGE_OTHER",
        "MODEL_ARMOR",
        "ESCALATION",
        "PUP_LIMITED_DISABLED",
    }
)
FIXED_REASONS = frozenset({"STOP", "MAX_TOKENS", "CONTINUATION"})
"""Reasons whose meaning settings cannot change."""

DEFAULT_VERDICTS: Mapping[str, Verdict] = {
    "OTHER": Verdict.RESUME,
    "MALFORMED_RESPONSE": Verdict.RESUME,
    "MALFORMED_FUNCTION_CALL": Verdict.REPLAY,
    "UNEXPECTED_TOOL_CALL": Verdict.REPLAY,
    "RECITATION": Verdict.ACCEPT,
    "LANGUAGE": Verdict.ACCEPT,
}


@attrs.frozen
class FinishTable:
    """finishReason -> Verdict; ``configurable`` are the reasons that settings may name."""

    configurable: Mapping[str, Verdict] = attrs.field(factory=lambda: dict(DEFAULT_VERDICTS))

    @configurable.validator
    def _only_what_may_be_set(self, _: object, value: Mapping[str, Verdict]) -> None:
        for reason in value:
            if is_policy(reason) or reason in FIXED_REASONS:
                raise ValueError(f"{reason} is passed on as it is; no setting changes that")

    def of(self, reason: str) -> Verdict:
        """Return the verdict on ``reason``; an unknown one is accepted."""
        if is_policy(reason):
            return Verdict.POLICY
        if reason == "CONTINUATION":
            return Verdict.CONTINUE
        return self.configurable.get(reason, Verdict.ACCEPT)


def is_policy(reason: str) -> bool:
    """Return whether a reason is a decision about content; future IMAGE_ reasons are, too."""
    return reason in POLICY_REASONS or reason.startswith("IMAGE_")


_TOO_MANY = 429
_SERVER_ERRORS = range(500, 600)
_NOT_IMPLEMENTED = 501


def is_transient(status: int) -> bool:
    """Return whether the same request may succeed if it is sent again."""
    return status in (408, _TOO_MANY) or (status in _SERVER_ERRORS and status != _NOT_IMPLEMENTED)


def error_status(error: Mapping[str, Any]) -> int:
    """Return the HTTP status of an in-band error object, by number or by google.rpc code;
    500 if it names none.
    """  # noqa: D205 - one sentence
    code = error.get("code")
    if isinstance(code, int) and 400 <= code < 600:  # noqa: PLR2004 - HTTP
        return code
    names = (status for status, name in RPC_CODES.items() if name == error.get("status"))
    return next(names, 500)


def rejection_of(error: Mapping[str, Any]) -> UpstreamRejection:
    """Return an error object inside a stream as an error answer."""
    return UpstreamRejection(error_status(error), json.dumps({"error": error}).encode())


def retry_delay(error: Mapping[str, Any] | None) -> float | None:
    """Return the wait of google.rpc.RetryInfo in seconds, or None if it is absent."""
    return next((_seconds(info.get("retryDelay")) for info in details_of(error, "RetryInfo")), None)


def retry_delay_of_body(body: bytes) -> float | None:
    """Return the RetryInfo delay of an error body, in seconds."""
    return retry_delay(upstream_error(body))


def _seconds(duration: object) -> float | None:
    """Read a google.protobuf.Duration in its JSON form: ``"20.04s"``."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)s", str(duration))
    return float(match[1]) if match else None
