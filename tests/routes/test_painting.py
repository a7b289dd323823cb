"""The requests behind each picture, over real sockets, for all routes that draw."""

import asyncio
import json

import pytest

from tests.drawing import drawn
from tests.replies import DEAD, SILENT, error_reply, replying
from tests.running import Proxy, StartProxy
from tests.wire import Answer

BEARER = {"Authorization": "Bearer some-key"}
ROUTES = pytest.mark.parametrize("route", ["/v1/images/generations", "/generate"])


async def ask(served: Proxy, route: str) -> Answer:
    return await served.ask(route, json.dumps({"prompt": "a kelp"}).encode(), BEARER)


@ROUTES
async def test_a_picture_is_asked_for_again_while_nothing_came(
    proxy: StartProxy, route: str
) -> None:
    async with replying(DEAD, error_reply(503), drawn()) as upstream:
        answer = await ask(await proxy(upstream.url), route)

    assert answer.status == 200
    assert len(upstream.seen) == 3


@ROUTES
async def test_a_picture_that_is_late_has_failed(proxy: StartProxy, route: str) -> None:
    async with replying(SILENT) as upstream:
        answer = await ask(await proxy(upstream.url, images={"timeout_seconds": 0.01}), route)

    assert answer.status == 504
    assert "0.01 seconds" in json.loads(answer.body)["error"]["message"]


@ROUTES
async def test_a_client_that_leaves_ends_its_requests(proxy: StartProxy, route: str) -> None:
    async with replying(SILENT) as upstream:
        served = await proxy(upstream.url)
        asking = asyncio.create_task(ask(served, route))
        await upstream.stalled.wait()
        asking.cancel()
        await upstream.left.wait()

    assert len(upstream.seen) == 1
