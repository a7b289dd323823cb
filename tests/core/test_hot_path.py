"""What an undisturbed event may cost, counted and not timed."""

from collections import Counter

import pytest

from gemproxy.core import chunk as chunk_module
from gemproxy.core import intake as intake_module
from gemproxy.core.intake import Intake
from gemproxy.core.machine import StreamMachine
from gemproxy.core.request import StreamRequest
from gemproxy.core.rewrite import Rewriter
from gemproxy.core.sse import SSEDecoder, SSEEncoder
from tests.gemini import BODY, chunk, sse

EVENTS = 50
BLOCK = sse(*(chunk(f"word {number} ", usage=(3, number)) for number in range(EVENTS)))


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count what is done while a block of events passes."""
    counted: Counter[str] = Counter()

    def counting(owner: object, name: str, label: str) -> None:
        original = getattr(owner, name)

        def wrapper(*args: object, **kwargs: object) -> object:
            counted[label] += 1
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, wrapper)

    counting(intake_module, "read", "decodes")
    counting(chunk_module, "_read_slowly", "slow decodes")
    counting(StreamMachine, "receive", "inputs")
    counting(Rewriter, "rewrite", "rewrites")
    return counted


def test_each_event_is_decoded_and_judged_once_and_a_read_becomes_one_write(
    work: Counter[str],
) -> None:
    machine = StreamMachine(StreamRequest(BODY), SSEEncoder())
    intake = Intake(machine, SSEDecoder)
    intake.opened()
    work.clear()

    step = intake.received(BLOCK)

    assert step.raw == BLOCK
    assert work == {"decodes": EVENTS, "inputs": EVENTS}
    assert "document" not in vars(machine.request), "the request is not parsed"


def test_a_frame_is_a_slice_of_the_read_and_is_not_copied_again() -> None:
    frames = SSEDecoder().feed(BLOCK)

    assert len(frames) == EVENTS
    assert all(frame.data is not None for frame in frames)
    machine = StreamMachine(StreamRequest(BODY), SSEEncoder())
    intake = Intake(machine, SSEDecoder)
    intake.opened()
    one = sse(chunk("word", usage=(1, 1)))

    assert intake.received(one).raw == one
