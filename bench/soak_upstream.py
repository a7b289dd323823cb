"""The upstream of a soak: a fake Gemini whose models each have faults of their own.

    python bench/soak_upstream.py SEED

It prints ``listening PORT``, and at SIGTERM one line of JSON: the violations that it saw. The seed
determines the faults. Every completely answered conversation starts over with them, so a soak can
last for any time in constant memory.
"""

import asyncio
import json
import random
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # in place of this folder

from gemproxy.chaos.behaviours import Behaviour
from gemproxy.chaos.faults import Fault, parse_fault
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer

ANSWERS = ("story", "chinese", "emoji", "table", "thinking")
MODELS_OF_EACH = 8
EVENT_SECONDS = 0.004

# No "garbage": after it the server considers the answer complete and repeats it for ever.
_AT_BYTES = ("clean", "fin", "rst", "truncated-chunk", "bad-chunk", "short-length")
_AT_EVENTS = ("error:503", "raw-error:503", "finish:OTHER", "endless-line")
_OF_THE_WHOLE = ("status:500", "status:503", "status:429,retry=0.05", "empty", "drip:40")
_OF_STREAMS = ("html", "bad-gzip", "refuse", "stall@headers", "none")
_TAKEN_UP = (Behaviour.ECHO, Behaviour.PLAIN, Behaviour.THINK_FIRST)
"""Behaviours that join exactly at any cut; repeating more could double a line."""


def stream_faults(rng: random.Random) -> Iterator[str]:
    """Yield the faults of a model's streams, attempt by attempt, in the grammar of chaos."""
    for _ in range(rng.randint(0, 4)):
        kind = rng.choice((*_AT_BYTES, *_AT_BYTES, *_AT_EVENTS, *_OF_THE_WHOLE, *_OF_STREAMS))
        if kind in _AT_BYTES:
            yield f"{rng.choice((kind, kind, kind, 'stall'))}@{rng.randint(0, 9000)}"
        elif kind in _AT_EVENTS:
            yield f"{kind}@event:{rng.randint(4, 16)}"
        else:
            yield kind


def unary_faults(rng: random.Random) -> Iterator[str]:
    """Yield the faults of a model's unary calls."""
    for _ in range(rng.randint(0, 3)):
        kind = rng.choice((*_AT_BYTES, *_OF_THE_WHOLE))
        yield f"{kind}@{rng.randint(0, 2000)}" if kind in _AT_BYTES else kind


def scripts(seed: int) -> dict[str, Script]:
    """Return the models by name: ``{answer}-{number}`` for streams, with ``-unary`` for calls."""
    rng = random.Random(seed)
    found = {}
    for answer in ANSWERS:
        for number in range(MODELS_OF_EACH):
            found[f"{answer}-{number}"] = _script(answer, list(stream_faults(rng)), rng)
            found[f"{answer}-{number}-unary"] = _script(answer, list(unary_faults(rng)), rng)
    return found


def _script(answer: str, specs: Sequence[str], rng: random.Random) -> Script:
    faults: list[Fault | None] = [parse_fault(spec) for spec in specs]
    behaviour = [rng.choice(_TAKEN_UP) for _ in range(9)]
    return Script(BUILT_IN[answer], faults, behaviour, rearm=True)


async def serve(seed: int) -> None:
    """Serve until SIGTERM."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    server = ChaosServer(scripts(seed), seed=seed, event_delay=EVENT_SECONDS, record=False)
    async with server:
        print(f"listening {server.port}", flush=True)
        await stopped.wait()
    print(json.dumps(server.violations), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
