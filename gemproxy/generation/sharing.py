"""Several answers side by side for one client: all of them, or an error.

Each answer is a generation of its own, with its own attempts, so that each can be resumed. Their
readers share the client's connection: ``SharedReader`` writes the events of one answer among those
of the others, ``PartReader`` collects one answer for the document that has all. What ends the body
goes out behind the last answer.

The first answer that fails for good ends them all. Before anything was sent its error is raised;
else its reader tells the client, cuts the connection, and raises ``Broken``.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import attrs

from gemproxy.core.repair.events import Out, Run
from gemproxy.core.wire.frame import Frame
from gemproxy.generation.collecting import Waiting
from gemproxy.relay.downstream import ClientSink
from gemproxy.voices.voice import Voice


class Broken(Exception):
    """One of several answers has failed, and the client was told."""


async def side_by_side(runs: Sequence[Awaitable[None]]) -> None:
    """Await all runs; raise what the first one raises, when the others are over, too.

    Broken is not raised: the client knows. A single run needs no task.
    """
    with contextlib.suppress(Broken):
        if len(runs) == 1:
            await runs[0]
        else:
            await _all_of(runs)


async def _all_of(runs: Sequence[Awaitable[None]]) -> None:
    tasks = [asyncio.ensure_future(run) for run in runs]
    try:
        await asyncio.gather(*tasks)
    finally:
        left = [task for task in tasks if not task.done()]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)


@attrs.define(eq=False)
class Connected:
    """The connection of a client that reads ``answers`` streams as one.

    The voice of the answer that is over last says what ends the body. A write that waits for the
    client holds up the answers that have something to say; the others go on.
    """

    sink: ClientSink
    answers: int
    _waits: bool = False
    _writing: asyncio.Lock = attrs.field(factory=asyncio.Lock)

    @property
    def committed(self) -> bool:
        """Whether the client has the head of its answer."""
        return self.sink.committed

    async def open(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head, once."""
        async with self._writing:
            if not self.committed:
                await self.sink.open(status, headers)

    async def offer(self, raw: bytes) -> bool | None:
        """Write some events at once; False where ``settle`` has to, None where they were not taken.

        They are not taken while another write waits for the client.
        """
        if self._waits or self._writing.locked():
            return None
        taken = await self.sink.offer(raw)
        self._waits = not taken
        return taken

    async def settle(self, raw: bytes = b"") -> None:
        """Write what waits for the client, and ``raw`` behind it."""
        async with self._writing:
            await self._settle()
            if raw:
                await self.sink.emit(raw)

    async def heartbeat(self) -> None:
        """Show that the answers are alive, unless something is being written."""
        if not (self._waits or self._writing.locked()):
            async with self._writing:
                await self.sink.heartbeat()

    async def finish(self, raw: bytes) -> None:
        """Write the last events of one answer; behind those of the last answer the body ends."""
        self.answers -= 1
        if self.answers:
            await self.settle(raw)
            return
        async with self._writing:
            await self._settle()
            await self.sink.finish(raw)

    async def fail(self, payload: Mapping[str, Any] | None) -> None:
        """Tell the client that there is no whole answer, and raise Broken."""
        await self.sink.fail(payload)
        raise Broken

    async def _settle(self) -> None:
        if self._waits:
            await self.sink.settle()
            self._waits = False


@attrs.define(eq=False)
class SharedReader:
    """The reader of one of several streams; see ``Reader``."""

    client: Connected
    voice: Voice
    sent: int = 0
    _kept: bytes = b""  # events that wait for the writes of others

    @property
    def content_type(self) -> str:
        """The type of what the voice says."""
        return self.voice.content_type

    @property
    def committed(self) -> bool:
        """Whether the client has the head of its answer."""
        return self.client.committed

    async def open(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head, unless another answer was first."""
        await self.client.open(status, headers)

    async def offer(self, out: tuple[Out, ...]) -> bool:
        """Write frames at once, unless the write could wait for the client."""
        raw = self.voice.say(out)
        self.sent += len(raw)
        if not raw:
            return True
        taken = await self.client.offer(raw)
        if taken is None:
            self._kept = raw
        return bool(taken)

    async def settle(self) -> None:
        """Write what was kept; wait while the client is slow."""
        raw, self._kept = self._kept, b""
        await self.client.settle(raw)

    async def heartbeat(self) -> None:
        """Write what the client skips between two events."""
        await self.client.heartbeat()

    async def finish(self, out: tuple[Out, ...], tail: Frame | None) -> None:
        """Write the last events of this answer."""
        raw = self.voice.say(out) + self.voice.close(tail)
        self.sent += len(raw)
        await self.client.finish(raw)

    async def pass_on(self, body: bytes) -> None:
        """Raise: an answer of this kind is never passed on as it came."""
        raise AssertionError(len(body))

    async def fail(self, payload: Mapping[str, Any] | None) -> None:
        """Tell the client, and raise Broken."""
        await self.client.fail(payload)


class Part(Protocol):
    """Makes one answer of its frames."""

    def take(self, out: tuple[Out, ...]) -> None:
        """Take frames of the answer, in order."""

    def end(self, tail: Frame | None) -> bool:
        """Take the end of the answer; return whether it was the last one.

        Raises a GemproxyError for an end that its client cannot be told.
        """


@attrs.define(eq=False)
class PartReader:
    """The reader of one of several answers that become one document; see ``Reader``.

    ``body`` returns the pieces of the document, once all answers are there.
    """

    content_type: ClassVar[str] = "application/json"

    client: Waiting
    part: Part
    body: Callable[[], Sequence[bytes | memoryview]]
    sent: int = 0

    @property
    def committed(self) -> bool:
        """Whether the client has the head of its answer."""
        return self.client.committed

    async def open(self, _status: int, headers: Mapping[str, str]) -> None:
        """Note the headers of the answer."""
        self.client.note(headers)

    async def offer(self, out: tuple[Out, ...]) -> bool:
        """Take frames of the answer."""
        self.sent += sum(map(_size_of, out))
        self.part.take(out)
        return True

    async def settle(self) -> None:
        """Do nothing: no frame waits for the client."""

    async def heartbeat(self) -> None:
        """Do nothing: the client cannot see the upstream's silence."""

    async def finish(self, out: tuple[Out, ...], tail: Frame | None) -> None:
        """Take the end; give the client the document if it is the last one."""
        await self.offer(out)
        if self.part.end(tail):
            await self.client.give(*self.body())

    async def pass_on(self, body: bytes) -> None:
        """Raise: an answer of this kind is never passed on as it came."""
        raise AssertionError(len(body))

    async def fail(self, payload: Mapping[str, Any] | None) -> None:
        """Tell the client, and raise Broken."""
        await self.client.fail(payload)
        raise Broken


def _size_of(out: Out) -> int:
    """Return the bytes of what goes out."""
    return len(out.raw) if isinstance(out, Run) else sum(frame.size for frame in out.frames)
