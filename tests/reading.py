"""Tests over real sockets run with both readers of answers: our own, and the client library's.

On both loops the proxy reads answers as in production. On uvloop once more, under the name of
``LIBRARY``, the client library reads all of them, as the setting ``upstream.direct`` allows. A
conftest that imports the hook and ``read_as_named`` has its tests run so; one that imports
``read_by_either`` alone has them run twice.
"""

from collections.abc import Mapping

import pytest

from tests import loops, running
from tests.loops import LoopFactory

LIBRARY = "library"


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, LoopFactory]:
    """Name the loops, and the one with the other reader."""
    found = dict(loops.pytest_asyncio_loop_factories(config, item))
    if len(found) > 1:
        found[LIBRARY] = found["uvloop"]
    return found


@pytest.fixture(autouse=True)
def read_as_named(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the proxies of a test read answers as the name of its loop says."""
    if f"[{LIBRARY}" in request.node.name:
        monkeypatch.setitem(running.READING, "direct", False)


@pytest.fixture(params=["direct", LIBRARY], autouse=True)
def read_by_either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test of a module or folder, on the loop that it has, once with each reader."""
    if request.param == LIBRARY:
        monkeypatch.setitem(running.READING, "direct", False)
