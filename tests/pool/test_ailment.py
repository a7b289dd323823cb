"""Why a key is out of order, by the refusals that Google's API answers with."""

from typing import Any

import pytest

from gemproxy.core.repair.blame import Fault, blame
from gemproxy.pool.ailment import ailment_of
from gemproxy.pool.quota import is_quota
from gemproxy.pool.state import Why
from tests.pool.refusals import error, info

INVALID_ARGUMENT, DENIED = "INVALID_ARGUMENT", "PERMISSION_DENIED"

AILMENTS: dict[str, tuple[dict[str, Any], Why]] = {
    "invalid": (
        error(400, INVALID_ARGUMENT, "API key not valid. Please x", info("API_KEY_INVALID")),
        Why.INVALID,
    ),
    "not found": (
        error(400, INVALID_ARGUMENT, "API Key not found. Please x", info("API_KEY_INVALID")),
        Why.INVALID,
    ),
    "not found, without a reason": (
        error(400, INVALID_ARGUMENT, "API Key not found. Please pass a valid API key."),
        Why.INVALID,
    ),
    "expired": (
        error(400, INVALID_ARGUMENT, "API key expired. Please renew the API key."),
        Why.INVALID,
    ),
    "expired, with a reason": (
        error(400, INVALID_ARGUMENT, "API key expired.", info("API_KEY_INVALID")),
        Why.INVALID,
    ),
    "a token of another kind": (
        error(401, "UNAUTHENTICATED", "x", info("ACCESS_TOKEN_TYPE_UNSUPPORTED")),
        Why.INVALID,
    ),
    "no reason at all": (error(401, "UNAUTHENTICATED", "x"), Why.INVALID),
    "suspended": (
        error(403, DENIED, "Consumer 'x' has been suspended.", info("CONSUMER_SUSPENDED")),
        Why.SUSPENDED,
    ),
    "suspended, without a reason": (
        error(403, DENIED, "Permission denied: Consumer 'x' has been suspended."),
        Why.SUSPENDED,
    ),
    "leaked": (
        error(403, DENIED, "Your API key was reported as leaked. Please use another API key."),
        Why.LEAKED,
    ),
    "leaked, with a reason": (
        error(
            400, INVALID_ARGUMENT, "Your API key was reported as leaked", info("API_KEY_INVALID")
        ),
        Why.LEAKED,
    ),
    "disabled": (
        error(403, DENIED, "API has not been used or it is disabled.", info("SERVICE_DISABLED")),
        Why.DISABLED,
    ),
    "blocked for this service": (
        error(403, DENIED, "Requests are blocked.", info("API_KEY_SERVICE_BLOCKED")),
        Why.DISABLED,
    ),
    "a denied project": (
        error(403, DENIED, "Your project has been denied access. Please contact support."),
        Why.DENIED,
    ),
    "billing": (
        error(400, "FAILED_PRECONDITION", "x cannot be used without a billing account linked"),
        Why.BILLING,
    ),
    "billing, with a reason": (
        error(403, DENIED, "This API requires billing.", info("BILLING_DISABLED")),
        Why.BILLING,
    ),
    "billing, by status": (error(402, "x", "x"), Why.BILLING),
}


@pytest.mark.parametrize("case", AILMENTS)
def test_a_refusal_that_is_the_keys_fault_says_why_it_cannot_serve(case: str) -> None:
    refusal, why = AILMENTS[case]
    status = refusal["code"]

    assert blame(status, refusal) is Fault.KEY
    assert not is_quota(status, refusal)
    assert ailment_of(status, refusal) is why


def test_an_answer_without_a_status_of_google_may_still_refuse_the_key() -> None:
    assert ailment_of(401, None) is Why.INVALID
