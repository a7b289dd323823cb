"""A proxy that has nothing left to do holds what it held before its first request, and no more.

A conftest that imports the fixture ``proxy`` of this module has it asserted after every test,
while the proxies still run: their end would hide what they had forgotten.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import attrs
import pytest

from gemproxy.chaos.server import ChaosServer
from gemproxy.routes.parts import DISPATCHER
from tests.running import PATIENCE, Proxy, StartProxy


@attrs.frozen
class Holdings:
    """The tasks of the loop and the descriptors of the process; where nobody tells these, 0."""

    tasks: int
    descriptors: int

    @classmethod
    def now(cls) -> Self:
        """Count them."""
        return cls(len(asyncio.all_tasks()), descriptors_of("self"))

    def beyond(self, other: "Holdings") -> "Holdings":
        """Return what these are more than ``other``."""
        return Holdings(self.tasks - other.tasks, self.descriptors - other.descriptors)

    def plus(self, other: "Holdings", *, times: int) -> "Holdings":
        """Return these and ``other``, that many times."""
        descriptors = self.descriptors + times * other.descriptors
        return Holdings(self.tasks + times * other.tasks, descriptors)


def descriptors_of(process: int | str) -> int:
    """Return how many descriptors a process has open; 0 where the system does not tell."""
    folder = Path(f"/proc/{process}/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


@pytest.fixture
async def proxy(proxy: StartProxy) -> AsyncIterator[StartProxy]:
    """Start proxies; after the test each of them must be back where it began."""
    await _warm_up()
    before = Holdings.now()
    each, expected = Holdings(0, 0), before
    started: list[Proxy] = []

    async def start(upstream: ChaosServer | str, /, **sections: Mapping[str, Any]) -> Proxy:
        nonlocal each, expected
        without = Holdings.now()
        started.append(await proxy(upstream, **sections))
        if len(started) == 1:  # what a proxy holds is told by the first; later ones hold the same
            each = Holdings.now().beyond(without)
        expected = before.plus(each, times=len(started))
        return started[-1]

    yield start
    for one in started:
        _drop_idle(one)
    await _until_at_rest(expected)
    assert [connection for one in started for connection in connections_in_use(one)] == []


async def _warm_up() -> None:
    """Have the loop open what it keeps once it has listened: uvloop's reserve descriptor."""
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    server.close()
    await server.wait_closed()


async def _until_at_rest(expected: Holdings) -> None:
    """Wait for the last callbacks of closed connections; fail with what is held instead."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while Holdings.now() != expected:  # noqa: ASYNC110 (nobody tells of a closed socket)
                await asyncio.sleep(0)
    assert Holdings.now() == expected, f"{Holdings.now()} are held, {expected} were before"


def _drop_idle(one: Proxy) -> None:
    """Close the upstream connections that are kept for the next request."""
    for kept in one.app[DISPATCHER].upstream._session.connector._conns.values():  # type: ignore[union-attr]
        for protocol, _ in kept:
            protocol.close()


def connections_in_use(one: Proxy) -> Iterator[object]:
    """Yield the upstream connections that the proxy still thinks are in use."""
    yield from one.app[DISPATCHER].upstream._session.connector._acquired  # type: ignore[union-attr]
