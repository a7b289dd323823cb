"""Whose fault a refusal is, by the errors that Google's API answers with."""

from typing import Any

import pytest

from gemproxy.core.errors import upstream_error
from gemproxy.core.repair.blame import Fault, blame, is_of_the_location

Json = dict[str, Any]

RPC = "type.googleapis.com/google.rpc."


def error(code: int, status: str, message: str, *details: Json) -> Json:
    """Return a google.rpc.Status as the API writes it."""
    body = {"code": code, "message": message, "status": status}
    return {**body, "details": list(details)} if details else body


def info(reason: str, **metadata: str) -> Json:
    service = {"service": "generativelanguage.googleapis.com"}
    return {
        "@type": f"{RPC}ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": {**service, **metadata},
    }


def violation(quota_id: str) -> Json:
    metric = "generativelanguage.googleapis.com/generate_content_free_tier_requests"
    named = {"quotaMetric": metric, "quotaId": quota_id, "quotaValue": "20"}
    return {"@type": f"{RPC}QuotaFailure", "violations": [named]}


def words(text: str) -> Json:
    return {"@type": f"{RPC}LocalizedMessage", "locale": "en-US", "message": text}


INVALID = "API key not valid. Please pass a valid API key."
UNUSED = (
    "Generative Language API has not been used in project 1234 before or it is disabled. Enable "
    "it by visiting https://console.developers.google.com/apis/api/x?project=1234 then retry."
)
SUSPENDED = "Permission denied: Consumer 'api_key:AIza-of-a-test' has been suspended."
RETRY = {"@type": f"{RPC}RetryInfo", "retryDelay": "20.04s"}
HELP = {"@type": f"{RPC}Help", "links": [{"description": "Learn more", "url": "https://x"}]}
EXHAUSTED = "RESOURCE_EXHAUSTED"
DENIED = "PERMISSION_DENIED"
INVALID_ARGUMENT = "INVALID_ARGUMENT"
UNMET = "FAILED_PRECONDITION"

OF_THE_KEY = {
    "a quota of the minute": error(
        429,
        EXHAUSTED,
        "You exceeded your current quota. Please retry in 20.04s.",
        violation("GenerateRequestsPerMinutePerProjectPerModel-FreeTier"),
        HELP,
        RETRY,
    ),
    "a quota of the day": error(
        429, EXHAUSTED, "x", violation("GenerateRequestsPerDayPerProjectPerModel-FreeTier"), RETRY
    ),
    "a quota without details": error(
        429, EXHAUSTED, "Resource has been exhausted (e.g. check quota)."
    ),
    "a model that is not on the tier": error(
        429, EXHAUSTED, "* Quota exceeded for metric: x/free_tier_requests, limit: 0, model: m"
    ),
    "a quota of a region": error(
        429, EXHAUSTED, "Quota exceeded", info("RATE_LIMIT_EXCEEDED", quota_location="asia")
    ),
    "an invalid key": error(
        400, INVALID_ARGUMENT, INVALID, info("API_KEY_INVALID"), words(INVALID)
    ),
    "an unknown key": error(
        400,
        INVALID_ARGUMENT,
        "API Key not found. Please pass a valid API key.",
        info("API_KEY_INVALID"),
    ),
    "an expired key": error(
        400, INVALID_ARGUMENT, "API key expired. Please renew the API key.", info("API_KEY_INVALID")
    ),
    "an invalid key, in words": error(400, INVALID_ARGUMENT, INVALID),
    "an expired key, in words": error(400, INVALID_ARGUMENT, "API key expired."),
    "a kind of key that is not understood": error(
        401, "UNAUTHENTICATED", "Invalid credentials", info("ACCESS_TOKEN_TYPE_UNSUPPORTED")
    ),
    "a key for other services": error(
        401, "UNAUTHENTICATED", "Requests are blocked.", info("API_KEY_SERVICE_BLOCKED")
    ),
    "a key for other sites": error(
        403,
        DENIED,
        "Requests from referer <empty> are blocked.",
        info("API_KEY_HTTP_REFERRER_BLOCKED"),
    ),
    "no key": error(403, DENIED, "Method doesn't allow unregistered callers. Please use API Key."),
    "a suspended key": error(403, DENIED, SUSPENDED, info("CONSUMER_SUSPENDED"), words(SUSPENDED)),
    "a leaked key": error(
        403, DENIED, "Your API key was reported as leaked. Please use another API key."
    ),
    "a denied project": error(
        403, DENIED, "Your project has been denied access. Please contact support."
    ),
    "an API that is not enabled": error(403, DENIED, UNUSED, info("SERVICE_DISABLED"), HELP),
    "a location where one has to pay": error(
        400,
        UNMET,
        "User location is not supported for the API use without a billing account linked.",
    ),
    "a free tier that does not exist there": error(
        400,
        UNMET,
        "Gemini API free tier is not available in your country. Please enable billing on your "
        "project in Google AI Studio.",
    ),
}

