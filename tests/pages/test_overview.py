"""The overview: its figures are those of the API, in the reader's zone, and they move."""

import time
from pathlib import Path
from typing import Any

import pytest

from gemproxy.ledger.row import Ending, Try
from gemproxy.pages.rendering import milliseconds, money, number
from gemproxy.web.accounting import LEDGER
from tests.ledger.book import row
from tests.operating import Browser, news, signed_in, told, words_of
from tests.replies import replying
from tests.running import StartProxy

DAY = 86_400_000
EVIL = '<script>alert(1)</script>" onload="x'
CUT = Try("aaaa0000", 200, "drop", "", "", 40, 300, 10, 5, 0)
WHOLE = Try("aaaa0000", 200, "", "", "", 40, 300, 10, 5, 0)


async def overview(proxy: StartProxy, url: str, folder: Path) -> Browser:
    """Start a proxy with rows of today and of the days before; sign in."""
    browser = await signed_in(
        proxy,
        url,
        ledger={"enabled": True},
        server={"data_dir": str(folder)},
        accounts={"timezone": "UTC"},
    )
    await put(
        browser,
        row(now(), first_byte_ms=420, cost_nano_usd=1_500_000_000),
        row(now(), user=EVIL, model=EVIL, project=EVIL, ending=Ending.FAILED),
        row(now(), attempts=2, tries=(CUT, WHOLE), repairs=1, first_byte_ms=900),
        row(now() - 3 * DAY, user="bob", cost_nano_usd=None),
        row(now() - 20 * DAY, user="bob"),
        row(now() - 60 * DAY),
    )
    return browser


def now() -> int:
    return int(time.time() * 1000)


async def put(browser: Browser, *rows: Any) -> None:
    ledger = browser.served.app[LEDGER]
    for one in rows:
        ledger.put(one)
    assert await ledger.flush()


@pytest.mark.parametrize(("days", "count"), [("", 3), ("1", 3), ("7", 4), ("30", 5), ("90", 6)])
async def test_the_figures_are_those_of_the_api(
    proxy: StartProxy, tmp_path: Path, days: str, count: int
) -> None:
    async with replying() as upstream:
        browser = await overview(proxy, upstream.url, tmp_path)
        words = " ".join(words_of(await browser.get(f"/admin/?days={days}")).split())
        moving = await news(browser, f"/admin/?days={days}")
        since = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86_400 * (int(days or 1) - 1)))
        total = (await told(browser, f"/usage?from={since}"))["total"]
        broken = await told(browser, f"/usage/interruptions?from={since}")

    texts = moving["texts"]
    assert total["requests"] == count
    assert texts["requests"] == number(count)
    assert texts["cost"] == money(total["cost_usd"])
    assert texts["p50"] == milliseconds(total["first_byte_p50_ms"])
    assert texts["interruptions"] == number(broken["total"]) == "1"
    for text in texts.values():
        assert text in words
    assert f"{since} to " in words
    assert "days of the zone UTC" in words
    for name in ("model", "user", "project"):
        assert sum(int(one["texts"]["requests"]) for one in moving["lists"][name]) == count
    (cause,) = moving["lists"]["interruptions"]
    assert (cause["texts"]["cause"], cause["texts"]["answered in full"]) == (
        "the stream ended before the answer did",
        "1",
    )


async def test_names_of_others_stay_text(proxy: StartProxy, tmp_path: Path) -> None:
    async with replying() as upstream:
        browser = await overview(proxy, upstream.url, tmp_path)
        page = await browser.get("/admin/")

    assert EVIL not in page.body.decode()
    assert EVIL in words_of(page)


async def test_a_name_leads_to_its_own_figures(proxy: StartProxy, tmp_path: Path) -> None:
    async with replying() as upstream:
        browser = await overview(proxy, upstream.url, tmp_path)
        rows = (await news(browser, "/admin/?days=90"))["lists"]["user"]
        (bob,) = [one for one in rows if one["id"] == "bob"]
        words = words_of(await browser.get(f"/admin/{bob['links']['only'].removeprefix('./')}"))
        moving = await news(browser, "/admin/?days=90&user=bob")

    assert "Only bob" in words
    assert moving["texts"]["requests"] == "2"


async def test_todays_figures_move(proxy: StartProxy, tmp_path: Path) -> None:
    async with replying() as upstream:
        browser = await overview(proxy, upstream.url, tmp_path)
        before = await news(browser, "/admin/")
        await put(browser, row(now()))
        after = await news(browser, "/admin/")

    assert (before["texts"]["requests"], after["texts"]["requests"]) == ("3", "4")


async def test_days_are_those_of_the_readers_zone(proxy: StartProxy, tmp_path: Path) -> None:
    async with replying() as upstream:
        browser = await overview(proxy, upstream.url, tmp_path)
        browser.cookies["gemproxy_zone"] = "Asia/Kathmandu"
        page = await browser.get("/admin/?days=7")
        moving = await news(browser, "/admin/?days=7")

    assert "days of the zone Asia/Kathmandu" in words_of(page)
    assert moving["texts"]["requests"] == "4"


async def test_the_page_is_in_chinese_too(proxy: StartProxy, tmp_path: Path) -> None:
    async with replying() as upstream:
        browser = await overview(proxy, upstream.url, tmp_path)
        browser.cookies["gemproxy_language"] = "zh"
        words = words_of(await browser.get("/admin/?days=30"))
        moving = await news(browser, "/admin/?days=30")

    assert "回答未完流已结束" in words
    assert moving["texts"]["healed"] == "其中 1 次仍得到完整回答"


async def test_ninety_days_are_a_light_page(proxy: StartProxy, tmp_path: Path) -> None:
    async with replying() as upstream:
        browser = await overview(proxy, upstream.url, tmp_path)
        days = [row(now() - day * DAY, first_byte_ms=day + 1) for day in range(90)]
        await put(browser, *days)
        page = await browser.get("/admin/?days=90")

    assert len(page.body) < 75_000
    assert page.body.decode().count("<svg") == 3


async def test_without_a_ledger_the_setting_is_named(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await signed_in(proxy, upstream.url, ledger={"enabled": False})
        words = words_of(await browser.get("/admin/"))
        moving = await news(browser, "/admin/")

    assert "ledger.enabled" in words
    assert moving["texts"] == {"streams": "0"}
