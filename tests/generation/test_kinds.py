"""The account of a stream: who pays for what its attempts cost."""

from typing import Any

from gemproxy.core.answer.usage import Billed
from gemproxy.core.interactions.event import EventReceived, read
from gemproxy.core.interactions.machine import InteractionMachine
from gemproxy.core.interactions.origin import Origin
from gemproxy.core.repair.events import Opened, Rejected
from gemproxy.core.repair.machine import StreamMachine
from gemproxy.core.wire.frame import Frame
from gemproxy.exchange.account import Spent
from gemproxy.generation.kinds import INTERACTION, STREAM, Course
from tests.gemini import Json, chunk, received
from tests.streams import (
    EOF,
    IMAGE,
    RESET,
    REST,
    STORY,
    THOUGHT,
    anchor_of,
    fed,
    machine,
    part_frame,
)


def counts(prompt: int, output: int, thoughts: int = 0, **more: Any) -> Json:
    told = {"promptTokenCount": prompt, "candidatesTokenCount": output, **more}
    return {"usageMetadata": {**told, "thoughtsTokenCount": thoughts}}


def bill(prompt: int, output: int, thoughts: int = 0) -> Billed:
    return Billed(prompt, output, thoughts, prompt + output + thoughts)


def spent(stream: StreamMachine) -> Spent:
    found = STREAM.result(stream, Course()).spent
    assert found is not None
    return found


def test_an_undisturbed_stream_costs_its_client_everything() -> None:
    stream = fed(machine(), received(chunk(STORY, finish="STOP", **counts(9, 8, 7))), EOF)

    assert spent(stream) == Spent((bill(9, 8, 7),), bill(9, 8, 7))


def test_repeated_prompts_and_swallowed_thoughts_are_not_the_clients() -> None:
    stream = fed(machine(), received(chunk(STORY, **counts(9, 8, 7))), RESET)
    rest = chunk(anchor_of(stream) + REST, finish="STOP", **counts(20, 6, 5))
    fed(stream, received(rest), EOF)
    told = spent(stream)

    assert told.bills == (bill(9, 8, 7), bill(20, 6, 5))
    assert (told.own.prompt, told.own.thoughts) == (9, 7)
    assert 8 < told.own.output < 14
    assert not told.estimated


def test_thoughts_of_an_attempt_that_showed_nothing_are_not_the_clients() -> None:
    stream = fed(machine(), received(chunk(**counts(9, 0, 7))), RESET)
    fed(stream, received(chunk(STORY, finish="STOP", **counts(9, 8, 3))), EOF)

    assert spent(stream) == Spent((bill(9, 0, 7), bill(9, 8, 3)), bill(9, 8, 3))


def test_delivered_thoughts_are_the_clients_and_those_behind_them_are_not() -> None:
    stream = fed(machine(), received(part_frame(THOUGHT, **counts(9, 0, 7))), RESET)
    fed(stream, received(chunk(STORY, finish="STOP", **counts(9, 8, 3))), EOF)

    assert spent(stream).own == bill(9, 8, 7)


def test_a_picture_counts_in_full() -> None:
    details = [{"modality": "IMAGE", "tokenCount": 1290}]
    told = counts(9, 1290, candidatesTokensDetails=details)
    stream = fed(machine(), received(part_frame(IMAGE, finish="STOP", **told)), EOF)

    assert spent(stream).own == Billed(9, 1290, 0, 1299, image_output=1290)


def test_a_blocked_prompt_costs_its_input() -> None:
    blocked = {
        "promptFeedback": {"blockReason": "SAFETY"},
        "usageMetadata": {"promptTokenCount": 9},
    }
    stream = fed(machine(), received(blocked), EOF)

    assert spent(stream) == Spent((bill(9, 0),), bill(9, 0))


def test_a_stream_that_failed_with_nothing_shown_costs_its_client_nothing() -> None:
    stream = fed(machine(repair=False), received(chunk(**counts(9, 0, 7))), RESET)
    refused = machine()
    refused.receive(Rejected(400, b"{}"))

    assert spent(stream) == Spent((bill(9, 0, 7),))
    assert spent(refused).own == Billed()


def test_a_stream_that_its_client_left_costs_what_it_told_last() -> None:
    stream = fed(machine(), received(chunk(STORY, **counts(9, 8, 7))))

    assert spent(stream) == Spent((bill(9, 8, 7),), bill(9, 8, 7))
    assert spent(stream) == Spent((bill(9, 8, 7),), bill(9, 8, 7))


def test_a_stream_that_told_nothing_costs_its_characters() -> None:
    told = spent(fed(machine(), received(chunk("word " * 16))))

    assert (told.own.output, told.own.prompt) == (20, 0)
    assert (told.estimated, told.unread) == (True, True)


def test_a_stream_that_nobody_answered_costs_nothing() -> None:
    assert not spent(machine()).unread


def interaction(*events: bytes) -> Spent:
    made = InteractionMachine(Origin.of_body(b'{"model": "x", "stream": true}'))
    made.receive(Opened())
    for data in events:
        made.receive(EventReceived(Frame(b"data: " + data + b"\n\n", data), read(data)))
    found = INTERACTION.result(made, Course()).spent
    assert found is not None
    return found


DELTA = b'{"event_type": "step.delta", "delta": {"type": "text", "text": "word word word word "}}'
COMPLETED = (
    b'{"event_type": "interaction.completed", "interaction": {"id": "x", "usage":'
    b' {"total_input_tokens": 9, "total_output_tokens": 8, "total_thought_tokens": 7}}}'
)


def test_an_interaction_costs_what_it_tells_at_its_end() -> None:
    assert interaction(DELTA, COMPLETED) == Spent((bill(9, 8, 7),), bill(9, 8, 7))


def test_an_interaction_that_broke_off_costs_its_characters() -> None:
    told = interaction(DELTA, DELTA)

    assert (told.own.output, told.estimated, told.unread) == (10, True, True)


def test_an_interaction_without_an_answer_costs_nothing() -> None:
    assert interaction() == Spent()
