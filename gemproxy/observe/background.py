"""What goes on beside the requests: a step that is made again and again.

A step that fails unexpectedly is logged, and made again after the usual pause: a pool that no
longer hears of other processes would be worse than a line in the log.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from gemproxy.observe.logs import unsaid

_log = logging.getLogger(__name__)


async def repeat(step: Callable[[], Awaitable[object]], pause: Callable[[], float]) -> None:
    """Await ``step`` after each ``pause`` (seconds), until cancelled."""
    while True:
        await asyncio.sleep(pause())
        try:
            await step()
        except Exception as error:  # noqa: BLE001 (the next step may succeed)
            _log.error("unexpected error in the background", exc_info=unsaid(error))
