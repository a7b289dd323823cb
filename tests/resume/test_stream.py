"""What a stream knows of itself."""

import pytest

from gemproxy.core.errors import LimitReached
from gemproxy.resume.log import Broken, Ending, Passed, Refused, Whole
from gemproxy.resume.stream import new_id
from tests.resume.test_shelf import shelf, stream


@pytest.mark.parametrize(
    ("ending", "frames", "state", "is_result"),
    [
        (None, 1, "running", True),
        (Whole(), 1, "done", True),
        (Passed(b""), 0, "done", True),
        (Broken({}), 1, "failed", True),
        (Broken({}), 0, "failed", False),
        (Broken({}, cancelled=True), 0, "cancelled", True),
        (Refused(ValueError()), 0, "failed", False),
        (Refused(ValueError(), cancelled=True), 0, "cancelled", True),
    ],
)
def test_its_state_and_whether_it_answers_its_request(
    ending: Ending | None, frames: int, state: str, is_result: bool
) -> None:
    made = stream(shelf()[0], frames=frames)
    made.log.ending = ending

    assert (made.state, made.is_result) == (state, is_result)


def test_followers_are_counted_and_bounded() -> None:
    made = stream(shelf()[0])
    made.most_followers, made.detached = 2, 5.0

    made.attach()
    made.attach()

    assert made.followers == 2
    assert not made.detached
    with pytest.raises(LimitReached):
        made.attach()
    assert made.followers == 2


def test_ids_are_random() -> None:
    assert len({new_id() for _ in range(100)}) == 100
    assert len(new_id()) == 32
