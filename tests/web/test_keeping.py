"""Which settings keep streams, and what is made of them."""

import pytest

from gemproxy.web.keeping import bounds_of, rules_of, wanted
from tests.running import settings


@pytest.mark.parametrize(
    ("workers", "enabled", "kept"),
    [(1, None, True), (2, None, False), (1, False, False), (1, True, True)],
)
def test_streams_are_kept_with_one_worker_unless_the_settings_say_otherwise(
    workers: int, enabled: bool | None, kept: bool
) -> None:
    made = settings("http://127.0.0.1:9", server={"workers": workers}, resume={"enabled": enabled})

    assert wanted(made) is kept


def test_the_settings_are_the_bounds_and_the_rules() -> None:
    made = settings(
        "http://127.0.0.1:9",
        resume={"max_streams": 7, "max_followers": 2, "on_disconnect": "cancel"},
        client={"heartbeat_seconds": 3.0},
    )

    assert (bounds_of(made).streams, bounds_of(made).stream_bytes) == (7, 8 << 20)
    rules = rules_of(made)
    assert (rules.followers, rules.on_disconnect, rules.heartbeat) == (2, "cancel", 3.0)
