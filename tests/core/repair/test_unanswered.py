"""The errors for an attempt that brought no answer."""

import pytest

from gemproxy.core.repair.events import How
from gemproxy.core.repair.unanswered import unanswered

LATE = (504, "The upstream did not answer in time.")
AWAY = (503, "The upstream cannot be reached.")
CLOSED = (502, "The upstream closed the connection without an answer.")
HALF = (502, "The upstream closed the connection without a whole answer.")


@pytest.mark.parametrize(
    ("how", "none", "part"),
    [
        (How.UNREACHABLE, AWAY, AWAY),
        (How.NO_FIRST_BYTE, LATE, LATE),
        (How.STALLED, CLOSED, LATE),
        (How.RESET, CLOSED, HALF),
        (How.GARBLED, CLOSED, HALF),
        (How.EOF, CLOSED, HALF),
        (None, CLOSED, HALF),
    ],
)
def test_how_an_attempt_ended_decides(
    how: How | None, none: tuple[int, str], part: tuple[int, str]
) -> None:
    for expected, begun in ((none, False), (part, True)):
        error = unanswered(how, begun=begun)
        assert (error.status, error.message) == expected
