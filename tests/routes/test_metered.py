"""The beginning of a request: what the meter is asked, and which body goes up."""

from collections.abc import Mapping
from typing import Any

import attrs
import pytest
from aiohttp import web

from gemproxy.accounts.user import OWN, User
from gemproxy.exchange.exchange import Exchange
from gemproxy.metering.meter import UNMETERED, NoMeter
from gemproxy.relay.bodies import Body
from gemproxy.routes.metered import begin, begun
from gemproxy.routes.parts import ADDRESS, EXCHANGE, METER, USER
from tests.running import StartProxy
from tests.sockets import running
from tests.wire import connect

ANN = User("id", "ann")


@attrs.define
class Editing(NoMeter):
    """A meter that adds to each body, and notes what it was asked."""

    asked: list[tuple[Any, ...]] = attrs.field(factory=list)

    async def begin(
        self,
        exchange: Exchange,
        user: User,
        address: str,
        body: bytes | None,
        model: str | None = None,
    ) -> bytes | None:
        self.asked.append((user, address, body, model))
        return None if body is None else body + b"!"


async def asked(meter: NoMeter, body: Body, fields: Mapping[Any, Any]) -> Body:
    """Return the body that a handler has after it began a request."""
    got: list[Body] = []

    async def handler(request: web.Request) -> web.Response:
        request[EXCHANGE] = Exchange("id", "stream", "POST", "/", "", {})
        for key, value in fields.items():
            request[key] = value
        got.append(await begun(request, body, "gemini-x"))
        assert await begin(request, None) is None
        return web.Response()

    app = web.Application()
    app[METER] = meter
    app.router.add_get("/", handler)
    async with running(app) as port, connect(f"http://127.0.0.1:{port}") as connection:
        assert (await connection.ask("/", b"", method="GET")).status == 200
    return got[0]


async def test_the_meter_may_edit_a_body_that_is_kept() -> None:
    meter = Editing()
    body = await asked(meter, Body(kept=b"{}"), {USER: ANN, ADDRESS: "192.0.2.1"})

    assert body.kept == b"{}!"
    assert meter.asked[0] == (ANN, "192.0.2.1", b"{}", "gemini-x")


async def test_without_a_user_a_client_has_its_own_key() -> None:
    meter = Editing()
    await asked(meter, Body(kept=b"{}"), {})

    assert [one[:2] for one in meter.asked] == [(OWN, ""), (OWN, "")]


async def test_without_a_meter_the_body_is_the_same() -> None:
    body = Body(kept=b"{}")

    assert await asked(UNMETERED, body, {USER: ANN}) is body


@pytest.mark.usefixtures("no_leaked_tasks")
async def test_a_proxy_without_limits_has_no_meter(proxy: StartProxy) -> None:
    started = await proxy("http://127.0.0.1:9")

    assert started.app[METER] is UNMETERED
