"""From where an interaction is read on."""

import pytest

from gemproxy.core.interactions.origin import Point, target_from


@pytest.mark.parametrize(
    ("target", "point", "created", "read_on"),
    [
        ("/v1/interactions", Point("v1_a"), True, "/v1/interactions/v1_a?stream=true"),
        ("/v1/interactions/", Point("a"), True, "/v1/interactions/a?stream=true"),
        (
            "/v1/interactions?alt=sse",
            Point("a/b", "c&d=e"),
            True,
            "/v1/interactions/a%2Fb?alt=sse&stream=true&last_event_id=c%26d%3De",
        ),
        (
            "/v1/interactions/v1_a?stream=true&last_event_id=old&include_input=true&key=k",
            Point("v1_a", "new"),
            False,
            "/v1/interactions/v1_a?include_input=true&key=k&stream=true&last_event_id=new",
        ),
        (
            "/v1/interactions/v1%5Fa?stream=true&lastEventId=old",
            Point("v1_a", "new"),
            False,
            "/v1/interactions/v1%5Fa?stream=true&last_event_id=new",
        ),
    ],
)
def test_the_target_reads_on_from_a_point(
    target: str, point: Point, created: bool, read_on: str
) -> None:
    assert target_from(target, point, created=created) == read_on