OF_THE_REQUEST = {
    "a bad argument": error(
        400,
        INVALID_ARGUMENT,
        "* GenerateContentRequest.contents: contents is not specified",
        {
            "@type": f"{RPC}BadRequest",
            "fieldViolations": [{"field": "contents", "description": "contents is not specified"}],
        },
    ),
    "too many tokens": error(
        400,
        INVALID_ARGUMENT,
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    ),
    "a setting for others": error(
        400,
        INVALID_ARGUMENT,
        "User has requested a restricted HarmBlockThreshold setting BLOCK_NONE. You can get access "
        "by switching your account type to monthly invoiced billing.",
    ),
    "a picture against the policy": error(
        400, INVALID_ARGUMENT, "The prompt could not be submitted. It violates our policies."
    ),
    "a location": error(400, UNMET, "User location is not supported for the API use."),
    "a forbidden location": error(403, DENIED, "User location is not supported for the API use."),
    "a file of another project": error(
        403, DENIED, "You do not have permission to access the File abc or it may not exist."
    ),
    "a tuned model of another project": error(
        403, DENIED, "You do not have permission to access tuned model tunedModels/x."
    ),
    "a cache of another project": error(
        403, DENIED, "CachedContent not found (or permission denied)"
    ),
    "an unknown model": error(
        404, "NOT_FOUND", "models/gemini-x is not found for API version v1beta."
    ),
    "a conflict": error(409, "ABORTED", "x"),
    "a body that is too large": error(413, INVALID_ARGUMENT, "Request payload size exceeds"),
    "a method that does not exist": error(501, "UNIMPLEMENTED", "Operation is not supported."),
    "a cancelled call": error(499, "CANCELLED", "The operation was cancelled."),
}

OF_THE_SERVICE = {
    "an overload": error(503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
    "an internal error": error(500, "INTERNAL", "An internal error has occurred."),
    "a deadline": error(504, "DEADLINE_EXCEEDED", "The request timed out."),
    "a bad gateway": error(502, "UNAVAILABLE", "x"),
    "a timeout": error(408, "DEADLINE_EXCEEDED", "x"),
}

TABLE = [
    *[(Fault.KEY, said) for said in OF_THE_KEY.values()],
    *[(Fault.REQUEST, said) for said in OF_THE_REQUEST.values()],
    *[(Fault.SERVICE, said) for said in OF_THE_SERVICE.values()],
]


@pytest.mark.parametrize(
    ("fault", "said"), TABLE, ids=[*OF_THE_KEY, *OF_THE_REQUEST, *OF_THE_SERVICE]
)
def test_an_error_of_google_is_somebodys_fault(fault: Fault, said: Json) -> None:
    assert blame(said["code"], said) is fault


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (None, Fault.SERVICE),
        (200, Fault.SERVICE),
        (302, Fault.SERVICE),
        (400, Fault.REQUEST),
        (401, Fault.KEY),
        (402, Fault.KEY),
        (403, Fault.SERVICE),
        (404, Fault.REQUEST),
        (408, Fault.SERVICE),
        (413, Fault.REQUEST),
        (429, Fault.SERVICE),
        (500, Fault.SERVICE),
        (501, Fault.REQUEST),
        (502, Fault.SERVICE),
        (529, Fault.SERVICE),
    ],
)
def test_an_answer_that_is_not_the_apis_is_judged_by_its_status(
    status: int | None, fault: Fault
) -> None:
    page = upstream_error(b"<html>We're sorry, but your computer may be sending queries.</html>")

    assert blame(status, page) is fault


def test_a_named_reason_decides_before_the_status() -> None:
    assert blame(503, error(503, "UNAVAILABLE", "x", info("API_KEY_INVALID"))) is Fault.KEY
    assert blame(403, error(403, DENIED, "x", info("LOCATION_POLICY_VIOLATED"))) is Fault.REQUEST
    assert blame(400, error(400, INVALID_ARGUMENT, "x", info("A_NEW_ONE"))) is Fault.REQUEST


@pytest.mark.parametrize("details", ["x", [7, None], [{"@type": f"{RPC}ErrorInfo", "reason": []}]])
def test_details_of_odd_types_name_nothing(details: object) -> None:
    assert blame(403, {"message": 7, "details": details}) is Fault.KEY
    assert blame(400, {"message": 7, "details": details}) is Fault.REQUEST


def test_a_location_where_one_has_to_pay_is_refused_to_that_project_alone() -> None:
    anywhere = error(400, UNMET, "User location is not supported for the API use.")

    assert is_of_the_location(anywhere)
    assert not is_of_the_location(OF_THE_KEY["a location where one has to pay"])
