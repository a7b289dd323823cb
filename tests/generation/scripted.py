"""An upstream and a client that are lists."""

import asyncio
from collections.abc import Mapping
from typing import Any

import attrs

from gemproxy.core.errors import GemproxyError
from gemproxy.core.repair.events import How, Out
from gemproxy.core.wire.frame import Frame
from gemproxy.exchange.exchange import Exchange
from gemproxy.relay.bell import Bell
from gemproxy.relay.downstream import ClientGone
from gemproxy.relay.leases import Witness
from gemproxy.relay.upstream import AttemptFailed
from gemproxy.voices.sse import EventVoice

HOUR = 3600.0


def exchange() -> Exchange:
    """Return the request that is answered."""
    return Exchange("request-1", "stream", "POST", "/", "", {})


DROP = AttemptFailed(How.RESET, "reset")
SILENCE = None
Read = bytes | AttemptFailed | GemproxyError | None


@attrs.define(eq=False)
class Scripted:
    """A reply that reads what the script says; SILENCE lasts until it is aborted."""

    reads: list[Read]
    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict)
    aborted: asyncio.Event = attrs.field(factory=asyncio.Event)
    closed: bool = False
    another: bool = False
    error: Mapping[str, Any] | None = None
    witness: Witness | None = None
    recorded: list[Mapping[str, float | None]] = attrs.field(factory=list)

    async def record(self, names: Mapping[str, float | None]) -> None:
        self.recorded.append(names)

    def ring(self, bell: Bell) -> None:
        """Leave the waking to futures."""

    async def read(self) -> bytes:
        read = self.reads.pop(0) if self.reads else b""
        if read is SILENCE:
            await self.aborted.wait()
            raise AttemptFailed(How.STALLED, "given up")
        if isinstance(read, Exception):
            raise read
        return read

    async def read_error(self, limit: int) -> bytes:
        return (await self.read())[:limit]

    def abort(self) -> None:
        self.aborted.set()


@attrs.define(eq=False)
class ListReader:
    """A client that keeps what it gets, until it is gone after so many writes."""

    head: tuple[int, Mapping[str, str]] | None = None
    writes: list[bytes] = attrs.field(factory=list)
    ending: Mapping[str, Any] | str = "open"
    leaves_after: int = 1000
    sent: int = 0
    voice: EventVoice = attrs.field(factory=EventVoice)
    written: asyncio.Event = attrs.field(factory=asyncio.Event)

    @property
    def content_type(self) -> str:
        return self.voice.content_type

    @property
    def committed(self) -> bool:
        return self.head is not None

    async def open(self, status: int, headers: Mapping[str, str]) -> None:
        assert self.head is None
        self.head = status, headers

    async def offer(self, out: tuple[Out, ...]) -> bool:
        self._write(self.voice.say(out))
        return True

    async def settle(self) -> None:
        raise AssertionError("nothing waits to be settled")

    async def heartbeat(self) -> None:
        assert self.committed
        self.writes.append(b"\r\n\r\n")

    async def finish(self, out: tuple[Out, ...], tail: Frame | None) -> None:
        await self.pass_on(self.voice.say(out) + self.voice.close(tail))

    async def pass_on(self, body: bytes) -> None:
        if body:
            self._write(body)
        self.ending = "finished"

    async def fail(self, payload: Mapping[str, Any] | None) -> None:
        self.ending = "cut" if payload is None else payload

    def _write(self, raw: bytes) -> None:
        if len(self.writes) >= self.leaves_after:
            raise ClientGone("the client closed the connection")
        self.writes.append(raw)
        self.sent += len(raw)
        self.written.set()
