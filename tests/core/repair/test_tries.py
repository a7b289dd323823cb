"""How often something is asked for again in one stream, and how."""

import pytest

from gemproxy.core.repair.attempt import Plan
from gemproxy.core.repair.continuation import Form
from gemproxy.core.repair.ending import Meaning
from gemproxy.core.repair.forms import Forms
from gemproxy.core.repair.policy import Policy
from gemproxy.core.repair.request import StreamRequest
from gemproxy.core.repair.tries import Tries
from tests.gemini import BODY


def tries(first: Form = Form.ECHO, *, empty_stops: int = 2, bad_finishes: int = 2) -> Tries:
    policy = Policy(empty_stop_retries=empty_stops, bad_finish_replays=bad_finishes)
    return Tries(policy, Forms(StreamRequest(BODY), first))


def test_an_empty_stop_is_asked_again_as_often_as_the_policy_says() -> None:
    unit = tries(empty_stops=2)

    assert [unit.may_ask_after_nothing() for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    ("means", "answers"),
    [(Meaning.REPLAY, [True, True, False]), (Meaning.REROLL, [True, False, False])],
)
def test_a_bad_finish_is_asked_again_so_often_and_a_reroll_once(
    means: Meaning, answers: list[bool]
) -> None:
    unit = tries(bad_finishes=2)

    assert [unit.may_replay(means) for _ in range(3)] == answers


def test_two_forms_have_to_agree_that_there_is_nothing_new() -> None:
    unit = tries()

    unit.brings_nothing(Plan.TEXT)
    assert not unit.agree
    unit.fails(Plan.TEXT)
    assert unit.way("").form is Form.QUOTED
    unit.brings_nothing(Plan.TEXT)
    assert unit.agree
    assert not unit.nothing_left


def test_a_token_and_a_form_agree_too() -> None:
    unit = tries()

    unit.brings_nothing(Plan.NATIVE)
    unit.fails(Plan.NATIVE)
    assert not unit.natively
    unit.brings_nothing(Plan.TEXT)
    assert unit.agree


def test_where_there_is_one_form_it_has_to_agree_with_itself() -> None:
    unit = tries(Form.PREFILL)

    unit.brings_nothing(Plan.TEXT)
    assert not unit.agree
    unit.brings_nothing(Plan.TEXT)
    assert unit.agree


def test_a_model_that_brings_nothing_is_not_asked_for_ever() -> None:
    unit = tries(empty_stops=1)

    unit.brings_nothing(Plan.TEXT)
    assert not unit.nothing_left
    unit.brings_nothing(Plan.TEXT)
    assert unit.nothing_left


def test_the_way_of_the_next_attempt_follows_from_what_was_tried() -> None:
    unit = tries()
    assert (unit.way("").natively, unit.way("").replay, unit.way("").last) == (True, True, False)

    for plan in (Plan.NATIVE, Plan.TEXT, Plan.TEXT):
        unit.fails(plan)
    unit.replayed = True

    way = unit.way("waiting")
    assert (way.natively, way.replay, way.last, way.ahead) == (False, False, True, "waiting")


def test_twenty_hops_in_a_row_may_bring_no_text() -> None:
    unit = tries()
    for silent in [*[True] * 20, False, *[True] * 20]:
        unit.hop(silent=silent)
    assert not unit.spent

    unit.hop(silent=True)

    assert (unit.spent, unit.hops) == (True, 42)


def test_two_forms_have_to_bring_the_same_remainder() -> None:
    unit = tries()

    assert not unit.brings_remainder(Plan.TEXT, 90, "1")
    unit.fails(Plan.TEXT)
    assert not unit.brings_remainder(Plan.TEXT, 90, "12")
    assert not unit.brings_remainder(Plan.TEXT, 91, "1")
    assert unit.brings_remainder(Plan.TEXT, 90, "1")
    assert unit.nothing_left


def test_where_there_is_one_form_a_remainder_has_to_come_twice() -> None:
    unit = tries(Form.PREFILL)

    assert not unit.brings_remainder(Plan.TEXT, 90, "1")
    assert unit.brings_remainder(Plan.TEXT, 90, "1")


def test_behind_a_remainder_nothing_is_no_end() -> None:
    unit = tries()
    unit.brings_remainder(Plan.TEXT, 90, "1")

    unit.brings_nothing(Plan.TEXT)
    unit.fails(Plan.TEXT)
    unit.brings_nothing(Plan.TEXT)

    assert unit.agree
    assert not unit.believes_nothing(90)
    assert unit.believes_nothing(91)
