"""Frames that need work before they are read: they wait, and the others do not."""

from typing import Any

import attrs

from gemproxy.core.repair.events import Frames
from gemproxy.core.wire.frame import Frame
from gemproxy.generation.preparing import PreparedReader

PLAIN, HEAVY = (Frames((Frame(raw, raw),)) for raw in (b"plain", b"heavy"))
TAIL = Frame(b"tail", None)


@attrs.define
class Noted:
    """A reader that notes what is done with it; ``slow``: it wants to settle after each offer."""

    slow: bool = False
    done: list[Any] = attrs.field(factory=list)
    content_type: str = "text/event-stream"
    committed: bool = True
    sent: int = 7

    async def open(self, status: int, _headers: object) -> None:
        self.done.append(("open", status))

    async def offer(self, out: object) -> bool:
        self.done.append(("offer", out))
        return not self.slow

    async def settle(self) -> None:
        self.done.append("settle")

    async def heartbeat(self) -> None:
        self.done.append("heartbeat")

    async def finish(self, out: object, tail: object) -> None:
        self.done.append(("finish", out, tail))

    async def pass_on(self, body: bytes) -> None:
        self.done.append(("pass_on", body))

    async def fail(self, payload: object) -> None:
        self.done.append(("fail", payload))

    def prepared(self) -> PreparedReader:
        async def prepare(out: object) -> None:
            self.done.append(("prepare", out))

        return PreparedReader(self, lambda out: HEAVY in out, prepare)


async def test_frames_that_need_nothing_go_straight_on() -> None:
    noted = Noted()

    assert await noted.prepared().offer((PLAIN,))
    assert noted.done == [("offer", (PLAIN,))]


async def test_frames_that_need_work_wait_for_it() -> None:
    noted = Noted()
    reader = noted.prepared()

    assert not await reader.offer((HEAVY,))
    assert noted.done == []
    await reader.settle()
    assert noted.done == [("prepare", (HEAVY,)), ("offer", (HEAVY,))]


async def test_a_slow_reader_is_waited_for() -> None:
    noted = Noted(slow=True)
    reader = noted.prepared()
    await reader.offer((HEAVY,))
    await reader.settle()
    assert not await reader.offer((PLAIN,))
    await reader.settle()

    told = [("prepare", (HEAVY,)), ("offer", (HEAVY,)), "settle", ("offer", (PLAIN,)), "settle"]
    assert noted.done == told


async def test_the_last_frames_are_prepared_too() -> None:
    noted = Noted()
    await noted.prepared().finish((HEAVY,), TAIL)
    await noted.prepared().finish((PLAIN,), None)

    assert noted.done == [
        ("prepare", (HEAVY,)),
        ("finish", (HEAVY,), TAIL),
        ("finish", (PLAIN,), None),
    ]


async def test_all_else_is_the_reader_s_own() -> None:
    noted = Noted()
    reader = noted.prepared()
    await reader.open(200, {})
    await reader.heartbeat()
    await reader.pass_on(b"{}")
    await reader.fail(None)

    assert (reader.content_type, reader.committed, reader.sent) == ("text/event-stream", True, 7)
    assert noted.done == [("open", 200), "heartbeat", ("pass_on", b"{}"), ("fail", None)]
