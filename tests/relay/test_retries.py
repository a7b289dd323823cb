"""The budget of retries that the requests of one caller for one model share."""

import pickle
from collections.abc import Callable

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.relay.retries import SHARE, RetryBudget


@attrs.define
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def taken(may_retry: Callable[[], bool], times: int = 1000) -> int:
    """Return how many retries of so many were granted."""
    return sum(may_retry() for _ in range(times))


def test_a_quiet_caller_has_the_floor() -> None:
    assert taken(RetryBudget(5, Clock()).enter("m", "key")) == 5


def test_a_busy_caller_has_a_fifth_of_its_requests_besides() -> None:
    budget = RetryBudget(5, Clock())
    entered = [budget.enter("m", "key") for _ in range(100)]

    assert sum(taken(may_retry, 6) for may_retry in entered) == 25


def test_models_and_callers_have_budgets_of_their_own() -> None:
    budget = RetryBudget(3, Clock())
    assert taken(budget.enter("m", "key")) == 3

    assert taken(budget.enter("other", "key")) == 3
    assert taken(budget.enter("m", "other")) == 3
    assert taken(budget.enter("m", "key")) == 0


def test_the_floor_comes_back_with_time() -> None:
    clock = Clock()
    budget = RetryBudget(5, clock)
    assert taken(budget.enter("m", "key")) == 5

    clock.now += 3600

    assert taken(budget.enter("m", "key")) == 5


def test_what_was_not_used_is_not_saved_up() -> None:
    clock = Clock()
    budget = RetryBudget(0, clock)
    for _ in range(1000):
        budget.enter("m", "key")

    clock.now += 3600

    assert taken(budget.enter("m", "key")) == 0


@given(
    st.lists(st.tuples(st.floats(0, 5), st.integers(0, 6)), max_size=100),
    st.integers(0, 10),
)
def test_whatever_happens_retries_within_a_moment_stay_below_the_floor_and_the_share(
    requests: list[tuple[float, int]], floor: int
) -> None:
    clock = Clock()
    budget = RetryBudget(floor, clock)
    granted = 0
    for pause, wishes in requests:
        clock.now += pause / 1000
        granted += taken(budget.enter("m", "key"), wishes)

    assert granted <= 1.01 * floor + SHARE * len(requests) + 0.01


def test_the_account_that_is_not_used_for_longest_is_forgotten() -> None:
    budget = RetryBudget(1, Clock())
    assert taken(budget.enter("m", "first")) == 1
    for number in range(4096):
        budget.enter("m", str(number))

    assert taken(budget.enter("m", "first")) == 1


@pytest.mark.parametrize("secret", ["AIzaSyCanary", "\udce4"])
def test_no_credential_is_kept_or_shown(secret: str) -> None:
    budget = RetryBudget(1, Clock())
    budget.enter("m", secret)

    assert secret not in repr(budget)
    assert secret.encode("utf-8", "surrogatepass") not in pickle.dumps(budget)
