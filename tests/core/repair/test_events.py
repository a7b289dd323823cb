"""What the machine is told and what it answers: the table from an end to its cause."""

import pytest

from gemproxy.core.repair.events import CAUSE_OF, Cause, How


@pytest.mark.parametrize("how", How)
def test_every_end_has_a_cause(how: How) -> None:
    assert isinstance(CAUSE_OF[how], Cause)


def test_an_end_that_is_not_the_answers_is_a_drop() -> None:
    assert {how for how, cause in CAUSE_OF.items() if cause is Cause.DROP} == {How.EOF, How.RESET}
