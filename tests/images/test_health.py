"""Health: one line when it begins to fail, one when it works again."""

import logging

import pytest

from gemproxy.images.health import Health


def test_a_failure_is_told_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    now = 100.0
    health = Health("writing", lambda: now)

    with caplog.at_level(logging.WARNING):
        health.worked()
        health.failed("the disk is full")
        now = 160.0
        health.failed("the disk is full")
        assert (health.failing_since, health.failures) == (100.0, 2)
        health.worked()
        health.worked()

    assert health.failing_since is None
    assert [record.getMessage() for record in caplog.records] == [
        "the store of pictures fails (writing): the disk is full",
        "the store of pictures works again (writing), after 60 seconds",
    ]
