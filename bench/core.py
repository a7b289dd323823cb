"""The cost of one event in the core: bytes of a read in, bytes of a write out.

    python bench/core.py

Prints microseconds per event on one core, the minimum over rounds, for the whole core and
for its parts, and the ratio of each to a bare decode of the same JSON by the standard
library in the same run. The ratios are comparable between machines; the times are not.
"""

import json
import sys
import timeit
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gemproxy.core.answer.chunk import read
from gemproxy.core.repair.events import Opened, Received
from gemproxy.core.repair.intake import Intake
from gemproxy.core.repair.machine import StreamMachine
from gemproxy.core.repair.request import StreamRequest
from gemproxy.core.wire.frame import Frame
from gemproxy.core.wire.sse import SSEDecoder
from gemproxy.openai.answer import Answer
from gemproxy.openai.asked import Telling
from gemproxy.openai.voice import OpenAIVoice

ROUNDS = 20
PER_READ = 200
EVENT = json.dumps(
    {
        "candidates": [
            {
                "content": {
                    "parts": [{"text": "so that a typical event has about 330 bytes, as"}],
                    "role": "model",
                },
                "index": 0,
            }
        ],
        "usageMetadata": {
            "promptTokenCount": 12,
            "candidatesTokenCount": 34,
            "totalTokenCount": 46,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 12}],
        },
        "modelVersion": "gemini-2.5-flash",
        "responseId": "bJ8AafGpD7uZ",
    }
).encode()
FRAME = b"data: " + EVENT + b"\r\n\r\n"


def per_event(work: Callable[[], object], events: int) -> float:
    """Return the microseconds of ``work`` for each of its events, in the best round."""
    repeats = max(1, 20_000 // events)
    return min(timeit.repeat(work, number=repeats, repeat=ROUNDS)) / repeats / events * 1e6


def whole_core(block: bytes) -> Callable[[], object]:
    """Return the work of a read of ``block`` in a stream that runs undisturbed."""
    machine = StreamMachine(StreamRequest(b"{}"))
    intake = Intake(machine, SSEDecoder)
    intake.opened()
    return lambda: intake.received(block)


def translated(block: bytes) -> Callable[[], object]:
    """Return that work with the translation into chunks of OpenAI's."""
    machine = StreamMachine(StreamRequest(b"{}"))
    intake = Intake(machine, SSEDecoder)
    intake.opened()
    voice = OpenAIVoice.of(Answer(Telling("gemini-2.5-flash"), "bench", 0))
    return lambda: voice.say(intake.received(block).out)


def machine_alone() -> Callable[[], object]:
    """Return the work of the machine for one decoded event."""
    machine = StreamMachine(StreamRequest(b"{}"))
    machine.receive(Opened())
    received = Received(Frame(FRAME, EVENT), read(EVENT))
    return lambda: machine.receive(received)


def main() -> None:
    """Print the table."""
    many = FRAME * PER_READ
    decoder = SSEDecoder()
    rows = [
        ("json.loads of the event", lambda: json.loads(EVENT), 1),
        ("chunk.read of the event", lambda: read(EVENT), 1),
        (f"SSEDecoder, {PER_READ} events a read", lambda: decoder.feed(many), PER_READ),
        ("machine, event decoded already", machine_alone(), 1),
        (f"whole core, {PER_READ} events a read", whole_core(many), PER_READ),
        ("whole core, 1 event a read", whole_core(FRAME), 1),
        (f"OpenAI chunks, {PER_READ} events a read", translated(many), PER_READ),
        ("OpenAI chunks, 1 event a read", translated(FRAME), 1),
    ]
    print(f"one event is {len(FRAME)} bytes; Python {sys.version.split()[0]}")
    base = None
    for name, work, events in rows:
        microseconds = per_event(work, events)
        base = base or microseconds
        print(f"{name:36} {microseconds:7.2f} us  {microseconds / base:6.2f} x json.loads")


if __name__ == "__main__":
    main()
