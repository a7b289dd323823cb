"""Who gets which fault, and what a continuation gets."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.chaos.answers import Answer, Call
from gemproxy.chaos.behaviours import REFUSE_ONCE, SCARRING, Behaviour
from gemproxy.chaos.conversation import Relation
from gemproxy.chaos.faults import END, Fault, Kind, byte
from gemproxy.chaos.frames import token_for
from gemproxy.chaos.script import Conversation, Plan, Script, Stage
from tests.chaos.client import HELLO, continuation

TEXT = "The gears fell silent, and Ada began to turn the lamp by hand."
ANSWER = Answer(TEXT)
CUT = Fault(Kind.FIN, byte(120))
RESET = Fault(Kind.RST, byte(60))
REFUSED = Fault(Kind.REFUSE_CONNECT)
ECHO_NOTICE = "Go on, after this: <<<silent, and>>>"


def begun(script: Script) -> Conversation:
    conversation = Conversation(script)
    conversation.take(HELLO)
    return conversation


def resumed(behaviour: Behaviour, held: str = TEXT[:26], notice: str = ECHO_NOTICE) -> Plan:
    return begun(Script(ANSWER, behaviour=behaviour)).take(continuation(held, notice))


def test_each_attempt_gets_the_next_fault_until_there_are_no_more() -> None:
    conversation = Conversation(Script(ANSWER, faults=[CUT, None, RESET]))
    plans = [conversation.take(HELLO) for _ in range(5)]
    assert [plan.fault for plan in plans] == [CUT, None, RESET, None, None]
    assert [plan.number for plan in plans] == [0, 1, 2, 3, 4]


def test_a_replay_gets_the_whole_answer_again() -> None:
    plan = begun(Script(ANSWER, faults=[CUT])).take(HELLO)
    assert plan.asked.form is Relation.REPLAY
    assert plan.portion.text == TEXT


def test_a_continuation_gets_the_rest_behind_the_anchor() -> None:
    plan = resumed(Behaviour.ECHO)
    assert plan.portion.text == "silent, and" + TEXT[26:]
    assert plan.portion.resumed


@given(st.integers(0, len(TEXT)))
def test_every_beginning_of_the_answer_can_be_continued(cut: int) -> None:
    plan = resumed(Behaviour.PLAIN, TEXT[:cut], "Go on.")
    assert plan.refusal is None
    assert TEXT[:cut] + plan.portion.text == TEXT


def test_a_text_that_is_no_beginning_of_the_answer_is_a_violation() -> None:
    plan = resumed(Behaviour.ECHO, TEXT[:26] + TEXT[20:26])
    assert plan.violation
    assert plan.refusal == "The text to continue is no beginning of the answer."


@pytest.mark.parametrize("behaviour", [each for each in Behaviour if each in SCARRING])
def test_a_scar_may_be_quoted_by_the_next_continuation(behaviour: Behaviour) -> None:
    conversation = begun(Script(ANSWER, behaviour=behaviour))
    first = conversation.take(continuation(TEXT[:26]))
    whole = TEXT[:26] + first.portion.text
    held = whole[: len(whole) - 10]
    second = conversation.take(continuation(held))
    assert second.refusal is None
    assert second.portion.text.endswith(whole[-10:])


@pytest.mark.parametrize(
    "behaviour", [Behaviour.ECHO, Behaviour.RESTART, Behaviour.RESTART_DIFFERENT]
)
def test_an_echo_that_reached_the_client_is_a_violation(behaviour: Behaviour) -> None:
    conversation = begun(Script(ANSWER, behaviour=behaviour))
    first = conversation.take(continuation(TEXT[:26], ECHO_NOTICE))
    held = TEXT[:26] + first.portion.text[:15]
    assert conversation.take(continuation(held, ECHO_NOTICE)).violation


def test_behaviours_go_by_continuation_and_the_last_one_stays() -> None:
    script = Script(ANSWER, behaviour=[Behaviour.PLAIN, Behaviour.ECHO])
    conversation = begun(script)
    plans = [conversation.take(continuation(TEXT[:26])) for _ in range(3)]
    assert [p.behaviour for p in plans] == [Behaviour.PLAIN, Behaviour.ECHO, Behaviour.ECHO]


def test_a_refused_continuation_does_not_use_up_a_fault() -> None:
    conversation = begun(Script(ANSWER, faults=[CUT, RESET], behaviour=REFUSE_ONCE))
    refused = conversation.take(continuation(TEXT[:26]))
    taken = conversation.take(continuation(TEXT[:26]))
    assert (refused.refusal is None, refused.violation, refused.fault) == (False, False, None)
    assert (taken.refusal, taken.fault) == (None, RESET)


@pytest.mark.parametrize(
    ("behaviour", "form", "refused"),
    [
        (Behaviour.REFUSE, "user", True),
        (Behaviour.REFUSE, "model", True),
        (Behaviour.REFUSE_MODEL_TURN, "user", False),
        (Behaviour.REFUSE_MODEL_TURN, "model", True),
        (Behaviour.REFUSE_USER_TURN, "user", True),
        (Behaviour.REFUSE_USER_TURN, "model", False),
    ],
)
def test_refusals_look_at_the_last_turn(behaviour: Behaviour, form: str, *, refused: bool) -> None:
    document: dict[str, Any] = continuation(TEXT[:26])
    if form == "model":
        document["contents"].pop()
    plan = begun(Script(ANSWER, behaviour=behaviour)).take(document)
    assert (plan.refusal is not None) == refused
    assert not plan.violation


def test_nothing_is_a_stop_without_anything() -> None:
    plan = begun(Script(Answer(TEXT, "hm", closing=({"x": 1},)), behaviour=Behaviour.NOTHING)).take(
        continuation(TEXT[:26])
    )
    assert plan.answer == Answer()
    assert (plan.portion.text, plan.portion.thoughts) == ("", "")


def test_a_model_thinks_again_when_it_continues() -> None:
    thinking = begun(Script(Answer(TEXT, "hm"))).take(continuation(TEXT[:26]))
    assert thinking.portion.thoughts == "hm"
    assert resumed(Behaviour.ECHO).portion.thoughts == ""
    assert resumed(Behaviour.THINK_FIRST).portion.thoughts


def test_a_token_continues_after_its_checkpoint() -> None:
    plan = begun(Script(ANSWER)).take({**HELLO, "continuationToken": token_for(26)})
    assert plan.portion.text == TEXT[26:]
    assert plan.refusal is None


@pytest.mark.parametrize("token", ["foreign", token_for(len(TEXT) + 1)])
def test_a_foreign_token_is_a_violation(token: str) -> None:
    assert begun(Script(ANSWER)).take({**HELLO, "continuationToken": token}).violation


def answered(script: Script) -> Conversation:
    conversation = Conversation(script)
    conversation.sent(conversation.take(HELLO))
    return conversation


def test_after_a_whole_answer_a_longer_conversation_is_its_next_turn() -> None:
    plan = answered(Script(ANSWER)).take(continuation(TEXT, "And then?"))
    assert plan.behaviour is None
    assert plan.portion.text == TEXT


def test_after_a_whole_answer_an_anchor_still_marks_a_continuation() -> None:
    plan = answered(Script(ANSWER)).take(continuation(TEXT[:26], ECHO_NOTICE))
    assert plan.behaviour is Behaviour.ECHO


def test_after_a_cut_a_whole_text_is_still_continued() -> None:
    conversation = begun(Script(ANSWER, faults=[CUT]))
    plan = conversation.take(continuation(TEXT, "Go on."))
    assert plan.behaviour is Behaviour.ECHO
    assert plan.portion.text == ""


@pytest.mark.parametrize(
    ("fault", "whole"),
    [(None, True), (Fault(Kind.DRIP), True), (Fault(Kind.RST, END), True), (CUT, False)],
)
def test_a_conversation_that_rearms_starts_over_after_a_whole_answer(
    fault: Fault | None, *, whole: bool
) -> None:
    conversation = answered(Script(ANSWER, faults=[fault, RESET], rearm=True))
    assert conversation.take(HELLO).fault == (fault if whole else RESET)


def test_a_conversation_does_not_start_over_by_itself() -> None:
    assert answered(Script(ANSWER, faults=[CUT])).take(HELLO).fault is None


def test_an_attempt_with_another_story_did_not_answer() -> None:
    conversation = begun(Script(ANSWER, behaviour=Behaviour.RESTART_DIFFERENT))
    conversation.sent(conversation.take(continuation(TEXT[:3], "Go on.")))
    assert conversation.take(continuation(TEXT[:3], "Go on.")).behaviour is not None


def test_refused_connections_stand_between_attempts() -> None:
    script = Script(ANSWER, faults=[REFUSED, CUT, REFUSED, REFUSED, RESET])
    assert Stage({"*": script}).connections_to_refuse_first() == 1
    conversation = Conversation(script)
    assert conversation.take_refusals() == 0
    assert conversation.take(HELLO).fault == CUT
    assert (conversation.take_refusals(), conversation.take_refusals()) == (2, 0)
    assert conversation.take(HELLO).fault == RESET


def test_a_model_has_its_own_script_or_the_common_one() -> None:
    stage = Stage({"a": Script(Answer("A")), "*": Script(Answer("B"))})
    assert stage.conversation("a", "Hello").script.answer.text == "A"
    assert stage.conversation("b", "Hello").script.answer.text == "B"
    assert stage.has_script("b")
    assert not Stage({"a": Script(ANSWER)}).has_script("b")


def test_conversations_are_told_apart_by_their_opening() -> None:
    stage = Stage({"*": Script(ANSWER, faults=[CUT])})
    assert stage.conversation("m", "One").take(HELLO).fault == CUT
    assert stage.conversation("m", "Two").take(HELLO).fault == CUT
    assert stage.conversation("other", "One").take(HELLO).fault is None


def test_a_script_needs_a_behaviour() -> None:
    with pytest.raises(ValueError, match="behaviour"):
        Script(ANSWER, behaviour=())


def test_the_response_to_a_call_is_answered_with_a_text_that_can_be_continued() -> None:
    conversation = begun(Script(Answer(calls=(Call("look"),)), faults=[CUT, CUT]))
    response = {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {}}}]}
    asked = {"contents": [*HELLO["contents"], response]}

    first = conversation.take(asked)
    rest = conversation.take(
        {
            "contents": [
                *asked["contents"],
                *continuation(first.portion.text[:9], "Go on.")["contents"][1:],
            ]
        }
    )

    assert first.answer.calls == ()
    assert first.portion.text[:9] + rest.portion.text == first.portion.text


def test_a_request_for_json_with_an_impossible_schema_is_refused() -> None:
    asked = {**HELLO, "generationConfig": {"responseJsonSchema": {"$ref": "#/$defs/none"}}}

    plan = Conversation(Script(ANSWER, documents=True)).take(asked)

    assert plan.violation
    assert plan.refusal == "There is no answer in JSON: the schema has no #/$defs/none."
