"""What a running request is doing, in one word."""

import pytest

from gemproxy.admin.conditions import SILENT, SLOW, Condition, Pace, condition_of
from gemproxy.exchange.account import Glimpse, Wait


@pytest.mark.parametrize(
    ("state", "wait", "attempts", "rate", "condition"),
    [
        ("connecting", Wait("first_byte", 60.0, 90.0, 30.0), 1, None, Condition.CONNECTING),
        ("connecting", Wait("first_byte", 60.0, 90.0, 30.0), 3, None, Condition.REPAIRING),
        ("connecting", Wait("pause", left=2.0), 2, None, Condition.PAUSING),
        ("connecting", Wait("key"), 0, None, Condition.QUEUED),
        ("splicing", Wait("chunk", 0.1, 30.0, 29.9), 2, 90.0, Condition.REPAIRING),
        ("streaming", Wait("thinking", 60.0, 300.0, 240.0), 1, None, Condition.THINKING),
        ("streaming", Wait("chunk", SILENT, 30.0, 25.0), 1, 90.0, Condition.SILENT),
        ("streaming", Wait("chunk", 0.1, 30.0, 29.9), 1, SLOW - 0.1, Condition.SLOW),
        ("streaming", Wait("chunk", 0.1, 30.0, 29.9), 1, SLOW, Condition.STREAMING),
        ("streaming", Wait("message", None), 1, None, Condition.STREAMING),
        ("streaming", Wait("client"), 1, 90.0, Condition.CLIENT),
    ],
)
def test_slow_and_stuck_are_told_apart(
    state: str, wait: Wait, attempts: int, rate: float | None, condition: Condition
) -> None:
    glimpse = Glimpse(state, 10, wait=wait)

    assert condition_of(glimpse, attempts, rate, cancelled=False) is condition
    assert condition_of(glimpse, attempts, rate, cancelled=True) is Condition.ENDING


def test_the_pace_is_that_between_two_looks() -> None:
    pace = Pace()

    assert pace.look(100.0, 0, None) is None
    assert pace.look(104.0, 80, 101.0) == 20.0
    assert pace.look(106.0, 80, 101.0) == pytest.approx(80 / 6)
    assert pace.look(112.0, 80, 101.0) == 0.0
    assert pace.look(114.0, 200, 101.0) == 12.0


def test_the_first_look_counts_since_the_first_byte() -> None:
    assert Pace().look(100.0, 50, 95.0) == 10.0
    assert Pace().look(100.0, 50, 99.9) is None


def test_a_look_at_once_after_another_counts_since_the_first_byte() -> None:
    pace = Pace()
    pace.look(100.0, 50, 95.0)

    assert pace.look(100.5, 55, 95.0) == 10.0
