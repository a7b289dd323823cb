"""What blocks, in threads that nobody waits for.

A name server that drops packets, or a disk of the network that is gone, can block a call for
minutes. The threads of an executor are joined at the end of the process, so these are not of one.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def aside(function: Callable[[], T]) -> T:
    """Return what ``function`` returns, or raise what it raises; a cancellation leaves it alone."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(set_: Callable[[Any], None], value: object) -> None:
        if not done.done():
            set_(value)

    def run() -> None:
        set_: Callable[[Any], None] = done.set_result
        value: object
        try:
            value = function()
        except Exception as error:  # noqa: BLE001 (it is raised to the caller)
            set_, value = done.set_exception, error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, set_, value)

    threading.Thread(target=run, daemon=True, name="gemproxy-doctor").start()
    return await done


def patient_loop() -> asyncio.AbstractEventLoop:
    """Return a new loop whose look-ups of names never keep the process from ending."""
    loop = asyncio.SelectorEventLoop()

    async def getaddrinfo(host: Any, port: Any, **options: int) -> Any:  # noqa: ANN401 (the loop's own)
        return await aside(lambda: socket.getaddrinfo(host, port, **options))

    loop.getaddrinfo = getaddrinfo  # type: ignore[method-assign]
    return loop
