"""Looks up names of the public DNS, in threads of its own.

A look-up has no time limit of ours: a name server that does not answer holds its thread for as long
as the system's resolver waits. The upstream's look-ups use the threads of the event loop, so names
in requests must not occupy those.
"""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
from aiohttp.abc import AbstractResolver, ResolveResult

_AT_ONCE = 8


def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="pictures")


@attrs.define(eq=False)
class Names(AbstractResolver):
    """The system's resolver; more look-ups than it has threads wait."""

    _threads: ThreadPoolExecutor = attrs.field(factory=_threads)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name. Raises OSError if it has none."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, _looked_up, host, port, family
        )
        return [
            ResolveResult(
                hostname=host,
                host=str(place[0]),
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, _, protocol, _, place in found
        ]

    async def close(self) -> None:
        """Let the threads end with their look-ups."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _looked_up(host: str, port: int, family: int) -> Sequence[tuple[Any, ...]]:
    return socket.getaddrinfo(
        host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
    )
