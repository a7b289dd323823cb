"""The limits of the whole proxy and of addresses, for every route and every kind of client."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from gemproxy.accounts.user import User
from gemproxy.chaos.answers import Answer as Told
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.metered.conftest import StartHouse
from tests.metered.house import limited, rows_of
from tests.pooled.house import access, stream_of
from tests.running import StartProxy
from tests.wire import KEY, body_of

pytestmark = pytest.mark.production_loop

SHORT = Script(Told("Well."), rearm=True)


async def test_requests_a_minute_of_all_clients_with_their_own_keys(proxy: StartProxy) -> None:
    async with ChaosServer(SHORT) as fake:
        started = await proxy(fake, access={"requests_per_minute": 3})
        statuses = [(await started.ask()).status for _ in range(2)]
        statuses.append((await started.ask("/v1beta/models", b"", method="GET")).status)
        refused = await started.ask()
        models = await started.ask("/v1beta/models", b"", method="GET")
        health = [(await started.ask("/health", b"", method="GET")).status for _ in range(9)]

    assert statuses == [200, 200, 200]
    assert (refused.status, models.status) == (429, 429)
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert "whole proxy" in refused.error["message"]
    assert set(health) == {200}
    assert len(fake.requests) == 3


@pytest.mark.parametrize(
    ("trusted", "served"),
    [((), 2), (("127.0.0.0/8",), 4)],
    ids=["untrusted", "trusted"],
)
async def test_requests_a_day_by_the_address_that_a_trusted_proxy_names(
    proxy: StartProxy, trusted: tuple[str, ...], served: int
) -> None:
    networks = tuple(map(ip_network, trusted))
    async with ChaosServer(SHORT) as fake:
        started = await proxy(
            fake,
            access={"requests_per_day_per_ip": 2},
            server={"trusted_proxies": networks},
        )
        statuses = [
            (await started.ask(headers={**KEY, "X-Forwarded-For": address})).status
            for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.1")
        ]

    assert statuses.count(200) == served
    assert set(statuses) == {200, 429}


async def test_a_users_limit_by_address_counts_lists_too(house: StartHouse) -> None:
    at = await house({"ann": limited(per_ip_rpm=2), "bob": User("", "")})
    lists = [
        (await at.send("GET", "/v1beta/models", key=at.people[name])).status
        for name in ("ann", "ann", "ann", "bob", "bob", "bob")
    ]

    assert lists == [200, 200, 429, 200, 200, 200]
    assert (await at.ask(key=at.people["ann"])).status == 429


async def test_a_preflight_is_no_request(proxy: StartProxy) -> None:
    async with ChaosServer(SHORT) as fake:
        started = await proxy(
            fake,
            access={"requests_per_minute": 1},
            server={"cors_origins": ("https://example.com",)},
        )
        asked = {"Origin": "https://example.com", "Access-Control-Request-Method": "POST"}
        for _ in range(3):
            async with started.connect() as connection:
                await connection.send(headers=asked, body=b"", method="OPTIONS")
                assert (await connection.head())[0] == 204
        assert (await started.ask()).status == 200


async def test_passthrough_without_limits_has_no_meter_and_makes_no_file(
    proxy: StartProxy, tmp_path: Path
) -> None:
    async with ChaosServer(SHORT) as fake:
        started = await proxy(fake, server={"data_dir": str(tmp_path / "data")})
        assert (await started.ask()).status == 200

    assert not (tmp_path / "data").exists()


async def test_passthrough_with_a_ledger_has_rows(proxy: StartProxy, tmp_path: Path) -> None:
    async with ChaosServer(SHORT) as fake:
        data = str(tmp_path / "data")
        started = await proxy(fake, server={"data_dir": data}, ledger={"enabled": True})
        await started.ask()
        await started.ask(stream_of(), body_of("Again"), access("AIzaSyOther"))
        rows = await rows_of(started)

    assert [(row.user, row.key) for row in rows] == [("", ""), ("", "")]


async def test_a_ledger_that_cannot_be_opened_stops_no_passthrough(
    proxy: StartProxy, tmp_path: Path
) -> None:
    (tmp_path / "data").write_text("a file")
    async with ChaosServer(SHORT) as fake:
        data = str(tmp_path / "data")
        started = await proxy(fake, server={"data_dir": data}, ledger={"enabled": True})

        assert (await started.ask()).status == 200


async def test_a_refused_body_is_not_read(proxy: StartProxy) -> None:
    async with ChaosServer(SHORT) as fake:
        started = await proxy(fake, access={"requests_per_minute": 1})
        assert (await started.ask()).status == 200
        async with started.connect() as connection:
            headers = {**KEY, "Content-Length": "1000000"}
            await connection.send("/upload/v1beta/files", b"begun", headers)
            status, head = await connection.head()

    assert (status, head["Connection"]) == (429, "close")


async def test_a_page_may_read_the_headers_of_limits(house: StartHouse) -> None:
    origin = "https://example.com"
    at = await house({"ann": limited(rpm=2)}, server={"cors_origins": (origin,)})
    headers = {**access(at.people["ann"]), "Origin": origin}
    answer = await at.proxy.ask(stream_of(), body_of("Hello"), headers)
    shown = {name.lower() for name in answer.headers["Access-Control-Expose-Headers"].split(", ")}

    assert {"x-ratelimit-remaining-requests", "ratelimit", "ratelimit-policy"} <= shown
