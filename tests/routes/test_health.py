"""What a load balancer and a supervisor are told."""

import json

import pytest
from aiohttp import web

from gemproxy import __version__
from gemproxy.metering.meter import UNMETERED
from gemproxy.relay.inflight import InFlight
from gemproxy.routes import ROUTES
from gemproxy.routes.parts import IN_FLIGHT, METER
from tests.sockets import exchange, running


async def get(path: str, *, draining: bool = False) -> tuple[int, dict[str, str | None]]:
    app = web.Application()
    app[IN_FLIGHT] = InFlight(limit=1, draining=draining)
    app[METER] = UNMETERED
    app.add_routes(ROUTES)
    request = f"GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    async with running(app) as port:
        head, body = await exchange(port, request.encode())
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize("draining", [False, True])
async def test_health_says_the_version(*, draining: bool) -> None:
    assert await get("/health", draining=draining) == (
        200,
        {"status": "ok", "available_keys": None, "version": __version__},
    )


@pytest.mark.parametrize("path", ["/healthz", "/livez"])
async def test_a_process_that_drains_is_alive(path: str) -> None:
    assert await get(path, draining=True) == (200, {"status": "ok"})


async def test_a_process_is_ready_until_it_drains() -> None:
    assert await get("/readyz") == (200, {"status": "ok"})
    assert await get("/readyz", draining=True) == (503, {"status": "draining"})
