"""A whole answer as one chat.completion."""

import json

from openai.types.chat import ChatCompletion

from gemproxy.openai.completion import Message, completion
from tests.openai.told import STOP, answer, frame, from_bytes, message, text


def test_several_choices_are_one_answer() -> None:
    whole = answer(n=2)
    messages = [Message.of(whole, index) for index in range(2)]
    for each, name in zip(messages, ("Alk", "Bora"), strict=True):
        each.take([frame(text(name)), frame(STOP)])
    assert [each.end() for each in reversed(messages)] == [False, True]
    document = json.loads(b"".join(completion(whole, messages)))
    told = [(one["index"], one["message"]["content"]) for one in document["choices"]]
    assert told == [(0, "Alk"), (1, "Bora")]
    ChatCompletion.model_validate(document, strict=True)


def test_a_run_of_events_is_taken_as_it_is() -> None:
    events = [{**text(f"{number} "), "responseId": "r"} for number in range(5)]
    stream = b"".join(b"data: %b\r\n\r\n" % json.dumps(one).encode() for one in [*events, STOP])
    whole = answer()
    collecting = Message.of(whole)
    collecting.take(from_bytes(stream))
    collecting.end()
    document = json.loads(b"".join(completion(whole, [collecting])))
    assert document["choices"][0]["message"]["content"] == "0 1 2 3 4 "
    assert document["id"] == "chatcmpl-r"


def test_the_end_of_the_upstream_may_say_something() -> None:
    whole = answer()
    collecting = Message.of(whole)
    collecting.take([frame(text("a"))])
    (tail,) = frame(text("b", finishReason="STOP")).frames
    assert collecting.end(tail)
    assert (
        json.loads(b"".join(completion(whole, [collecting])))["choices"][0]["message"]["content"]
        == "ab"
    )


def test_a_message_has_only_what_was_said() -> None:
    assert message([text("a"), STOP]) == {"role": "assistant", "content": "a", "refusal": None}
