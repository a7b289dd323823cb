"""What an undisturbed event may cost, counted and not timed."""

import sys
from collections import Counter

import attrs
import pytest

from gemproxy.core.answer import chunk as chunk_module
from gemproxy.core.answer.chunk import Chunk
from gemproxy.core.answer.rewrite import Rewriter
from gemproxy.core.repair.events import How, Run
from gemproxy.core.repair.intake import Intake
from gemproxy.core.repair.machine import StreamMachine
from gemproxy.core.repair.reading import STREAM
from gemproxy.core.repair.request import StreamRequest
from gemproxy.core.wire import flow as flow_module
from gemproxy.core.wire.frame import Data
from gemproxy.core.wire.sse import SSEDecoder
from gemproxy.voices.sse import EventVoice
from tests.gemini import BODY, chunk, sse
from tests.playbook import said

EVENTS = 50
FIRST = sse(chunk("A beginning. "))
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

    counting(flow_module, "_decode", "decodes")
    counting(chunk_module, "read_tolerantly", "slow decodes")
    counting(StreamMachine, "receive", "inputs")
    counting(Rewriter, "rewrite", "rewrites")
    return counted


def begun(work: Counter[str] | None = None) -> Intake[StreamMachine]:
    """Return the intake of a stream that runs undisturbed; ``work`` counts general decodes."""
    counted = Counter[str]() if work is None else work

    def read(data: Data) -> Chunk:
        counted["general decodes"] += 1
        return chunk_module.read(data)

    reading = attrs.evolve(STREAM, read=read)
    intake = Intake(StreamMachine(StreamRequest(BODY)), SSEDecoder, reading)
    intake.opened()
    intake.received(FIRST)
    return intake


def test_each_event_is_decoded_once_and_a_read_is_one_input_and_one_write(
    work: Counter[str],
) -> None:
    intake = begun(work)
    work.clear()

    step = intake.received(BLOCK)

    assert said(step.out) == BLOCK
    assert work == {"decodes": EVENTS, "inputs": 1}
    assert "document" not in vars(intake.machine.request), "the request is not parsed"


def test_a_read_that_ends_within_an_event_is_one_write_too(work: Counter[str]) -> None:
    intake = begun(work)
    half = BLOCK[: len(BLOCK) - 20]
    work.clear()

    assert said(intake.received(half).out) == BLOCK[: BLOCK.rindex(b"data: ")]
    assert said(intake.received(BLOCK[len(half) :]).out) == BLOCK[BLOCK.rindex(b"data: ") :]
    assert work == {"decodes": EVENTS, "inputs": 2}


def test_no_python_function_is_called_for_an_event() -> None:
    """Calls are what time is made of here; a run may make a few, whatever its length.

    An event that comes alone makes fewer.
    """
    calls: Counter[int] = Counter()
    for length in (1, 2, EVENTS):
        intake, block = begun(), sse(*[chunk("word ")] * length)

        voice = EventVoice()
        voice.say(intake.received(FIRST).out)

        def count(_: object, event: str, __: object, length: int = length) -> None:
            calls[length] += event == "call"

        sys.setprofile(count)
        voice.say(intake.received(block).out)
        sys.setprofile(None)

    assert calls[EVENTS] == calls[2]
    assert calls[1] < calls[2] < 15


def test_what_goes_out_is_the_read_and_no_copy_of_it() -> None:
    intake, voice = begun(), EventVoice()
    voice.say(intake.received(FIRST).out)

    step = intake.received(BLOCK)

    assert [type(out) for out in step.out] == [Run], "it is one action"
    assert step.out[0].count == EVENTS
    assert voice.say(step.out) is BLOCK


def test_a_frame_is_a_slice_of_the_read() -> None:
    frames = SSEDecoder().feed(BLOCK)

    assert len(frames) == EVENTS
    assert all(frame.data is not None for frame in frames)


def test_after_an_interruption_a_read_is_rewritten_at_once(work: Counter[str]) -> None:
    intake = begun(work)
    intake.received(BLOCK)
    intake.ended(How.RESET)
    intake.opened()
    intake.received(sse(*(chunk(f"and {number} on ", response_id="other") for number in range(40))))
    work.clear()

    step = intake.received(sse(*[chunk("and on ", response_id="other", usage=(3, 4))] * EVENTS))

    assert said(step.out).count(b'"responseId": "first"') == EVENTS
    assert work == {"decodes": EVENTS, "inputs": 1}
