"""Several answers for one client: their events side by side, and one end."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import attrs
import pytest

from gemproxy.core.repair.events import Frames, Out, Run
from gemproxy.core.wire.frame import Frame
from gemproxy.generation.collecting import Waiting
from gemproxy.generation.sharing import (
    Broken,
    Connected,
    PartReader,
    SharedReader,
    side_by_side,
)
from gemproxy.relay.downstream import ClientSink
from gemproxy.voices.voice import Voice


@attrs.define
class Sink:
    """A client's connection that notes what it gets; ``slow``: a write waits for the client."""

    committed: bool = False
    heard: list[bytes] = attrs.field(factory=list)
    heads: int = 0
    ended: str = ""
    slow: bool = False
    going: asyncio.Event = attrs.field(factory=asyncio.Event)
    _unwritten: bytes = b""

    async def open(self, _status: int, _headers: Mapping[str, str]) -> None:
        await asyncio.sleep(0)
        self.heads, self.committed = self.heads + 1, True

    async def offer(self, raw: bytes) -> bool:
        assert not self._unwritten, "a write was forgotten"
        if self.slow:
            self._unwritten = raw
            return False
        self.heard.append(raw)
        return True

    async def settle(self) -> None:
        await self.going.wait()
        if self._unwritten:
            self.heard.append(self._unwritten)
        self._unwritten = b""

    async def emit(self, raw: bytes) -> None:
        if not await self.offer(raw):
            await self.settle()

    async def heartbeat(self) -> None:
        self.heard.append(b": ")

    async def finish(self, last: bytes = b"") -> None:
        assert not self._unwritten, "a write was forgotten"
        self.heard.append(last)
        self.ended = "complete"

    async def fail(self, payload: Any) -> None:
        assert not self.ended
        self.heard.append(str(payload["error"]).encode())
        self.ended = "loud"


@attrs.frozen
class Plain:
    """A voice that says the data of frames as they are."""

    def say(self, out: tuple[Out, ...]) -> bytes:
        return b"".join(bytes(frame.data or b"") for one in out for frame in _frames(one))

    def close(self, _tail: Frame | None) -> bytes:
        return b"."


def _frames(one: Out) -> tuple[Frame, ...]:
    return one.frames() if isinstance(one, Run) else one.frames


def said(text: bytes) -> tuple[Out, ...]:
    return (Frames((Frame(b"", text),)),)


def readers(sink: Sink, count: int) -> list[SharedReader]:
    client = Connected(cast(ClientSink, sink), count)
    return [SharedReader(client, cast(Voice, Plain())) for _ in range(count)]


async def test_the_head_goes_out_once() -> None:
    sink = Sink()
    await asyncio.gather(*(reader.open(200, {}) for reader in readers(sink, 3)))

    assert sink.heads == 1


async def test_the_body_ends_behind_the_last_answer() -> None:
    sink = Sink()
    one, two = readers(sink, 2)

    assert await one.offer(said(b"a"))
    await two.finish(said(b"b"), None)
    assert sink.ended == ""
    await one.finish(said(b"c"), None)

    assert sink.heard == [b"a", b"b.", b"c."]
    assert sink.ended == "complete"
    assert (one.sent, two.sent) == (3, 2)


async def test_frames_that_say_nothing_are_no_write() -> None:
    sink = Sink()
    (one,) = readers(sink, 1)

    assert await one.offer(())
    assert sink.heard == []


async def test_a_write_that_waits_holds_up_what_others_say() -> None:
    sink = Sink(slow=True)
    one, two, three = readers(sink, 3)

    assert not await one.offer(said(b"a"))
    assert not await two.offer(said(b"b"))
    assert not await three.offer(said(b"c"))
    await one.heartbeat()
    settling = [asyncio.create_task(reader.settle()) for reader in (three, one, two)]
    await asyncio.sleep(0)
    sink.going.set()
    await asyncio.gather(*settling)

    assert sink.heard[0] == b"a"
    assert sorted(sink.heard) == [b"a", b"b", b"c"]
    sink.slow = False
    assert await one.offer(said(b"d"))
    await one.heartbeat()
    assert sink.heard[-1] == b": "


async def test_an_answer_that_ends_meanwhile_waits_too() -> None:
    sink = Sink(slow=True)
    one, two = readers(sink, 2)
    assert not await one.offer(said(b"a"))
    sink.going.set()

    await two.finish(said(b"b"), None)
    await one.settle()
    sink.slow = False
    await one.finish((), None)

    assert sink.heard == [b"a", b"b.", b"."]


async def test_the_first_failure_ends_all() -> None:
    sink = Sink()
    one, two = readers(sink, 2)
    left = asyncio.Event()

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    await side_by_side([waits(), one.fail({"error": "no"})])

    assert left.is_set()
    assert (sink.heard, sink.ended) == ([b"no"], "loud")
    assert not two.committed


async def test_an_error_before_the_head_is_raised() -> None:
    async def fails() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await side_by_side([asyncio.sleep(3600), fails()])


async def test_a_caller_that_is_cancelled_ends_all() -> None:
    ended: list[str] = []

    async def waits(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    running = asyncio.create_task(side_by_side([waits("a"), waits("b")]))
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert sorted(ended) == ["a", "b"]


async def test_one_alone_needs_no_task() -> None:
    tasks: list[object] = []

    async def run() -> None:
        tasks.append(asyncio.current_task())

    await side_by_side([run()])

    assert tasks == [asyncio.current_task()]


@attrs.define
class Part:
    """A part of a document: what was taken."""

    last: bool
    taken: list[tuple[Out, ...]] = attrs.field(factory=list)

    def take(self, out: tuple[Out, ...]) -> None:
        self.taken.append(out)

    def end(self, _tail: Frame | None) -> bool:
        return self.last


async def test_the_document_is_given_with_its_last_part() -> None:
    sink = Sink()
    waiting = Waiting(cast(ClientSink, sink))
    first = PartReader(waiting, Part(last=False), lambda: [b"all"])
    last = PartReader(waiting, Part(last=True), lambda: [b"all"])
    await first.open(200, {"X-Some": "1"})
    await first.offer((Run(b"data: 1\n\n", 1, b"\n\n"),))
    await first.settle()
    await first.heartbeat()

    await first.finish(said(b"ab"), None)
    assert not sink.committed
    await last.finish((), None)

    assert (sink.heard, sink.ended) == ([b"all", b""], "complete")
    assert first.sent == len(b"data: 1\n\n") + 2


async def test_a_part_that_fails_tells_the_client() -> None:
    sink = Sink(committed=True)
    reader = PartReader(Waiting(cast(ClientSink, sink)), Part(last=True), list)
    assert reader.committed

    with pytest.raises(Broken):
        await reader.fail({"error": "no"})

    assert sink.ended == "loud"


@pytest.mark.parametrize("kind", ["shared", "part"])
async def test_nothing_is_passed_on_as_it_came(kind: str) -> None:
    shared = readers(Sink(), 1)[0]
    part = PartReader(Waiting(cast(ClientSink, Sink())), Part(last=True), list)

    with pytest.raises(AssertionError):
        await (shared if kind == "shared" else part).pass_on(b"x")
