"""The ledger's database by the admin API over sockets."""

import json
from pathlib import Path
from typing import Any

import pytest

from gemproxy.web.accounting import LEDGER
from tests.gemini import chunk, sse
from tests.replies import replying, sse_reply
from tests.running import Proxy, StartProxy

SECRET = "w7Kq2mXv9TzRw4Lp8sDfGh3J"
BASE = "/admin/api/v1"
WHOLE = sse(chunk("All of it.", finish="STOP"))


async def called(
    served: Proxy, method: str, path: str, body: bytes = b"", status: int = 200
) -> Any:
    answer = await served.ask(BASE + path, body, {"x-admin-secret": SECRET}, method=method)
    assert answer.status == status, answer.body
    return json.loads(answer.body)


async def test_it_is_shown_saved_checked_and_cleaned(proxy: StartProxy, tmp_path: Path) -> None:
    async with replying(sse_reply(WHOLE)) as upstream:
        served = await proxy(
            upstream.url,
            admin={"secret": SECRET},
            ledger={"enabled": True},
            server={"data_dir": str(tmp_path)},
        )
        await served.ask()
        assert await served.app[LEDGER].flush()
        shown = await called(served, "GET", "/database")
        saved = await called(served, "POST", "/database/backup")
        checked = await called(served, "POST", "/database/check", b"{}")
        cleaned = await called(served, "POST", "/database/cleanup", b'{"days": 30}')
        audit = await called(served, "GET", "/audit")

    assert (shown["kind"], shown["ok"], shown["contents"]["requests"]) == ("sqlite", True, 1)
    assert shown["file"] == str(tmp_path / "ledger.sqlite")
    assert (tmp_path / "backups" / saved["name"]).stat().st_size == saved["bytes"]
    assert (checked["ok"], checked["requests"]) == (True, 1)
    assert cleaned["deleted"] == 0
    assert [one["action"] for one in audit["entries"]] == ["database.cleanup", "database.backup"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/database/backup", b'{"file": "/etc/x"}', "file"),
        ("/database/backup?file=x", b"", "file"),
        ("/database/cleanup", b"", "days"),
        ("/database/cleanup", b'{"days": -1}', "days"),
        ("/database/cleanup", b'{"days": 1.5}', "days"),
        ("/database/cleanup", b'{"days": 999999999999}', "days"),
    ],
)
async def test_what_does_not_fit_is_refused_by_its_name(
    proxy: StartProxy, path: str, body: bytes, field: str
) -> None:
    async with replying() as upstream:
        served = await proxy(upstream.url, admin={"secret": SECRET}, ledger={"enabled": True})
        answer = await called(served, "POST", path, body, status=400)

    assert field in answer["error"]["message"]


async def test_without_a_ledger_the_setting_is_named(proxy: StartProxy) -> None:
    async with replying() as upstream:
        served = await proxy(upstream.url, admin={"secret": SECRET})
        for method, path, body in (
            ("GET", "/database", b""),
            ("POST", "/database/backup", b""),
            ("POST", "/database/check", b""),
            ("POST", "/database/cleanup", b'{"days": 1}'),
        ):
            answer = await called(served, method, path, body, status=404)
            assert "ledger.enabled" in answer["error"]["message"]


async def test_models_and_prices_are_shown(proxy: StartProxy) -> None:
    async with replying() as upstream:
        served = await proxy(upstream.url, admin={"secret": SECRET}, ledger={"enabled": True})
        prices = await called(served, "GET", "/prices")
        models = await called(served, "GET", "/models?limit=2&priced=true")

    assert prices["used_without_price"] == []
    assert prices["models"][0]["prices"][0]["rates"]["input"]
    assert len(models["models"]) == 2
    assert models["next"] == models["models"][-1]["name"]
