"""One client that follows a stream: what is in the log behind its place, in its own voice.

    while true:  write what is behind the place
                 if there is nothing: end with the log's end, or wait for news

It runs like a generation does: a ``Pump`` moves frames in the call that brings them as long as no
write can wait, and the handler waits where one does. So a slow client delays nobody else. One whose
place has been trimmed away is ended loudly.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from gemproxy.core.errors import GemproxyError, Gone
from gemproxy.core.repair.engine import Patience
from gemproxy.core.repair.events import Out
from gemproxy.generation.pump import Pump
from gemproxy.relay.bell import Bell
from gemproxy.relay.downstream import ClientSink
from gemproxy.relay.watch import Timing, Watch
from gemproxy.resume.log import Broken, FrameLog, Passed, Place, Refused, Trimmed, Whole
from gemproxy.resume.stream import Stream
from gemproxy.voices.voice import Voice

_FOREVER = float("inf")
_OVERTAKEN = (
    "The connection was read so slowly that the next part of the answer is not kept any more."
)


async def begun(stream: Stream) -> None:
    """Return when the answer has a head. Raises what it failed with before."""
    log = stream.log
    while log.head is None and log.ending is None:
        await stream.news.change()
    if isinstance(log.ending, Refused):
        raise log.ending.error.with_traceback(None)


def warmth(heartbeat: float) -> Timing:
    """Return the timing of a follower: signs of life after so many seconds, and no patience."""
    return Timing({Patience.CHUNK: _FOREVER}, heartbeat, headers_after=heartbeat)


@attrs.define(eq=False)
class Follower:
    """Writes the frames behind ``place`` to a client, whose ``voice`` tells them.

    ``timing`` comes from ``warmth``. ``id`` is the request's. The first frames are taken when the
    follower is made, so that they cannot be trimmed before its head is out.
    """

    stream: Stream
    sink: ClientSink
    voice: Voice
    place: Place
    timing: Timing
    id: str
    _serial: int = attrs.field(init=False)
    _ready: tuple[Out, ...] = attrs.field(init=False)
    _last: tuple[Out, ...] = attrs.field(default=(), init=False)

    def __attrs_post_init__(self) -> None:
        more = self.stream.log.read(self.place.serial)
        self._ready = self.place.rest + more
        self._serial = self.place.serial + len(more)

    async def run(self, headers: Mapping[str, str]) -> None:
        """Write until the end of the answer; its head has come. Raises ClientGone."""
        log, sink = self.stream.log, self.sink
        status = log.head.status if log.head is not None else 200
        with Watch(self.timing, self._beat, self._beat) as watch:
            watch.busy = True
            await sink.open(status, headers)
            ready, self._ready = self._ready, ()
            raw = self.voice.say(ready) if ready else b""
            if raw:
                await sink.emit(raw)
                watch.wrote = True
            watch.busy = False
            bell = Bell()
            unfollow = self.stream.news.add(bell.ring)
            try:
                await self._write_all(watch, bell)
            except Trimmed:
                watch.busy = True
                await sink.fail(Gone(_OVERTAKEN).payload(self.id))
            finally:
                unfollow()

    async def _write_all(self, watch: Watch, bell: Bell) -> None:
        log = self.stream.log
        while not await Pump(self._move(log, watch, bell), bell).run():
            watch.busy = True
            await self.sink.settle()
            watch.busy, watch.wrote = False, True
        watch.busy = True
        await self._end(log)

    async def _move(self, log: FrameLog, watch: Watch, bell: Bell) -> bool:
        """Write frames; return whether the answer is over, or else a write has to wait."""
        sink, say = self.sink, self.voice.say
        while True:
            if self._serial != log.serial:
                out = log.read(self._serial)
                self._serial += len(out)
                if log.ending is not None and self._serial == log.serial:
                    self._last = out
                    return True
                raw = say(out)
                if raw and not await sink.offer(raw):
                    return False
                watch.wrote = True
            elif log.ending is not None:
                return True
            else:
                watch.wait_for(Patience.CHUNK, _nothing)
                await bell

    async def _end(self, log: FrameLog) -> None:
        """Give the client the last frames and the end of the answer."""
        sink, raw = self.sink, self.voice.say(self._last) if self._last else b""
        error: Mapping[str, Any] | None = None
        match log.ending:
            case Whole(tail):
                try:
                    raw += self.voice.close(tail)
                except GemproxyError as unsaid:
                    error = unsaid.payload(self.id)
                else:
                    await sink.finish(raw)
                    return
            case Passed(body):
                await sink.finish(body)
                return
            case Broken(payload):
                error = payload
        if raw:
            await sink.emit(raw)
        await sink.fail(error)

    async def _beat(self) -> None:
        if self.sink.committed:
            await self.sink.heartbeat()


def _nothing() -> None:
    """Do nothing about a long silence: the stream's own clock does."""
