"""The pages of the system over sockets: figures as the API has them, and work on the database."""

import re
import time
from typing import Any

from gemproxy import __version__
from gemproxy.web.accounting import LEDGER
from tests.gemini import chunk, sse
from tests.ledger.book import Book, row
from tests.operating import SECRET, Browser, news, signed_in, told, words_of
from tests.replies import json_reply, replying, sse_reply
from tests.running import StartProxy

WHOLE = sse(chunk("All of it.", finish="STOP"))
DAY_MS = 86_400_000


async def browsing(proxy: StartProxy, url: str, **sections: Any) -> Browser:
    return await signed_in(proxy, url, ledger={"enabled": True}, **sections)


def facts(page: str) -> dict[str, str]:
    """Return the facts of a page by their names, as a reader sees them."""
    found = re.findall(r"<dt>(.*?)</dt>\s*<dd[^>]*>(.*?)</dd>", page, re.DOTALL)
    return {name: " ".join(re.sub(r"<[^>]*>", " ", value).split()) for name, value in found}


async def test_the_processes_and_the_database_are_those_of_the_api(proxy: StartProxy) -> None:
    async with replying(sse_reply(WHOLE)) as upstream:
        browser = await browsing(proxy, upstream.url)
        await browser.served.ask()
        assert await browser.served.app[LEDGER].flush()
        page = (await browser.get("/admin/system")).body.decode()
        state, held = await told(browser, "/system"), await told(browser, "/database")
        first = await news(browser, "/admin/system")

    shown = facts(page)
    assert shown["Version"].startswith(__version__)
    assert state["version"] == __version__
    assert (shown["Mode"], shown["Workers"]) == (state["mode"], str(len(state["each"])))
    assert shown["Requests"] == "1, 0 running"
    assert held["contents"]["requests"] == 1
    assert shown["Schema"] == f"{held['contents']['schema']} ({held['contents']['server']})"
    assert held["file"] in shown["Where it is"]
    assert all(f"{name} {version}" in page for name, version in state["libraries"].items())
    assert set(first["texts"]) == {"uptime", "memory", "running"}
    assert SECRET not in page


async def test_a_backup_is_made_and_listed(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await browsing(proxy, upstream.url)
        before = words_of(await browser.get("/admin/system"))
        await browser.post("/admin/system/backup", {})
        after = words_of(await browser.get("/admin/system"))
        (known,) = (await told(browser, "/database/backups"))["backups"]

    assert "There is no backup yet." in before
    assert f"The backup {known['name']} has 0 requests" in after
    assert "There is no backup yet." not in after


async def test_a_check_says_what_it_found(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await browsing(proxy, upstream.url)
        page = words_of(await browser.post("/admin/system/check", {}))

    assert "The database is sound." in page


async def test_a_cleanup_says_how_many_it_will_delete_before_it_does(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await browsing(proxy, upstream.url)
        engines = browser.served.app[LEDGER].engines
        book, now = Book(engines), int(time.time() * 1000)
        await book.put(*(row(now - age * DAY_MS) for age in (1, 10, 40, 50, 60)))
        await book.fold(now / 1000)
        question = words_of(await browser.get("/admin/system/cleanup?days=30"))
        forecast = await told(browser, "/database/cleanup?days=30")
        held = await told(browser, "/database")
        await browser.post("/admin/system/cleanup", {"days": "30"})
        after = words_of(await browser.get("/admin/system"))
        left = await told(browser, "/database")
        wrong = await browser.get("/admin/system/cleanup?days=-4")
        refused = await browser.post("/admin/system/cleanup", {"days": "all"})

    assert forecast == {"days": 30, "requests": 3}
    assert held["contents"]["requests"] == 5
    assert "3 requests that are older than 30 days would be deleted" in question
    assert "Delete 3 requests" in question
    assert "3 requests were deleted" in after
    assert left["contents"]["requests"] == 2
    assert 'id="wrong"' in wrong.body.decode()
    assert refused.status == 400


async def test_the_doctor_states_its_findings_with_advice(proxy: StartProxy) -> None:
    async with replying(json_reply({"models": []})) as upstream:
        browser = await browsing(proxy, upstream.url)
        alone = await browser.post("/admin/system/doctor", {})
        page = words_of(alone)
        asked = len(upstream.seen)
        network = words_of(await browser.post("/admin/system/doctor", {"network": "on"}))

    assert alone.status == 200
    assert all(check in page for check in ("python", "ledger", "data-directory", "disk"))
    assert all(check not in page for check in ("public-url", "keys-at-google"))
    assert asked == 0
    assert all(check in network for check in ("upstream", "clock", "public-url"))
    assert SECRET not in page + network


async def test_the_audit_log_comes_in_pages_and_is_filtered(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await browsing(proxy, upstream.url)
        for number in range(1, 53):
            path = "/admin/settings/repair.max_resumes"
            await browser.post(path, {"value": str(number)})
        await browser.post("/admin/settings/pool.strategy", {"value": "weighted"})
        first = (await browser.get("/admin/system/audit")).body.decode()
        entries = (await told(browser, "/audit?limit=50"))["entries"]
        second = await browser.get(f"/admin/system/audit?cursor={entries[-1]['number']}")
        some = await browser.get("/admin/system/audit?target=pool.strategy&action=")
        none = await browser.get("/admin/system/audit?action=nothing.done")

    numbers = re.findall(r'<tr data-row="(\d+)"', first)
    assert numbers == [str(entry["number"]) for entry in entries]
    assert f"cursor={numbers[-1]}" in first
    assert second.body.decode().count("<tr data-row") == len(entries) - 50 + 4
    assert some.body.decode().count("<tr data-row") == 1
    assert "weighted" in words_of(some)
    assert "No change fits." in words_of(none)


async def test_without_a_ledger_the_page_says_what_to_do(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await signed_in(proxy, upstream.url)
        page = await browser.get("/admin/system")

    assert page.status == 200
    assert "ledger.enabled" in words_of(page)
