"""Runs a coroutine in the callbacks of the futures that it waits for, without a task.

Resuming a coroutine costs a step for each coroutine that awaits it, and a handler has about a
dozen around it. So the handler sleeps on one future, and a ``Pump`` runs the coroutine that
moves the bytes: an event resumes this coroutine and what it awaits, and nothing else. When the
coroutine returns or raises, the future gives the outcome to the handler. Compared with a task:

- The coroutine begins in the call that starts the pump, a turn of the loop sooner.
- When the handler is cancelled, the coroutine is closed before the cancellation propagates. If
  it had raised an exception by then, that exception is raised instead: a client that is cut off
  because it does not read cancels the handler too.
- The coroutine has no current task. It must not use ``asyncio.timeout`` or anything else that
  asks for one.

The protocol is the one that asyncio's own tasks follow. ``send(None)`` runs a coroutine until it
waits, and returns what it waits for: None for the next turn of the loop, or a future whose
``_asyncio_future_blocking`` is set (``asyncio.isfuture`` documents the attribute). Who takes such
a future sets the attribute to False and adds a callback. The future's result is fetched by the
coroutine itself, so that the pump sends None whatever the result is. The coroutine may wait
again: aiohttp wakes a reader at the end of a chunk too, when there are no data.

A pump may have a ``Bell`` (``relay.bell``), which its coroutine waits for where bytes are read. It
calls the pump itself, within the call of the transport that brought the bytes.

A coroutine that never has to wait keeps the loop. It reads a stream here, and bytes reach a
stream only in turns of the loop, so it waits after at most one read of the socket.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

import attrs

from gemproxy.relay.bell import Bell

T = TypeVar("T")


def _future() -> "asyncio.Future[Any]":
    return asyncio.get_running_loop().create_future()


@attrs.define(eq=False)
class Pump(Generic[T]):
    """Runs one coroutine, once, in the context of the caller of ``run``.

    The coroutine may await ``bell``.
    """

    _coroutine: Coroutine[Any, Any, T]
    _bell: Bell | None = None
    _outcome: "asyncio.Future[T]" = attrs.field(factory=_future, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    async def run(self) -> T:
        """Return what the coroutine returns; raise what it raises.

        Raises CancelledError when the caller is cancelled first; the coroutine is then closed.
        """
        if self._bell is not None:
            self._bell.wakes(self._go_on)
        self._go_on()
        try:
            return await self._outcome
        except asyncio.CancelledError:
            self._closed = True
            self._coroutine.close()
            outcome = self._outcome
            error = outcome.exception() if outcome.done() and not outcome.cancelled() else None
            if error is None:
                raise
            raise error from None
        finally:
            if self._bell is not None:
                self._bell.hang()

    def _go_on(self, waited_for: "asyncio.Future[Any] | None" = None) -> None:
        """Run the coroutine until it waits or ends; called back by the future it waited for.

        The loop keeps the context in which a callback is added, so each runs in the handler's.
        """
        if self._closed:  # the callback was on its way when the handler was cancelled
            if waited_for is not None and not waited_for.cancelled():
                waited_for.exception()  # asyncio complains of one that nobody takes
            return
        try:
            waits_for = self._coroutine.send(None)
        except StopIteration as end:
            if not self._outcome.cancelled():
                self._outcome.set_result(end.value)
        except BaseException as error:  # noqa: BLE001 (it is raised again in the handler)
            if not self._outcome.cancelled():
                self._outcome.set_exception(error)
        else:
            if waits_for is None:
                asyncio.get_running_loop().call_soon(self._go_on)
            elif waits_for is not self._bell:
                waits_for._asyncio_future_blocking = False  # noqa: SLF001 (see the module)
                waits_for.add_done_callback(self._go_on)
