"""Everything that can go wrong on the way, over real sockets: the client must not see it."""

import asyncio
import random
from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from gemproxy.chaos import answers
from gemproxy.chaos.behaviours import REFUSE_ONCE, SCARRING, Behaviour
from gemproxy.chaos.faults import CUTS, Fault, Kind, byte, parse_fault
from gemproxy.chaos.library import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.running import PATIENCE, AccessLog, StartProxy
from tests.wire import ARRAY, STREAM, Answer, Ending

THOUGHTS = "A story is wanted. A lighthouse is good: it has a rhythm. 灯塔有节奏。"
TOLD = attrs.evolve(
    BUILT_IN["emoji"], text=BUILT_IN["emoji"].text + BUILT_IN["story"].text, thoughts=THOUGHTS
)
TARGETS = pytest.mark.parametrize("target", [STREAM, ARRAY], ids=["sse", "array"])

HASTY = {
    "first_byte_timeout_seconds": 0.2,
    "thinking_timeout_seconds": 0.2,
    "chunk_timeout_seconds": 0.2,
    "finish_grace_seconds": 0.2,
}
TIRELESS = {"max_consecutive_retries": 50, "max_resumes": 50, "max_frame_bytes": 1 << 16}

PLACES = ("0", "1", "event:1", "event:4", "utf8:3", "thinking", "2500", "end")
AT_PLACES = [
    *(f"{kind.value}@{place}" for kind in sorted(CUTS, key=str) for place in PLACES),
    *(f"{kind}@headers" for kind in ("fin", "rst", "stall")),
    *(
        f"{fault}@event:{number}"
        for fault in ("error:503", "error:500", "raw-error:503", "garbage", "endless-line")
        for number in (0, 1, 4, 12)
    ),
    *(f"finish:{why}@event:{n}" for why in ("OTHER", "MALFORMED_RESPONSE") for n in (3, 4, 12)),
]
OF_THE_WHOLE = [
    *("status:500", "status:502", "status:503", "status:504", "status:429,retry=0.01"),
    *("html", "html:503", "empty", "bad-gzip", "refuse", "drip:1", "drip:7"),
]


def script(*specs: str, answer: answers.Answer = TOLD, **more: Any) -> Script:  # noqa: ANN401
    """Return a script by the grammar of the command line."""
    return Script(answer, [parse_fault(spec) for spec in specs], **more)


def is_whole(answer: Answer, told: answers.Answer = TOLD) -> bool:
    """Assert that a client cannot tell the answer from an undisturbed one."""
    assert answer.status == 200
    assert answer.ending is Ending.COMPLETE
    assert answer.text == told.text
    assert told.thoughts.startswith(answer.thoughts)
    assert answer.finish_reasons == ["STOP"]
    assert "finishReason" in answer.documents[-1]["candidates"][0]
    assert len(answer.response_ids) == 1
    return True


@TARGETS
@pytest.mark.parametrize("spec", [*AT_PLACES, *OF_THE_WHOLE])
async def test_a_fault_is_not_seen(proxy: StartProxy, spec: str, target: str) -> None:
    upstream = HASTY if spec.startswith("stall") else {}
    async with ChaosServer(script(spec)) as server:
        running = await proxy(server, upstream=upstream, repair=TIRELESS)

        answer = await running.ask(target)

        assert is_whole(answer)
        assert server.violations == []
