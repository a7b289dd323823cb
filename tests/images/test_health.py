"""Health: one line when it begins to fail, one when it works again."""

import logging

import pytest

from gemproxy.images.health import CHANCE, Health


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


def test_what_fails_is_doubted_and_has_a_chance_every_so_often() -> None:
    now = 1000.0
    health = Health("writing", lambda: now)
    assert not health.is_doubted()

    health.failed("it takes too long")
    assert health.is_doubted()
    now += CHANCE
    assert [health.is_doubted(), health.is_doubted()] == [False, True]
    health.worked()
    assert not health.is_doubted()
