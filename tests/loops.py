"""The event loops that tests over real sockets run on: asyncio's own, and production's uvloop."""

import asyncio
from collections.abc import Callable, Mapping

import pytest

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, LoopFactory]:
    """Name the loops; a test that is to run on one of them says so with a mark.

    A conftest that imports this hook has its tests run so.
    """
    asyncios: LoopFactory = asyncio.new_event_loop
    try:
        import uvloop  # noqa: PLC0415 (not on every platform)
    except ImportError:
        return {"asyncio": asyncios}
    if item.get_closest_marker("production_loop"):
        return {"uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncios, "uvloop": uvloop.new_event_loop}
