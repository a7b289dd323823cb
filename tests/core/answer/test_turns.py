"""What a Live session costs: the sum of its turns."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.answer.turns import Turns
from gemproxy.core.answer.usage import Billed


def usage(prompt: int, output: int, **more: object) -> bytes:
    counts = {"promptTokenCount": prompt, "responseTokenCount": output}
    return json.dumps({"usageMetadata": {**counts, **more}}).encode()


COMPLETE = b'{"serverContent": {"turnComplete": true}}'


def bills(*messages: bytes) -> list[tuple[int, int]]:
    turns = Turns()
    for message in messages:
        turns.take(message)
    return [(bill.prompt, bill.output) for bill in turns.bills]


@pytest.mark.parametrize(
    ("messages", "costs"),
    [
        ([], []),
        ([usage(10, 5), COMPLETE], [(10, 5)]),
        ([usage(10, 5)], [(10, 5)]),
        ([usage(10, 2), usage(10, 5), COMPLETE, usage(20, 3)], [(10, 5), (20, 3)]),
        ([usage(10, 5), usage(20, 3)], [(10, 5), (20, 3)]),
        ([usage(10, 5), usage(10, 2)], [(10, 5), (10, 2)]),
        ([usage(10, 5), COMPLETE, usage(10, 5), COMPLETE], [(10, 5), (10, 5)]),
        ([COMPLETE, usage(10, 5), COMPLETE, usage(16, 1)], [(10, 5), (16, 1)]),
    ],
)
def test_the_last_message_of_a_turn_counts_and_turns_add_up(
    messages: list[bytes], costs: list[tuple[int, int]]
) -> None:
    assert bills(*messages) == costs


def test_a_message_can_tell_the_cost_and_the_end_of_a_turn() -> None:
    both = json.loads(usage(10, 5)) | json.loads(COMPLETE)

    assert bills(json.dumps(both).encode(), usage(10, 5)) == [(10, 5), (10, 5)]


def test_a_turn_has_its_modalities() -> None:
    turns = Turns()
    spoken = [{"modality": "AUDIO", "tokenCount": 4}, {"modality": "TEXT", "tokenCount": 1}]
    turns.take(usage(10, 5, promptTokensDetails=spoken, responseTokensDetails=spoken))

    assert turns.bills == (Billed(10, 5, 0, 15, audio=4, audio_output=4),)


@given(st.binary(max_size=40))
def test_other_messages_tell_nothing(rest: bytes) -> None:
    assert bills(b'{"usageMetadata"' + rest, b'"turnComplete"' + rest, rest) == []
