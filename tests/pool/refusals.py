"""Refusals as Google's API writes them, for the tests of the pool."""

from typing import Any

Json = dict[str, Any]

RPC = "type.googleapis.com/google.rpc."
PER_MINUTE = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
PER_DAY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
TOKENS_PER_MINUTE = "GenerateContentInputTokensPerModelPerMinute"


def error(code: int, status: str, message: str, *details: Json) -> Json:
    """Return a google.rpc.Status."""
    body = {"code": code, "message": message, "status": status}
    return {**body, "details": list(details)} if details else body


def exhausted(*details: Json, message: str = "You exceeded your current quota.") -> Json:
    """Return the refusal of a quota."""
    return error(429, "RESOURCE_EXHAUSTED", message, *details)


def violations(*quota_ids: str, value: str | None = "20") -> Json:
    """Return a QuotaFailure; ``value`` is the limit of each quota."""
    listed = [{"quotaMetric": "x/requests", "quotaId": quota_id} for quota_id in quota_ids]
    if value is not None:
        listed = [{**violation, "quotaValue": value} for violation in listed]
    return {"@type": f"{RPC}QuotaFailure", "violations": listed}


def retry(delay: str) -> Json:
    return {"@type": f"{RPC}RetryInfo", "retryDelay": delay}


def info(reason: str, **metadata: str) -> Json:
    return {"@type": f"{RPC}ErrorInfo", "reason": reason, "metadata": metadata}
