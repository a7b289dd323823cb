"""Which proxies have a meter, and which of them a ledger."""

import os
from pathlib import Path

import pytest
from aiohttp import web

from gemproxy.config.settings import Settings
from gemproxy.metering.accountant import Accountant
from gemproxy.metering.meter import UNMETERED
from gemproxy.routes.parts import METER
from gemproxy.store.unusable import Unusable
from gemproxy.web.accounting import keeps_a_ledger, open_meter
from tests.running import settings


@pytest.mark.parametrize("pooled", [False, True])
def test_a_ledger_is_kept_with_a_pool(*, pooled: bool) -> None:
    assert keeps_a_ledger(Settings(), pooled=pooled) is pooled


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("enabled", [False, True])
def test_the_setting_decides(*, enabled: bool, pooled: bool) -> None:
    given = settings("http://127.0.0.1:9", ledger={"enabled": enabled})

    assert keeps_a_ledger(given, pooled=pooled) is enabled


@pytest.mark.parametrize(
    "sections",
    [
        {
            "ledger": {"enabled": None, "database_url": "sqlite:///x"},
            "server": {"data_dir": "data"},
        },
        {"ledger": {"enabled": None}, "server": {"data_dir": "elsewhere"}},
    ],
)
def test_a_ledger_is_kept_where_its_place_is_named(sections: dict[str, dict[str, str]]) -> None:
    assert keeps_a_ledger(settings("http://127.0.0.1:9", **sections), pooled=False)


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
