"""A handler is cancelled at each place where a generation waits, on both loops.

The upstream sees its connection closed within a turn of the loop, before the cancellation has
left the generation, and the client gets nothing more.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import attrs
import pytest

from gemproxy.core.repair.engine import Patience
from gemproxy.core.repair.events import How, Out
from gemproxy.core.repair.machine import StreamMachine
from gemproxy.core.repair.request import StreamRequest
from gemproxy.core.wire.frame import Frame
from gemproxy.core.wire.sse import SSEDecoder
from gemproxy.generation.generation import Generation
from gemproxy.generation.kinds import STREAM
from gemproxy.relay.bell import Bell
from gemproxy.relay.downstream import ClientGone
from gemproxy.relay.pacing import Budget, Pacing
from gemproxy.relay.upstream import AttemptFailed, Reply
from gemproxy.relay.watch import Timing
from tests.gemini import BODY, chunk, sse
from tests.generation.scripted import HOUR, exchange

ONE, TWO, END = (
    sse(chunk("The lamp is never left alone, ")),
    sse(chunk("and the keeper knows it well; ")),
    sse(chunk("good night.", finish="STOP")),
)
PLACES = ("connect", "head", "open", "first write", "body", "drain", "pause", "last write")


@attrs.define(eq=False)
class Scene:
    """A generation that waits at ``place`` until ``go_on`` is set; ``said`` is what happened.

    Its upstream brings two frames, breaks off, and brings two more in a second attempt.
    """

    place: str
    go_on: asyncio.Event = attrs.field(factory=asyncio.Event)
    waits: asyncio.Event = attrs.field(factory=asyncio.Event)
    said: list[str] = attrs.field(factory=list)
    reads: list[bytes] = attrs.field(factory=list)
    client_is_gone: bool = False
    committed: bool = False
    sent: int = 0
    settling: str = ""
    content_type = "text/event-stream"

    async def reach(self, place: str) -> None:
        """Wait if this is the place to wait at."""
        if place == self.place:
            self.waits.set()
            await self.go_on.wait()

    # The upstream.
    another = False
    witness: object = None
    status = 200
    headers: Mapping[str, str] = attrs.field(factory=dict)

    @contextlib.asynccontextmanager
    async def attempt(self, _body: bytes) -> AsyncIterator[Reply]:
        try:
            await self.reach("connect")
            self.reads = [TWO, END] if self.sent else [ONE, TWO]
            yield cast(Reply, self)
        finally:
            self.said.append("closed")

    def ring(self, bell: Bell) -> None:
        """Leave the waking to futures."""

    async def read(self) -> bytes:
        await self.reach("body" if self.sent else "head")
        if not self.reads:
            raise AttemptFailed(How.RESET, "reset")
        return self.reads.pop(0)

    def abort(self) -> None:
        raise AssertionError("nothing was silent for an hour")

    async def pause(self, _seconds: float) -> None:
        await self.reach("pause")

    # The client.
    async def open(self, _status: int, _headers: Mapping[str, str]) -> None:
        await self.reach("open")
        self.committed = True

    async def offer(self, out: tuple[Out, ...]) -> bool:
        if self.client_is_gone:
            raise ClientGone("the client closed the connection")
        self.settling = "drain" if self.sent else "first write"
        self.sent += len(out)
        return self.place != self.settling

    async def settle(self) -> None:
        await self.reach(self.settling)

    async def heartbeat(self) -> None:
        raise AssertionError("no hour has passed")

    async def finish(self, out: tuple[Out, ...], _tail: Frame | None) -> None:
        await self.reach("last write")
        self.sent += len(out)

    async def pass_on(self, body: bytes) -> None:
        raise AssertionError(f"it is a generation: {body!r}")

    async def fail(self, payload: Mapping[str, Any] | None) -> None:
        raise AssertionError(f"nothing is said to a client that left: {payload}")

    async def handle(self) -> None:
        """Run the generation as a handler does."""
        machine = StreamMachine(StreamRequest(BODY))
        generation = Generation(
            STREAM,
            exchange(),
            STREAM.intake(machine, SSEDecoder),
            self,
            self.attempt,
            Pacing(Budget(), lambda: machine.progress, sleep=self.pause),
            Timing(dict.fromkeys(Patience, HOUR), HOUR, HOUR),
            dict,
        )
        try:
            await generation.run()
        finally:
            self.said.append("left")


async def handled(scene: Scene) -> "asyncio.Task[None]":
    """Start a handler, and return it when it waits at its place."""
    handler = asyncio.create_task(scene.handle())
    await scene.waits.wait()
    for _ in range(5):  # until what waits is all that is left to do
        await asyncio.sleep(0)
    return handler


@pytest.mark.parametrize("place", PLACES)
async def test_the_upstream_is_closed_within_a_turn(place: str) -> None:
    scene = Scene(place)
    handler = await handled(scene)
    sent, before = scene.sent, len(scene.said)
    under_way = place not in {"pause", "last write"}

    handler.cancel()
    await asyncio.sleep(0)

    assert scene.said[before:] == ["closed", "left"] if under_way else ["left"]
    assert handler.cancelled()
    assert scene.sent == sent


@pytest.mark.parametrize("place", PLACES)
async def test_uncancelled_it_goes_on(place: str) -> None:
    scene = Scene(place)
    handler = await handled(scene)

    scene.go_on.set()
    await handler

    assert scene.said == ["closed", "closed", "left"]


async def test_a_client_that_is_gone_wins_over_the_cancellation_that_follows() -> None:
    scene = Scene("body")
    handler = await handled(scene)

    scene.client_is_gone = True
    scene.go_on.set()
    asyncio.get_running_loop().call_soon(handler.cancel)  # behind the read, before the handler

    with pytest.raises(ClientGone):
        await handler
    assert scene.said == ["closed", "left"]
