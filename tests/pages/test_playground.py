"""The playground without a browser: what it offers, and what it tells of a request."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.metered.house import rows_of
from tests.operating import SECRET, Browser, signed_in, words_of
from tests.pooled.house import ANN, access
from tests.replies import replying
from tests.running import StartProxy
from tests.wire import STREAM

POOL = {"pool": {"keys": "one-key"}, "access": {"keys": {"ann": ANN}}, "ledger": {"enabled": None}}


@contextlib.asynccontextmanager
async def at_work(proxy: StartProxy, *cuts: str) -> AsyncIterator[tuple[ChaosServer, Browser]]:
    """Run a proxy with a ledger, signed in to, in front of a fake that is cut."""
    script = Script(BUILT_IN["story"], faults=map(parse_fault, cuts))
    async with ChaosServer(script) as fake:
        yield fake, await signed_in(proxy, fake.url, **POOL)


async def told(browser: Browser, name: str) -> dict[str, Any]:
    answer = await browser.get(f"/admin/playground/{name}")
    assert answer.status == 200, answer.body
    found: dict[str, Any] = json.loads(answer.body)
    return found


async def test_it_asks_for_the_key_that_the_proxy_takes(proxy: StartProxy) -> None:
    async with replying() as upstream:
        own = await signed_in(proxy, upstream.url)
        pooled = await signed_in(proxy, upstream.url, **POOL)
        pages = [await browser.get("/admin/playground") for browser in (own, pooled)]

    assert "Gemini API key" in words_of(pages[0])
    assert "Access key" in words_of(pages[1])
    for page in pages:
        assert "connect-src 'self'" in page.headers["Content-Security-Policy"]
        assert 'name="key"' not in page.body.decode()


async def test_a_request_is_told_while_it_runs_and_from_the_ledger_later(
    proxy: StartProxy,
) -> None:
    async with at_work(proxy, "clean@900", "stall@event:7") as (fake, browser):
        async with browser.served.connect() as client:
            await client.send(STREAM, headers={**access(), "X-Request-Id": "mine"})
            await fake.until_stalled()
            running = await told(browser, "mine")
            cut = await browser.post("/admin/playground/mine/cut", {})
            answer = await client.answer()
        await rows_of(browser.served)
        later = await told(browser, "mine")

    assert answer.text == BUILT_IN["story"].text
    assert cut.status == 303
    assert running["over"] is False
    assert [one["at"] for one in running["cuts"]] == [later["cuts"][0]["at"]]
    assert (later["over"], len(later["cuts"])) == (True, 2)
    assert later["facts"]["attempts"] == "3"
    assert later["cuts"][1]["words"][0].endswith("the stream ended before the answer did.")


async def test_an_unknown_request_may_still_come_where_there_is_a_ledger(
    proxy: StartProxy,
) -> None:
    async with at_work(proxy) as (fake, browser):
        with_one = await told(browser, "mine")
        without = await told(await signed_in(proxy, fake.url), "mine")

    assert (with_one["over"], with_one["cuts"]) == (False, None)
    assert without["over"] is True


async def test_only_the_operator_cuts(proxy: StartProxy) -> None:
    async with (
        at_work(proxy, "stall@event:7") as (fake, browser),
        browser.served.connect() as client,
    ):
        await client.send(STREAM, headers={**access(), "X-Request-Id": "mine"})
        await fake.until_stalled()
        stranger = await Browser(browser.served).post("/admin/playground/mine/cut", {})
        forged = await browser.post("/admin/playground/mine/cut", {}, token="0" * 64)
        unknown = await browser.post("/admin/playground/other/cut", {})
        assert len((await told(browser, "mine"))["cuts"]) == 0

    assert (stranger.status, forged.status, unknown.status) == (401, 403, 404)
    assert SECRET not in words_of(unknown)
