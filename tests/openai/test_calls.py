"""Calls of functions as the client gets them."""

import json
from typing import Any

import attrs
import pytest

from gemproxy.openai import callid
from gemproxy.openai.calls import Calls
from tests.openai.told import STOP, TELLING, message, read

Json = dict[str, Any]

ARGS = {"city": "Zürich", "note": '海藻 🪸 \u2028 "quoted" \\', "depth": 1.0, "big": 2**53 + 1}


def called(*calls: Json, **rest: object) -> Json:
    """Return a frame with some calls; one with a ``sig`` is signed."""
    parts = []
    for call in calls:
        sig = call.pop("sig", None)
        parts.append({"functionCall": call} | ({"thoughtSignature": sig} if sig else {}))
    return {"candidates": [{"content": {"role": "model", "parts": parts}, **rest}]}


def tide(port: str, **rest: object) -> Json:
    return {"name": "tide", "args": {"port": port}, **rest}


def three_frames() -> list[Json]:
    return [
        called(tide("Brest", sig="c2lnMQ==")),
        called(tide("Kiel")),
        called(tide("Kiel"), {"name": "moon", "args": {}}, finishReason="STOP"),
    ]


def test_calls_in_frames_of_their_own_are_numbered_over_the_whole_answer() -> None:
    told = read(three_frames())
    assert [call["index"] for call in told.calls] == [0, 1, 2, 3]
    assert [call["function"]["name"] for call in told.calls] == ["tide", "tide", "tide", "moon"]
    ports = [json.loads(call["function"]["arguments"]).get("port") for call in told.calls]
    assert ports == ["Brest", "Kiel", "Kiel", None]
    assert len({call["id"] for call in told.calls}) == 4
    assert told.finish_reason == "tool_calls"


def test_a_unary_answer_has_the_same_calls_and_no_content() -> None:
    calls = [dict(call) for call in read(three_frames()).calls]
    for call in calls:
        del call["index"]
    whole = message(three_frames())
    assert whole["tool_calls"] == calls
    assert whole["content"] is None


def test_an_end_in_a_frame_of_its_own_does_not_hide_the_call() -> None:
    told = read(
        [
            {"candidates": [{"content": {"parts": [{"text": "I look it up."}]}}]},
            called({"id": "a1", "name": "lookup", "args": {"q": "kelp"}, "sig": "c2ln"}),
            {"candidates": [{"content": {"parts": [{"text": ""}]}, "finishReason": "STOP"}]},
        ]
    )
    assert (told.content, told.finish_reason) == ("I look it up.", "tool_calls")
    assert callid.apart(told.calls[0]["id"]) == ("a1", "c2ln")


def test_text_may_stand_on_both_sides_of_a_call() -> None:
    parts = [{"text": "a"}, {"functionCall": tide("Brest")}, {"text": "b"}]
    frames = [{"candidates": [{"content": {"parts": parts}}]}, STOP]
    told, whole = read(frames), message(frames)
    assert told.content == whole["content"] == "ab"
    assert len(told.calls) == len(whole["tool_calls"]) == 1


@pytest.mark.parametrize(
    "call", [{"name": "f"}, {"name": "f", "args": None}, {"name": "f", "args": 3}]
)
def test_a_call_without_arguments_has_an_empty_object(call: Json) -> None:
    told = read([called(call), STOP])
    assert told.calls[0]["function"]["arguments"] == "{}"


def test_arguments_keep_characters_and_large_numbers() -> None:
    text = read([called({"name": "f", "args": ARGS}), STOP]).calls[0]["function"]["arguments"]
    assert json.loads(text) == ARGS
    assert "9007199254740993" in text


def test_a_signature_stands_beside_the_call_and_in_its_id() -> None:
    for calls in (read(three_frames()).calls, message(three_frames())["tool_calls"]):
        assert calls[0]["extra_content"] == {"google": {"thought_signature": "c2lnMQ=="}}
        assert callid.apart(calls[0]["id"])[1] == "c2lnMQ=="
        assert not [call for call in calls[1:] if "extra_content" in call]


def test_the_same_frames_give_the_same_ids_and_other_answers_others() -> None:
    first, again = Calls(TELLING, "one"), Calls(TELLING, "one")
    other = Calls(TELLING, "two")
    call = {"name": "f"}
    assert first.told(call, None) == again.told(call, None) != other.told(call, None)


def test_an_id_that_comes_twice_is_replaced() -> None:
    told = read([called(tide("Brest", id="x"), tide("Kiel", id="x"), tide("Ems", id="")), STOP])
    assert told.calls[0]["id"] == "x"
    assert len({call["id"] for call in told.calls}) == 3


def test_the_client_gets_its_own_name() -> None:
    telling = attrs.evolve(TELLING, names={"f_3c1": "重启"})
    told = read([called({"name": "f_3c1", "args": {}}), STOP], telling)
    assert told.calls[0]["function"]["name"] == "重启"


def test_the_client_gets_the_types_of_its_own_schema() -> None:
    schema = {
        "type": "object",
        "properties": {
            "level": {"type": "integer", "enum": [0, 1, 2]},
            "on": {"type": "boolean", "enum": [True]},
        },
    }
    telling = attrs.evolve(TELLING, schemas={"f": schema})
    for args in ({"level": "2", "on": "true"}, {"level": 2, "on": True}):
        told = read([called({"name": "f", "args": args}), STOP], telling)
        assert json.loads(told.calls[0]["function"]["arguments"]) == {"level": 2, "on": True}


def test_a_client_that_wants_one_call_gets_the_first() -> None:
    telling = attrs.evolve(TELLING, single_call=True)
    told, whole = read(three_frames(), telling), message(three_frames(), telling)
    assert [json.loads(call["function"]["arguments"]) for call in told.calls] == [{"port": "Brest"}]
    assert len(whole["tool_calls"]) == 1
    assert told.finish_reason == "tool_calls"


def test_a_client_of_the_first_days_gets_a_function_call() -> None:
    telling = attrs.evolve(TELLING, legacy=True)
    told, whole = read(three_frames(), telling), message(three_frames(), telling)
    call = {"name": "tide", "arguments": '{"port":"Brest"}'}
    assert told.function_call == whole["function_call"] == call
    assert told.finish_reason == "function_call"
    assert whole["content"] is None
    assert "tool_calls" not in whole
