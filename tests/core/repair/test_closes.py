"""Which close frames of a session are held against the key."""

import pytest

from gemproxy.core.repair.blame import Fault, blame
from gemproxy.core.repair.closes import error_of_close
from gemproxy.core.repair.verdict import error_status

QUOTA = "You exceeded your current quota, please check your plan and billing details. For more"


@pytest.mark.parametrize(
    ("code", "reason", "status"),
    [
        (1011, QUOTA, 429),
        (1008, "Resource has been exhausted (e.g. check quota).", 429),
        (1007, "API key not valid. Please pass a valid API key.", 400),
        (1008, "API key expired. Please renew the API key.", 400),
        (1008, "Your API key was reported as leaked. Please use another API key.", 403),
    ],
)
def test_a_refusal_of_the_key_is_read(code: int, reason: str, status: int) -> None:
    error = error_of_close(code, reason)

    assert error is not None
    assert error["code"] == status
    assert blame(error_status(error), error) is Fault.KEY


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1000, QUOTA),
        (4001, QUOTA),
        (1006, QUOTA),
        (1011, ""),
        (1011, "Internal error encountered."),
        (1008, "models/x is not found for API version v1beta, or is not supported for bidi"),
        (1008, "BidiGenerateContent session not found"),
        (1007, "Request contains an invalid argument."),
        (1011, "The service is currently unavailable."),
    ],
)
def test_any_other_end_says_nothing_about_the_key(code: int, reason: str) -> None:
    assert error_of_close(code, reason) is None
