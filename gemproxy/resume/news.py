"""Wakes those who wait for something new in a log.

News carry no data: who is woken looks into the log. Few readers are woken at once, in the call that
brought the frames. Many are woken together after a pause that grows with their number, so that a
crowd takes a bounded part of the process's time, and each wake brings it more frames.
"""

import asyncio
from collections.abc import Callable

import attrs

_FEW = 10
_SECONDS_EACH = 0.002

Wake = Callable[[], object]


@attrs.define(eq=False)
class News:
    """The readers of one log."""

    _wakes: dict[object, Wake] = attrs.field(factory=dict)
    _due: asyncio.TimerHandle | None = None

    def add(self, wake: Wake) -> Callable[[], None]:
        """Have ``wake`` called at all news; return what ends that."""
        mark = object()
        self._wakes[mark] = wake

        def remove() -> None:
            self._wakes.pop(mark, None)

        return remove

    def tell(self) -> None:
        """Wake all who wait, or plan to."""
        if len(self._wakes) <= _FEW:
            for wake in [*self._wakes.values()]:
                wake()
        elif self._due is None:
            pause = len(self._wakes) * _SECONDS_EACH
            self._due = asyncio.get_running_loop().call_later(pause, self.tell_now)

    def tell_now(self) -> None:
        """Wake all who wait."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        for wake in tuple(self._wakes.values()):
            wake()

    async def change(self) -> None:
        """Return at the next news."""
        changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not changed.done():
                changed.set_result(None)

        remove = self.add(wake)
        try:
            await changed
        finally:
            remove()
