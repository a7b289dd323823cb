"""A request and a conversation make the same bytes every time."""

import json

from gemproxy.chaos.answers import Answer
from gemproxy.chaos.behaviours import Behaviour
from gemproxy.chaos.delivery import Close, Send, Transfer, Wiring
from gemproxy.chaos.faults import THINKING, Fault, Kind, byte
from gemproxy.chaos.generation import Generation, generate
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Conversation, Script
from gemproxy.chaos.wire import Request
from tests.chaos.client import HELLO, Seen, continuation

STORY = BUILT_IN["story"]


def request(
    document: object = HELLO, method: str = "streamGenerateContent", version: str = "HTTP/1.1"
) -> Request:
    target = f"/v1/models/g:{method}?alt=sse"
    return Request("POST", target, version, (), json.dumps(document).encode())


def seen(generation: Generation) -> Seen:
    sent = [step.data for step in generation.steps if isinstance(step, Send)]
    return Seen(b"".join(sent), reset=False)


def bytes_of(seed: int, count: int = 1) -> list[bytes]:
    conversation = Conversation(Script(STORY))
    return [seen(generate(request(), "g", conversation, seed)).raw for _ in range(count)]


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert bytes_of(1, 3) == bytes_of(1, 3)
    assert bytes_of(1) != bytes_of(2)


def test_attempts_differ_in_their_chunks_and_ids_and_not_in_their_text() -> None:
    conversation = Conversation(Script(STORY))
    one, two = (seen(generate(request(), "g", conversation, 0)) for _ in range(2))
    assert one.text == two.text == STORY.text
    assert len(one.documents) != len(two.documents)
    assert one.documents[0]["responseId"] != two.documents[0]["responseId"]


def test_conversations_differ_in_their_ids() -> None:
    other = {"contents": [{"parts": [{"text": "Good evening"}]}]}
    one = seen(generate(request(), "g", Conversation(Script(STORY)), 0))
    two = seen(generate(request(other), "g", Conversation(Script(STORY)), 0))
    assert one.documents[0]["responseId"] != two.documents[0]["responseId"]


def test_the_prompt_is_counted_and_the_model_is_named() -> None:
    first = seen(generate(request(), "g", Conversation(Script(STORY)), 0)).documents[0]
    assert first["usageMetadata"]["promptTokenCount"] == 2
    assert first["modelVersion"] == "g"


def test_a_unary_answer_is_one_document() -> None:
    got = seen(generate(request(method="generateContent"), "g", Conversation(Script(STORY)), 0))
    (candidate,) = json.loads(got.body)["candidates"]
    assert candidate["content"]["parts"] == [{"text": STORY.text}]


def test_http_1_0_gets_no_chunks() -> None:
    generation = generate(request(version="HTTP/1.0"), "g", Conversation(Script(STORY)), 0)
    assert "chunked" not in seen(generation).head
    assert generation.steps[-1] is Close.FIN


def test_a_script_decides_how_the_body_travels() -> None:
    script = Script(STORY, wiring=Wiring(Transfer.LENGTH), line_end="\n")
    got = seen(generate(request(), "g", Conversation(script), 0))
    assert f"Content-Length: {len(got.body)}" in got.head
    assert b"\r\n" not in got.body


def test_a_fault_is_worked_in() -> None:
    conversation = Conversation(Script(STORY, faults=[Fault(Kind.FIN, byte(99))]))
    generation = generate(request(), "g", conversation, 0)
    assert len(seen(generation).body) == 99
    assert generation.steps[-1] is Close.FIN


def test_a_violation_is_answered_with_400_and_reported() -> None:
    conversation = Conversation(Script(Answer("Hello")))
    generate(request(), "g", conversation, 0)
    generation = generate(request(continuation("Hi")), "g", conversation, 0)
    assert seen(generation).status == 400
    assert generation.violation == "The text to continue is no beginning of the answer."


def test_a_refusal_on_purpose_is_no_violation() -> None:
    conversation = Conversation(Script(Answer("Hello"), behaviour=Behaviour.REFUSE))
    generate(request(), "g", conversation, 0)
    generation = generate(request(continuation("He")), "g", conversation, 0)
    assert seen(generation).status == 400
    assert generation.violation is None


def test_a_fault_that_does_not_fit_the_answer_is_said_loudly() -> None:
    conversation = Conversation(Script(Answer("Hello"), faults=[Fault(Kind.STALL, THINKING)]))
    generation = generate(request(), "g", conversation, 0)
    assert seen(generation).status == 500
    assert generation.violation == (
        "The chaos server cannot do stall@thinking: the answer has no thoughts."
    )
