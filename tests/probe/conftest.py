"""The probe's client, connected to a fake Gemini."""

from collections.abc import AsyncIterator, Callable

import pytest
from yarl import URL

from gemproxy.chaos.server import ChaosServer
from gemproxy.exchange.credential import Credential
from gemproxy.probe.bench import Bench
from gemproxy.probe.gemini import Gemini, Meter
from gemproxy.relay.upstream import open_upstream
from tests.probe.fake import KEY, MODEL

MOST_REQUESTS = 100


@pytest.fixture
async def connect() -> AsyncIterator[Callable[[ChaosServer], Gemini]]:
    """Yield what makes a client of a server."""
    async with open_upstream(connect_timeout=10, proxy=None) as upstream:

        def to(server: ChaosServer) -> Gemini:
            key = Credential.api_key(KEY)
            return Gemini(URL(server.url), key, upstream, Meter(MOST_REQUESTS), timeout=30)

        yield to


@pytest.fixture
def bench_at(connect: Callable[[ChaosServer], Gemini]) -> Callable[[ChaosServer], Bench]:
    """Return what makes a bench with the model of a server."""
    return lambda server: Bench(connect(server), MODEL, seed=0)
