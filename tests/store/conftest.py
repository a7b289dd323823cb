"""A store in a directory of its own, which is closed with the test; on both event loops."""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gemproxy.store.store import Store
from tests.loops import pytest_asyncio_loop_factories

__all__ = ["OpenStore", "opened", "pytest_asyncio_loop_factories"]

OpenStore = Callable[..., Store]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[OpenStore]:
    """Open stores, in ``data`` of the test's directory unless another one is given."""
    async with contextlib.AsyncExitStack() as stack:

        def start(folder: Path | None = None, secret_key: str = "", **more: object) -> Store:
            store = Store.open(folder or tmp_path / "data", secret_key, **more)  # type: ignore[arg-type]
            stack.push_async_callback(store.close)
            return store

        yield start
