"""Health: the log has one line for the beginning of a trouble, and one for its end."""

import pytest

from gemproxy.ledger.health import Health


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records]


def test_an_outage_is_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    clock = [100.0]
    health = Health(lambda: clock[0])
    health.worked()
    health.failed("locked", 3)
    clock[0] = 107.0
    health.failed("full", 5)
    assert (health.failing_since, health.why) == (100.0, "full")
    health.worked()
    health.worked()

    assert (health.failing_since, health.why) == (None, "")
    assert lines(caplog) == [
        "the ledger fails: locked; it is tried again; rows that wait: 3",
        "the ledger works again, after 7 seconds",
    ]


def test_losses_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    health = Health()
    for _ in range(3):
        health.dropped(settled=True)
    health.dropped(settled=False)
    health.emptied()
    health.dropped(settled=True)
    health.emptied()

    assert (health.lost, health.unbegun) == (4, 1)
    assert lines(caplog) == [
        "too many rows of the ledger wait: the oldest are dropped",
        "the rows of the ledger fit again; rows that were lost: 3",
        "too many rows of the ledger wait: the oldest are dropped",
        "the rows of the ledger fit again; rows that were lost: 1",
    ]
