"""Runs the generations of streams, each in a task of its own, and ends those that nobody needs.

The task of a stream is made with it, and lives until the answer has ended: by itself, because its
owner or an operator cancelled it, because nobody followed it for too long, or with the process.
When it is over the request is settled, exactly once and whatever happened; that is also when its
row is written and its hold goes.

An answer that nobody follows goes on for ``detach_seconds``, and for as many tokens of output as
``detach_tokens``. Its text is counted as four characters a token, as Google describes it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import attrs

from gemproxy.core.errors import Busy, Cancelled, GemproxyError, UpstreamRejection
from gemproxy.exchange.exchange import Exchange
from gemproxy.generation.generation import Refused as OfUpstream
from gemproxy.observe.logs import unsaid
from gemproxy.relay.inflight import InFlight
from gemproxy.resume.cursor import CANCEL, CONTINUE
from gemproxy.resume.log import Broken, FrameLog, Refused
from gemproxy.resume.shelf import Shelf
from gemproxy.resume.stream import Stream
from gemproxy.resume.writing import LogReader

_OK = 200
_CHARACTERS_PER_TOKEN = 4
_BY_CLIENT = "The client cancelled this request."
_LEFT = "The client left, and wanted the answer to end then."
_ALONE = "Nobody followed the answer, so the proxy ended it."
_FAILED = "The proxy failed unexpectedly."
_DOWN = "The proxy is shutting down."

_log = logging.getLogger(__name__)

Work = Callable[[LogReader], Awaitable[None]]
"""Makes the answer, and gives its frames to the reader. Raises what it failed with at first."""


@attrs.frozen
class Over:
    """How a generation ended, for its record.

    ``began`` is a time of the monotonic clock, ``size`` counts the bytes of its frames.
    ``shutdown``: it was ended with the process.
    """

    status: int
    began: float
    size: int
    shutdown: bool = False


class Records(Protocol):
    """Writes down what became of requests that are not a handler's."""

    def begin(self, exchange: Exchange) -> None:
        """Take note of a request that begins."""

    def end(self, exchange: Exchange, over: Over) -> None:
        """Settle a request that was begun; never raises."""


@attrs.frozen
class Rules:
    """How long an answer goes on without a follower, and how many may follow it.

    ``detach_tokens`` is 0 for no bound. ``on_disconnect`` is what counts where a request says
    nothing. ``heartbeat`` is the seconds of silence after which a follower gets a sign of life.
    """

    detach_seconds: float = 120.0
    detach_tokens: int = 0
    on_disconnect: str = CONTINUE
    followers: int = 4
    heartbeat: float = 15.0


