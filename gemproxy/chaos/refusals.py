"""The refusals of Google's front end, word for word: keys, quotas, locations, absent names.

The bodies are those that users posted; see google.rpc.error_details for their types. A quota error
lists the exceeded quotas in its message and in QuotaFailure, and says a delay in both the message
and RetryInfo. The delay of a day's quota is not the time of its reset.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from gemproxy.core.errors import RPC_CODES

Json = Mapping[str, Any]

_TYPES = "type.googleapis.com/google.rpc."
_SERVICE = "generativelanguage.googleapis.com"
_LIMITS = "https://ai.google.dev/gemini-api/docs/rate-limits"
_EXCEEDED = (
    "You exceeded your current quota, please check your plan and billing details. For more "
    f"information on this error, head to: {_LIMITS}. To monitor your current usage, head to: "
    "https://ai.dev/rate-limit. "
)
_DELAY_OF_AN_ABSENT_MODEL = 14.19


@attrs.frozen
class Refusal:
    """An error in place of an answer; ``code`` is the google.rpc code, by default the status's."""

    status: int
    message: str
    details: Sequence[Json] = ()
    code: str = attrs.field()

    @code.default
    def _code_of_status(self) -> str:
        return RPC_CODES[self.status]


@attrs.frozen
class Exceeded:
    """An exceeded quota, as a violation names it; ``limit`` None leaves out quotaValue."""

    metric: str
    quota: str
    model: str
    limit: int | None = None

    @property
    def violation(self) -> Json:
        """The violation in QuotaFailure."""
        value = {} if self.limit is None else {"quotaValue": str(self.limit)}
        return {
            "quotaMetric": f"{_SERVICE}/{self.metric}",
            "quotaId": self.quota,
            "quotaDimensions": {"location": "global", "model": self.model},
            **value,
        }

    @property
    def line(self) -> str:
        """The line in the message."""
        limit = "" if self.limit is None else f", limit: {self.limit}"
        return (
            f"\n* Quota exceeded for metric: {_SERVICE}/{self.metric}{limit}, model: {self.model}"
        )


def requests_by_minute(model: str, limit: int | None = None) -> Exceeded:
    """Return the exceeded quota of requests by minute."""
    quota = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
    return Exceeded("generate_content_free_tier_requests", quota, model, limit)


def requests_by_day(model: str, limit: int | None = None) -> Exceeded:
    """Return the exceeded quota of requests by day."""
    quota = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
    return Exceeded("generate_content_free_tier_requests", quota, model, limit)


def tokens_by_minute(model: str, limit: int | None = None) -> Exceeded:
    """Return the exceeded quota of tokens of prompts by minute."""
    quota = "GenerateContentInputTokensPerModelPerMinute-FreeTier"
    return Exceeded("generate_content_free_tier_input_token_count", quota, model, limit)


def tokens_by_day(model: str, limit: int | None = None) -> Exceeded:
    """Return the exceeded quota of tokens of prompts by day."""
    quota = "GenerateContentInputTokensPerModelPerDay-FreeTier"
    return Exceeded("generate_content_free_tier_input_token_count", quota, model, limit)


def quota(*exceeded: Exceeded, delay: float | None, retry_info: bool = True) -> Refusal:
    """Return the 429 for quotas that are exceeded.

    ``delay`` (seconds) stands in the message, and in RetryInfo unless ``retry_info`` is off.
    """
    said = "" if delay is None else f"\nPlease retry in {delay:g}s."
    message = _EXCEEDED + "".join(one.line for one in exceeded) + said
    failure = {"@type": f"{_TYPES}QuotaFailure", "violations": [one.violation for one in exceeded]}
    links = [{"description": "Learn more about Gemini API quotas", "url": _LIMITS}]
    details: list[Json] = [{"@type": f"{_TYPES}Help", "links": links}, failure]
    if delay is not None and retry_info:
        details.append({"@type": f"{_TYPES}RetryInfo", "retryDelay": f"{delay:g}s"})
    return Refusal(429, message, details)


def absent(model: str, *, values: bool = True) -> Refusal:
    """Return the 429 for a model that is not in the project's tier: four quotas, limit 0.

    Without ``values`` only the message has the limit.
    """
    kinds = (requests_by_day, requests_by_minute, tokens_by_minute, tokens_by_day)
    refusal = quota(*(kind(model, 0) for kind in kinds), delay=_DELAY_OF_AN_ABSENT_MODEL)
    if values:
        return refusal
    bare = quota(*(kind(model) for kind in kinds), delay=_DELAY_OF_AN_ABSENT_MODEL)
    return attrs.evolve(bare, message=refusal.message)


BARE_QUOTA = Refusal(429, "Resource has been exhausted (e.g. check quota).")
"""A 429 that names no quota and no delay."""


def info(reason: str, **metadata: str) -> Json:
    """Return an ErrorInfo of this API."""
    return {
        "@type": f"{_TYPES}ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": {"service": _SERVICE, **metadata},
    }


def _invalid(message: str) -> Refusal:
    words = {"@type": f"{_TYPES}LocalizedMessage", "locale": "en-US", "message": message}
    return Refusal(400, message, (info("API_KEY_INVALID"), words))


INVALID = _invalid("API key not valid. Please pass a valid API key.")
NOT_FOUND = _invalid("API Key not found. Please pass a valid API key.")
EXPIRED = _invalid("API key expired. Please renew the API key.")
LEAKED = Refusal(403, "Your API key was reported as leaked. Please use another API key.")
BLOCKED = Refusal(
    403,
    "Requests to this API generativelanguage.googleapis.com method "
    "google.ai.generativelanguage.v1beta.GenerativeService.GenerateContent are blocked.",
    (info("API_KEY_SERVICE_BLOCKED", consumer="projects/1"),),
)
DISABLED = Refusal(
    403,
    "Generative Language API has not been used in project 1 before or it is disabled.",
    (info("SERVICE_DISABLED", consumer="projects/1"),),
)
WRONG_TOKEN = Refusal(
    401,
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie "
    "or other valid authentication credential.",
    (info("ACCESS_TOKEN_TYPE_UNSUPPORTED"),),
)
LOCATION = Refusal(
    400, "User location is not supported for the API use.", code="FAILED_PRECONDITION"
)
BILLING = Refusal(
    400,
    "User location is not supported for the API use without a billing account linked.",
    code="FAILED_PRECONDITION",
)
BAD_ARGUMENT = Refusal(400, "Request contains an invalid argument.")
OVERLOADED = Refusal(503, "The model is overloaded. Please try again later.")
NO_ENTITY = Refusal(404, "Requested entity was not found.")
NO_CACHE = Refusal(403, "CachedContent not found (or permission denied)")
FORBIDDEN = Refusal(403, "The caller does not have permission")
BAD_CONTINUATION = Refusal(400, "The continuation token is invalid.")


def suspended(key: str) -> Refusal:
    """Return the 403 for a suspended consumer, whose message holds the key, as Google's does."""
    consumer = f"api_key:{key}"
    message = f"Permission denied: Consumer '{consumer}' has been suspended."
    return Refusal(403, message, (info("CONSUMER_SUSPENDED", consumer=consumer),))


def no_file(name: str) -> Refusal:
    """Return the 403 for a file of another project, or of none; ``name`` without ``files/``."""
    message = f"You do not have permission to access the File {name} or it may not exist."
    return Refusal(403, message)
