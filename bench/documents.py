"""How long joining a cut JSON answer blocks the event loop.

    python bench/documents.py

An answer of similar values is cut in the middle, and the rest comes: echoed, repeated from the
beginning, without a key that the schema requires, or in one long string. The program prints for
each length the longest single step of the core in milliseconds: of joining, where the loop serves
others between two steps, and of making the next request, which must contain the text so far. The
figure is the lowest of the rounds, which excludes work of other processes.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gemproxy.core.repair.continuation import find_anchor
from gemproxy.core.repair.engine import State
from gemproxy.core.repair.events import How
from gemproxy.core.repair.intake import Intake
from gemproxy.core.repair.machine import StreamMachine
from gemproxy.core.repair.request import StreamRequest
from gemproxy.core.wire.sse import SSEDecoder

ROUNDS = 3
LENGTHS = (30_000, 1_000_000, 20_000_000)
MANY = 10_000_000  # characters; one round takes half a minute
PER_FRAME, PER_READ = 400, 50
SCHEMA = {"type": "OBJECT", "required": ["total"]}


def rows(length: int, end: str = ', "total": 1}') -> str:
    """Return a document of about ``length`` characters."""
    row = '{"id": 123456, "ok": true, "name": "row", "tags": ["a", null]}'
    return '{"rows": [' + ", ".join([row] * (length // len(row))) + f', "last"]{end}'


def string(length: int) -> str:
    """Return a document that is one string of about ``length`` characters."""
    return json.dumps({"text": 'a "word"\n' * (length // 9), "total": 1})


def _with_middle(text: str) -> tuple[str, int]:
    """Return a text with a unique passage in its middle, and the offset after it."""
    at = len(text) // 2
    at = text.index('{"id"', at) if '{"id"' in text[at:] else at
    mark = '"here the connection broke", ' if text[at] == "{" else "here the connection broke "
    return text[:at] + mark + text[at:], at + len(mark)


CASES: dict[str, tuple[Callable[[int], str], bool]] = {
    "echo": (rows, False),
    "told again": (rows, True),
    "a key is missing": (lambda length: rows(length, "}"), False),
    "one string": (string, False),
}
"""Names -> the document, and whether the model repeats it."""


def reads(text: str, finish: str | None) -> Iterator[bytes]:
    """Yield the bytes of an upstream's answer with ``text``, read by read."""
    frames = []
    for at in range(0, len(text), PER_FRAME):
        candidate: dict[str, Any] = {
            "content": {"parts": [{"text": text[at : at + PER_FRAME]}], "role": "model"}
        }
        if finish and at + PER_FRAME >= len(text):
            candidate["finishReason"] = finish
        frames.append(f"data: {json.dumps({'candidates': [candidate]})}\r\n\r\n".encode())
    for at in range(0, len(frames), PER_READ):
        yield b"".join(frames[at : at + PER_READ])


def timed(work: Callable[[], object]) -> float:
    """Return the processor time of ``work`` in milliseconds."""
    began = time.thread_time()
    work()
    return (time.thread_time() - began) * 1000


def run(document: Callable[[int], str], length: int, *, again: bool) -> tuple[float, float, str]:
    """Return the longest steps of joining and of the next request, and how the stream ended."""
    text, at = _with_middle(document(length))
    config = {"responseMimeType": "application/json", "responseSchema": SCHEMA}
    turn = {"role": "user", "parts": [{"text": "Go."}]}
    body = json.dumps({"contents": [turn], "generationConfig": config}).encode()
    machine = StreamMachine(StreamRequest(body))
    intake = Intake(machine, SSEDecoder)
    intake.opened()
    for data in reads(text[:at], None):
        intake.received(data)
    request = timed(lambda: intake.ended(How.RESET))
    notice = json.loads(machine.next_request)["contents"][-1]["parts"][0]["text"]
    anchor = find_anchor(notice) or ""
    intake.opened()
    joining = [
        timed(lambda data=data: intake.received(data))  # type: ignore[misc]  # mypy 18964
        for data in reads(text if again else anchor + text[at:], "STOP")
    ]
    last = timed(lambda: intake.ended(How.EOF))
    while machine.judging:
        joining.append(last)
        last = timed(intake.turn)
    if machine.state is State.CONNECTING:  # the last step made the next request
        return max(joining), max(request, last), machine.state.value
    return max([*joining, last]), request, machine.state.value


def main() -> None:
    """Measure and print."""
    print(f"{'answer':>18} {'characters':>11} {'joining':>9} {'request':>9}  ms, at most")
    for length in LENGTHS:
        for name, (document, again) in CASES.items():
            rounds = ROUNDS if length < MANY else 1
            measured = [run(document, length, again=again) for _ in range(rounds)]
            joining, request = min(m[0] for m in measured), min(m[1] for m in measured)
            print(f"{name:>18} {length:>11,} {joining:>9.1f} {request:>9.1f}  {measured[0][2]}")


if __name__ == "__main__":
    main()
