"""Requests are recognised for what they are."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.chaos.conversation import Relation, first_user_text, recognise, texts_of, turns_of

USER = {"role": "user", "parts": [{"text": "Hello"}]}
NOTICE = {"role": "user", "parts": [{"text": "Go on, after this: <<<the anchor>>>"}]}


def model(*texts: str) -> dict[str, Any]:
    return {"role": "model", "parts": [{"text": text} for text in texts]}


def asked_for(
    *contents: object, original: list[Any] | None = None
) -> tuple[Relation, str, str | None]:
    begun = turns_of({"contents": [USER] if original is None else original})
    asked = recognise({"contents": list(contents)}, begun)
    return asked.form, asked.held, asked.anchor


def test_the_first_request_begins_a_turn() -> None:
    assert recognise({"contents": [USER]}, None).form is Relation.NEW_TURN


def test_the_same_contents_are_a_replay() -> None:
    assert asked_for(USER)[0] is Relation.REPLAY


def test_a_model_turn_and_a_notice_are_a_continuation() -> None:
    assert asked_for(USER, model("Once "), NOTICE) == (Relation.USER_TURN, "Once ", "the anchor")


@given(st.text(min_size=1))
def test_the_held_text_comes_out_as_it_went_in(text: str) -> None:
    assert asked_for(USER, model(text), NOTICE)[1] == text


def test_the_held_text_may_come_in_several_parts_and_turns() -> None:
    assert asked_for(USER, model("On", "ce "), NOTICE, model("upon"), NOTICE) == (
        Relation.USER_TURN,
        "Once upon",
        "the anchor",
    )


def test_a_thought_is_no_part_of_the_held_text() -> None:
    turn = {"role": "model", "parts": [{"text": "hm", "thought": True}, {"text": "Once"}]}
    assert asked_for(USER, turn, NOTICE)[1] == "Once"


def test_a_trailing_model_turn_is_a_prefill() -> None:
    assert asked_for(USER, model("Once")) == (Relation.PREFILL, "Once", None)


def test_a_text_quoted_in_the_notice_is_a_continuation() -> None:
    notice = "<reply_so_far>\nOnce\n\n</reply_so_far>\n\nGo on: <<<ce\n>>>"
    turn = {"role": "user", "parts": [{"text": notice}]}
    assert asked_for(USER, turn) == (Relation.QUOTED, "Once\n", "ce\n")


def test_a_user_turn_that_quotes_nothing_is_a_new_turn() -> None:
    assert asked_for(USER, NOTICE)[0] is Relation.NEW_TURN


@pytest.mark.parametrize("after", [[], [NOTICE]])
def test_parts_added_to_a_last_model_turn_are_a_continuation(after: list[Any]) -> None:
    original = [USER, model("Dear ")]
    form, held, _ = asked_for(USER, model("Dear ", "Ada, "), *after, original=original)
    assert form is (Relation.USER_TURN if after else Relation.PREFILL)
    assert held == "Ada, "


def test_another_last_model_turn_is_a_new_turn() -> None:
    assert asked_for(USER, model("Other"), original=[USER, model("Dear ")])[0] is Relation.NEW_TURN


def test_the_answer_to_a_call_is_a_new_turn() -> None:
    call = {"role": "model", "parts": [{"functionCall": {"name": "f"}}]}
    response = {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]}
    assert asked_for(USER, call, response)[0] is Relation.NEW_TURN


def test_another_conversation_is_a_new_turn() -> None:
    assert asked_for({"role": "user", "parts": [{"text": "Bye"}]})[0] is Relation.NEW_TURN


@pytest.mark.parametrize("name", ["continuationToken", "continuation_token"])
def test_a_token_asks_for_what_follows_a_checkpoint(name: str) -> None:
    asked = recognise({"contents": [USER], name: "t"}, turns_of({"contents": [USER]}))
    assert (asked.form, asked.token) == (Relation.TOKEN, "t")


@pytest.mark.parametrize(
    "contents",
    ["Hello", {"parts": {"text": "Hello"}}, [{"parts": [{"text": "Hello"}]}], [USER]],
)
def test_every_spelling_of_a_conversation_is_the_same(contents: object) -> None:
    turns = turns_of({"contents": contents})
    assert turns == turns_of({"contents": [USER]})
    assert first_user_text(turns) == texts_of(turns) == "Hello"


@pytest.mark.parametrize("contents", [None, 5, [], [None], [{"parts": [None, 3]}]])
def test_what_is_no_conversation_has_no_text(contents: object) -> None:
    assert first_user_text(turns_of({"contents": contents})) == ""