@attrs.define(eq=False)
class Keeper:
    """Keeps the streams of one process; ``records`` has what became of their requests."""

    store: Shelf
    in_flight: InFlight
    records: Records
    rules: Rules = attrs.field(factory=Rules)
    clock: Callable[[], float] = time.monotonic
    _tasks: dict[Stream, asyncio.Task[None]] = attrs.field(factory=dict, init=False)

    def new_log(self) -> FrameLog:
        """Return an empty log for a stream."""
        return self.store.new_log()

    async def open(self, stream: Stream, work: Work, content_type: str, *, texts: bool) -> Stream:
        """Have ``work`` make the answer, unless another request has the key; return who has it.

        Raises Gone, LimitReached and Busy; see ``Store``.
        """
        holder = await self.store.claim(stream)
        if holder is stream:
            reader = LogReader(stream, self.store, content_type, texts)
            account = stream.exchange.account
            account.stream, account.followers = stream.id, lambda: stream.followers
            self.records.begin(stream.exchange)
            task = asyncio.get_running_loop().create_task(self._run(stream, work, reader))
            self._tasks[stream] = task
        return holder

    def detach(self, stream: Stream) -> None:
        """Count a follower less, and note if nobody follows the stream any more."""
        stream.followers -= 1
        if stream.followers or stream.log.ending is not None:
            return
        stream.detached, stream.told = self.clock(), _told(stream)
        if stream.on_disconnect == CANCEL:
            self._end(stream, Cancelled(_LEFT))

    def cancel(self, stream: Stream) -> None:
        """End an answer by its owner's wish; one that has ended stays as it is."""
        self._end(stream, Cancelled(_BY_CLIENT))

    async def tend(self) -> None:
        """End what nobody follows for too long, and let go of old answers; called repeatedly."""
        for stream in tuple(self._tasks):
            if stream.detached is None:
                continue
            if self.in_flight.draining:  # nobody can come back
                self._end(stream, Busy(_DOWN))
            elif self._is_alone_for_too_long(stream, stream.detached):
                self._end(stream, Cancelled(_ALONE))
        self.store.tend()

    async def close(self) -> None:
        """End all answers that still run."""
        for stream in tuple(self._tasks):
            self._end(stream, Busy(_DOWN))
        if self._tasks:
            await asyncio.wait(tuple(self._tasks.values()))

    def _is_alone_for_too_long(self, stream: Stream, since: float) -> bool:
        rules = self.rules
        if self.clock() - since >= rules.detach_seconds:
            return True
        most = rules.detach_tokens * _CHARACTERS_PER_TOKEN
        return bool(most) and _told(stream) - stream.told > most

    def _end(self, stream: Stream, reason: GemproxyError) -> None:
        task = self._tasks.get(stream)
        if task is not None and stream.reason is None and stream.log.ending is None:
            stream.reason = reason
            if stream.started:
                task.cancel()

    def _reason(self, stream: Stream) -> GemproxyError:
        """Return why an answer is ended; an operator's wish came first."""
        account = stream.exchange.account
        by_proxy = self.in_flight.reason(account)
        if account.cancelled and by_proxy is not None:
            return by_proxy
        return stream.reason or by_proxy or Busy(_DOWN)

    async def _run(self, stream: Stream, work: Work, reader: LogReader) -> None:
        """Make one answer, and settle its request."""
        status, exchange = _OK, stream.exchange
        stream.started = True
        try:
            with self.in_flight.generation(exchange, reader):
                status = await self._made(stream, work, reader)
        finally:
            del self._tasks[stream]
            shutdown = self.in_flight.expired or isinstance(stream.reason, Busy)
            self.records.end(exchange, Over(status, stream.began, reader.sent, shutdown))
            exchange.account.followers = int  # nobody asks any more; a stream leaves no cycle

    async def _made(self, stream: Stream, work: Work, reader: LogReader) -> int:
        """Make one answer; whatever becomes of it, its log ends. Return the status."""
        error: Exception
        cancelled = False
        try:
            if stream.reason is not None:
                raise asyncio.CancelledError  # noqa: TRY301 (it came before the task ran)
            await work(reader)
            if stream.log.ending is not None:
                return _OK
            error = GemproxyError(_FAILED)
        except asyncio.CancelledError:
            error = self._reason(stream)
            cancelled = isinstance(error, Cancelled)
            stream.exchange.account.client_gone |= error is stream.reason and cancelled
        except (OfUpstream, GemproxyError) as refused:
            error = refused
        except Exception as unexpected:  # noqa: BLE001 (the followers have to hear of it)
            _log.error("unexpected error in a stream", exc_info=unsaid(unexpected))
            error = GemproxyError(_FAILED)
        if not reader.committed:
            await reader.end(Refused(error, cancelled=cancelled))
            return _status_of(error)
        payload = error.payload(stream.exchange.id) if isinstance(error, GemproxyError) else None
        await reader.end(Broken(payload, cancelled=cancelled))
        return _status_of(error) if cancelled else _OK


def _told(stream: Stream) -> int:
    """Return how many characters the answer has."""
    glance = stream.exchange.account.glance
    return 0 if glance is None else glance().characters


def _status_of(error: Exception) -> int:
    """Return the status with which a client hears of an error."""
    if isinstance(error, OfUpstream):
        return error.refusal.status
    if isinstance(error, UpstreamRejection):
        return error.rejected_with
    return error.status if isinstance(error, GemproxyError) else GemproxyError.status
