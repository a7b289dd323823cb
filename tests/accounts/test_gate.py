"""The gate: so many requests in a minute, each of which counts when it is admitted."""

import pytest

from gemproxy.accounts.gate import Gate, share
from gemproxy.core.errors import Forbidden, LimitReached


def enter(gate: Gate, now: float) -> None:
    with gate.entered(now):
        pass


def test_so_many_requests_enter_in_a_minute() -> None:
    gate = Gate(2, "requests to /generate")
    enter(gate, 0.0)
    enter(gate, 30.0)

    with pytest.raises(LimitReached) as caught:
        enter(gate, 40.5)
    assert caught.value.seconds == 19.5
    assert caught.value.message == (
        "The limit on requests to /generate is reached: 2 in a minute. There is room in 20 s."
    )
    assert caught.value.headers(0)["Retry-After"] == "20"
    enter(gate, 60.0)
    with pytest.raises(LimitReached):
        enter(gate, 89.0)


def test_one_that_is_refused_behind_the_gate_takes_no_room() -> None:
    gate = Gate(1, "x")
    with pytest.raises(Forbidden), gate.entered(0.0):
        raise Forbidden("another reason")

    enter(gate, 0.0)


def test_a_place_is_held_while_the_request_is_admitted() -> None:
    gate = Gate(1, "x")
    with gate.entered(0.0), pytest.raises(LimitReached) as caught:
        enter(gate, 0.0)
    assert caught.value.seconds == 1.0


def test_nought_is_any_number() -> None:
    gate = Gate(0, "x")
    for _ in range(100):
        enter(gate, 0.0)


@pytest.mark.parametrize(
    ("amount", "workers", "each"), [(60, 1, 60), (60, 7, 8), (3, 4, 1), (0, 4, 0)]
)
def test_each_worker_has_its_share(amount: int, workers: int, each: int) -> None:
    assert share(amount, workers) == each
