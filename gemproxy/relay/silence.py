"""Times the silence of one answer.

A timer that is set anew for each read would cost more than the read. So a read only notes the time,
and the timer looks at that when it fires, and is set again for the rest.
"""

import asyncio
from collections.abc import Callable

import attrs


def _nothing() -> None:
    """Do nothing: the answer is over."""


@attrs.define(eq=False)
class Silence:
    """Calls ``late`` once when nothing was heard for as long as is allowed.

    ``timed`` is False as long as any silence is allowed, so that ``heard`` need not be called.
    """

    _loop: asyncio.AbstractEventLoop
    _late: Callable[[], None]
    timed: bool = False
    _seconds: float = 0.0
    _since: float = 0.0
    _held: bool = False
    _timer: asyncio.TimerHandle | None = None

    def allow(self, seconds: float | None) -> None:
        """Allow so many seconds of silence from now on; None: any number."""
        self._cancel()
        self.timed = seconds is not None
        if seconds is not None:
            self._seconds, self._since = seconds, self._loop.time()
            self._timer = self._loop.call_later(seconds, self._fire)

    def heard(self) -> None:
        """Note that something came."""
        self._since = self._loop.time()

    def hold(self) -> None:
        """Count no silence: nobody listens."""
        self._held = True

    def go_on(self) -> None:
        """Count silence again, from now on."""
        self._held, self._since = False, self._loop.time()

    def stop(self) -> None:
        """Call nobody any more, and keep nothing."""
        self._cancel()
        self.timed, self._late = False, _nothing

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        left = self._seconds
        if not self._held:
            left += self._since - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._fire)
            return
        late = self._late
        self.stop()
        late()
