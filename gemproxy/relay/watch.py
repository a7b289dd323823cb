"""The clock of one stream: patience with the upstream, signs of life for the client.

One timer handle per stream, set again only when it fires or when a nearer deadline comes
up: a frame costs two assignments here, no timer. What the timer may find due:

- the upstream has been silent for longer than the patience of the moment: the attempt is
  aborted, and its reader sees a stall;
- no frame has come yet, and the client has waited long enough for headers (Node's fetch
  gives up after 300 s): they are committed;
- the client has heard nothing for a while: a heartbeat is written.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Self

import attrs

from gemproxy.core.repair.engine import Patience
from gemproxy.exchange.account import Wait
from gemproxy.exchange.deadline import NEVER_DUE, Deadline

_NEVER = float("inf")


@attrs.frozen
class Timing:
    """Seconds: the patience for each moment, and when the client needs a sign of life.

    ``deadline`` is the client's own limit for the answer, see ``exchange.deadline``. It moves the
    patience with an attempt that has brought no visible text, and no other.
    """

    patience: Mapping[Patience, float]
    heartbeat: float = 15.0
    headers_after: float = 25.0
    deadline: Deadline = NEVER_DUE

    def within(self, deadline: Deadline) -> "Timing":
        """Return the timing of one request, which its client limits."""
        return self if deadline.seconds is None else attrs.evolve(self, deadline=deadline)

    @property
    def first_byte(self) -> float:
        """The seconds that an attempt which is made now has to begin its answer."""
        return self.deadline.first_byte(self.patience[Patience.FIRST_BYTE])

    @property
    def silence(self) -> float:
        """The seconds of silence in an answer that has begun and is not watched frame by frame."""
        return self.deadline.silence(self.patience[Patience.FIRST_BYTE])

    def limits(self, patience: Patience) -> tuple[float, float]:
        """Return after how much silence an attempt is late, and the time up to which it never is.

        Thoughts in a row may go on beyond the deadline: they are an answer that has begun.
        """
        seconds, given, at = self.patience[patience], self.deadline.seconds, self.deadline.at
        if given is None or at is None or patience not in _BEFORE_TEXT:
            return seconds, 0.0
        if patience is Patience.EMPTY_FINISH:
            return min(seconds, given), 0.0
        return (0.0 if patience is Patience.FIRST_BYTE else min(seconds, given)), at


_BEFORE_TEXT = (Patience.FIRST_BYTE, Patience.THINKING, Patience.EMPTY_FINISH)


@attrs.define(eq=False)
class Watch:
    """Watches one stream while it is entered.

    ``commit`` sends the headers, ``beat`` writes a heartbeat; both are called from a task
    of their own, between frames, and never while ``busy`` says that a frame is on its way.
    ``wrote`` is set when the client gets a frame, which counts from the beginning of the next
    wait. Both are attributes because they are set for each event.
    """

    timing: Timing
    commit: Callable[[], Awaitable[object]]
    beat: Callable[[], Awaitable[object]]
    busy: bool = False
    wrote: bool = False
    _loop: asyncio.AbstractEventLoop = attrs.field(factory=asyncio.get_running_loop)
    _abort: Callable[[], None] | None = None
    _patience: Patience | None = None
    _seconds: float = _NEVER
    _never_before: float = 0.0
    _timer: asyncio.TimerHandle | None = None
    _due: float = _NEVER
    _stalls_at: float = _NEVER
    _wrote_at: float = 0.0
    _committed: bool = False
    _sign: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self._wrote_at = self._loop.time()
        self._set(self._next_sign())
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._sign is not None:
            self._sign.cancel()

    def wait_for(self, patience: Patience, abort: Callable[[], None]) -> None:
        """Begin to wait for the upstream's next bytes; ``abort`` is called when they are late."""
        self._abort = abort
        if patience is not self._patience:  # an enum hashes too slowly for a look-up per event
            self._patience = patience
            self._seconds, self._never_before = self.timing.limits(patience)
        now = self._loop.time()
        due = now + self._seconds
        if due < self._never_before:  # noqa: PLR1730 (max would be a call per event)
            due = self._never_before
        self._stalls_at = due
        if self.wrote:
            self._wrote_at, self.wrote, self._committed = now, False, True
            sign = now + self.timing.heartbeat
            if sign < due:  # noqa: PLR1730 (as above)
                due = sign
        if due < self._due:
            self._set(due)

    def heard(self) -> None:
        """Note that the wait is over."""
        self._stalls_at = _NEVER

    @property
    def silence(self) -> float | None:
        """The seconds since the upstream's last byte, None while nothing is read from it.

        It is derived from when the silence would be too long, so that nothing is noted per event.
        A client's own limit moves that time, and then the silence is not known either.
        """
        at = self._stalls_at
        if at in (_NEVER, self._never_before):
            return None
        return self._loop.time() - (at - self._seconds)

    @property
    def wait(self) -> Wait | None:
        """What is awaited from the upstream, and for how long; None while nothing is."""
        at, patience = self._stalls_at, self._patience
        if at == _NEVER or patience is None:
            return None
        return Wait(patience.value, self.silence, self._seconds, at - self._loop.time())

    def _set(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        self._timer = self._loop.call_at(due, self._fire)

    def _next_sign(self) -> float:
        wait = self.timing.heartbeat if self._committed else self.timing.headers_after
        return self._wrote_at + wait

    def _fire(self) -> None:
        now = self._loop.time()
        self._committed |= self.wrote
        if now >= self._stalls_at and self._abort is not None:
            self._stalls_at = _NEVER
            self._abort()
        if now >= self._next_sign():
            self._give_sign(now)
        self._set(max(min(self._stalls_at, self._next_sign()), now + _GRAIN))

    def _give_sign(self, now: float) -> None:
        self._wrote_at = now
        if self.busy or (self._sign is not None and not self._sign.done()):
            return
        sign = self.beat if self._committed else self.commit
        self._committed = True
        self._sign = self._loop.create_task(self._quietly(sign))

    async def _quietly(self, sign: Callable[[], Awaitable[object]]) -> None:
        """Give a sign, unless a frame has set out since the task was made.

        A client that is gone is noticed by the loop, at its next frame.
        """
        if not self.busy:
            with contextlib.suppress(ConnectionError):
                await sign()


_GRAIN = 0.005
