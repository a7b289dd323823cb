"""What the end of an attempt is called."""

from typing import Any

import pytest

from gemproxy.pool.result import result_of
from gemproxy.pool.state import Result, Why
from tests.pool.refusals import PER_DAY, error, exhausted, info, violations

LOCATION = error(400, "FAILED_PRECONDITION", "User location is not supported for the API use.")
CASES: list[tuple[int, dict[str, Any] | None, Result]] = [
    (429, exhausted(violations(PER_DAY)), Result.DAY),
    (429, exhausted(), Result.BARE),
    (429, None, Result.SERVICE),
    (400, error(400, "INVALID_ARGUMENT", "API key not valid."), Result.INVALID),
    (403, error(403, "PERMISSION_DENIED", "x", info("CONSUMER_SUSPENDED")), Result.SUSPENDED),
    (403, error(403, "PERMISSION_DENIED", "x"), Result.DENIED),
    (400, error(400, "INVALID_ARGUMENT", "x"), Result.REQUEST),
    (404, None, Result.REQUEST),
    (503, error(503, "UNAVAILABLE", "overloaded"), Result.SERVICE),
    (400, LOCATION, Result.LOCATION),
]


@pytest.mark.parametrize(("status", "refusal", "result"), CASES)
def test_a_refusal_has_a_word(status: int, refusal: dict[str, Any] | None, result: Result) -> None:
    assert result_of(status, refusal) is result


def test_each_cause_is_a_result() -> None:
    assert {why.value for why in Why} < {result.value for result in Result}
