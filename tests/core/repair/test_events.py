"""What the machine is told and what it answers: the table from an end to its cause."""

import pytest

from gemproxy.core.repair.events import CAUSE_OF, Cause, How, Run


@pytest.mark.parametrize("how", How)
def test_every_end_has_a_cause(how: How) -> None:
    assert isinstance(CAUSE_OF[how], Cause)


def test_an_end_that_is_not_the_answers_is_a_drop() -> None:
    assert {how for how, cause in CAUSE_OF.items() if cause is Cause.DROP} == {How.EOF, How.RESET}


@pytest.mark.parametrize("rewritten", [True, False])
def test_a_run_is_divided_behind_its_first_event(rewritten: bool) -> None:
    run = Run(b"data: 1\n\ndata: 2\n\ndata: 3\n\n", 3, b"\n\n", rewritten, ["1", "2", "3"])

    first, others = run.divided()

    assert (first, *others.frames()) == run.frames()
    assert (others.count, list(others.texts)) == (2, ["2", "3"])
