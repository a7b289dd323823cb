"""Which proxies have a meter, and which of them a ledger."""

import os
from pathlib import Path

import pytest
from aiohttp import web

from gemproxy.metering.accountant import Accountant
from gemproxy.metering.meter import UNMETERED
from gemproxy.routes.parts import METER
from gemproxy.store.unusable import Unusable
from gemproxy.web.accounting import open_meter
from tests.running import settings


async def test_without_limits_and_ledger_nothing_is_metered(tmp_path: Path) -> None:
    app = web.Application()
    app[METER] = UNMETERED
    given = settings("http://127.0.0.1:9", server={"data_dir": str(tmp_path / "data")})
    async with open_meter(given, app, pooled=False):
        assert app[METER] is UNMETERED

    assert not os.listdir(tmp_path)  # noqa: PTH208 - one look


async def test_limits_for_all_need_no_ledger() -> None:
    app = web.Application()
    given = settings("http://127.0.0.1:9", access={"requests_per_minute": 5})
    async with open_meter(given, app, pooled=False):
        meter = app[METER]

    assert isinstance(meter, Accountant)
    assert (meter.ledger, meter.everywhere) == (None, True)


async def test_a_pool_needs_a_ledger_that_can_be_opened(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    app = web.Application()
    given = settings(
        "http://127.0.0.1:9",
        server={"data_dir": str(tmp_path / "data")},
        ledger={"enabled": True},
    )
    with pytest.raises(Unusable):
        async with open_meter(given, app, pooled=True):
            pass
    app[METER] = UNMETERED
    async with open_meter(given, app, pooled=False):
        assert app[METER] is UNMETERED
