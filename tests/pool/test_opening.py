"""How a conversation is known, by the bodies that clients send."""

import json
from typing import Any

import pytest

from gemproxy.pool.opening import LARGEST, opening


def turn(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"text": text}]}


def body(*turns: Any, **others: Any) -> bytes:
    return json.dumps({**others, "contents": list(turns)}).encode()


HELLO, HI = turn("user", "Hello"), turn("model", "Hi.")


def test_a_request_without_an_answer_has_one_hash() -> None:
    assert len(opening("ann", body(HELLO))) == 1
    assert len(opening("ann", body(HELLO, turn("user", "Are you there?")))) == 1


def test_a_conversation_keeps_its_hashes_for_twenty_turns() -> None:
    turns = [HELLO, HI]
    known = opening("ann", body(*turns))

    for number in range(20):
        turns += [turn("user", f"question {number}"), turn("model", f"answer {number}")]
        assert opening("ann", body(*turns)) == known

    assert known[:1] == opening("ann", body(HELLO))


@pytest.mark.parametrize("name", ["systemInstruction", "system_instruction"])
def test_the_system_instruction_does_not_matter(name: str) -> None:
    plain = body(HELLO, HI)

    assert opening("ann", body(HELLO, HI, **{name: turn("user", "Be brief.")})) == opening(
        "ann", plain
    )


def test_another_first_turn_answer_or_caller_is_another_conversation() -> None:
    known = opening("ann", body(HELLO, HI))

    other_answer = opening("ann", body(HELLO, turn("model", "Good day.")))
    assert other_answer[0] == known[0]
    assert other_answer[1] != known[1]
    assert set(opening("ann", body(turn("user", "Hey"), HI))).isdisjoint(known)
    assert set(opening("bob", body(HELLO, HI))).isdisjoint(known)


def test_a_single_object_stands_for_a_list() -> None:
    listed = opening("ann", body(HELLO))

    assert opening("ann", json.dumps({"contents": HELLO}).encode()) == listed
    assert opening("ann", body({"parts": {"text": "Hello"}})) == listed


def test_a_bare_string_is_a_turn() -> None:
    assert len(opening("ann", b'{"contents": "Hello"}')) == 1


def test_a_call_and_its_response_are_turns() -> None:
    call = {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]}
    response = {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]}

    assert opening("ann", body(HELLO, call)) == opening("ann", body(HELLO, call, response))


def test_long_turns_that_differ_at_an_end_differ() -> None:
    picture = "A" * 300_000
    known = opening("ann", body(turn("user", picture)))

    assert opening("ann", body(turn("user", f"{picture}B"))) != known
    assert opening("ann", body(turn("user", f"B{picture[1:]}"))) != known
    assert opening("ann", body(turn("user", f"{picture[1:]}B"))) != known


def test_the_openai_dialect_has_conversations() -> None:
    system = {"role": "system", "content": "Be brief."}
    hello = {"role": "user", "content": "Hello"}
    hi = {"role": "assistant", "content": "Hi."}

    def asked(*messages: dict[str, str]) -> tuple[bytes, ...]:
        return opening("ann", json.dumps({"messages": messages}).encode())

    assert len(asked(system, hello)) == 1
    assert asked(hello, hi) == asked(system, hello, hi) == asked(hello, hi, hello)
    assert len(asked(hello, hi)) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"contents": []}',
        b'{"contents": 5}',
        b'{"contents": [5]}',
        b'{"contents": [{"role": 5}]}',
        b'{"contents": [{"parts": [{"text": "cut',
        b"\xff\xfe",
        b'{"contents":' + b"[" * 100_000,
    ],
)
def test_what_is_no_conversation_has_no_hash(data: bytes) -> None:
    assert opening("ann", data) == ()


def test_a_huge_body_is_no_conversation() -> None:
    assert opening("ann", body(turn("user", "A" * LARGEST))) == ()
