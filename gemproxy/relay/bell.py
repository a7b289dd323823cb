"""Wakes one coroutine in the call that has news for it, without a turn of the loop.

A future tells its news to the loop, which resumes who awaits it some callbacks later. A ``Bell``
resumes it at once: what a read brought is judged and written in the call of the transport that
brought it. It can do so because the coroutine is run by a ``Pump``, which is no task: a task must
not be resumed while another one runs.

The bell is awaited again for each piece of news. Between two waits nothing is kept: who rings has
the news itself, and who is woken looks for it.
"""

from collections.abc import Callable, Generator
from contextvars import Context, copy_context
from functools import partial
from typing import Any, cast


class Bell:
    """Awaited by the coroutine of one pump, rung by what has news for it."""

    __slots__ = ("_awaited", "_wake")

    def __init__(self) -> None:
        self._awaited = False
        self._wake: Callable[[], object] | None = None

    def __await__(self) -> Generator[Any, None, None]:
        self._awaited = True
        return cast("Generator[Any, None, None]", iter((self,)))  # a generator costs a call

    def wakes(self, pump: Callable[[], object]) -> None:
        """Have each ring call ``pump``, in the context of the present caller, as a loop would."""
        context: Context = copy_context()
        self._wake = partial(context.run, pump)

    def hang(self) -> None:
        """Wake nobody any more; a bell and its pump would hold each other."""
        self._wake = None

    def ring(self) -> None:
        """Resume who awaits the bell; do nothing if nobody does."""
        if self._awaited and self._wake is not None:
            self._awaited = False
            self._wake()
