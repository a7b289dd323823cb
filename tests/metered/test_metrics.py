"""The metrics of a proxy with a pool, limits, prices and a ledger."""

import asyncio

import pytest

from gemproxy.accounts.user import NANO, User
from gemproxy.chaos.answers import Answer as Told
from gemproxy.chaos.refusals import INVALID, quota, requests_by_day
from gemproxy.chaos.script import Script
from gemproxy.metrics.families import FAMILIES
from gemproxy.web.metrics import GATHERING
from gemproxy.web.totals import Totals
from tests.metered.conftest import StartHouse
from tests.metered.house import MeteredHouse, limited
from tests.pooled.house import K3, MODEL, OTHER, access, stream_of
from tests.running import PATIENCE
from tests.scraping import Scrape, ask, scrape
from tests.wire import body_of

pytestmark = pytest.mark.production_loop

SHORT = Script(Told("Well."), rearm=True)


async def send(at: MeteredHouse, text: str, model: str = MODEL, user: str = "ann") -> int:
    answer = await at.proxy.ask(stream_of(model), body_of(text), access(at.people[user]))
    return answer.status


async def settled(at: MeteredHouse) -> Scrape:
    """Return the samples once all rows are in the ledger, and its totals are read."""
    await at.rows()
    (totals,) = (one for one in at.proxy.app[GATHERING].readings if isinstance(one, Totals))
    await totals.refresh()
    return await scrape(at.proxy)


async def test_counters_and_the_ledgers_totals_agree(house: StartHouse) -> None:
    at = await house({"ann": User("", ""), "bob": User("", "")})
    for number in range(3):
        assert await send(at, f"Prompt {number}", user="bob" if number else "ann") == 200
    rows = await at.rows()
    found = await settled(at)

    for kind in ("input", "output", "thought"):
        expected = sum(getattr(row, f"{kind}_tokens") for row in rows)
        assert found.sum("gemproxy_tokens_total", kind=kind) == expected
        for period in ("day", "month"):
            assert found.sum("gemproxy_ledger_tokens", period=period, kind=kind) == expected
    cost = sum(row.cost_nano_usd or 0 for row in rows) / NANO
    assert cost > 0
    assert found.sum("gemproxy_cost_usd_total", payer="user") == pytest.approx(cost)
    assert found.sum("gemproxy_ledger_cost_usd", period="day", payer="user") == pytest.approx(cost)
    assert found.sum("gemproxy_requests_total", ending="done", model=MODEL) == 3
    assert found.sum("gemproxy_ledger_requests", period="day", ending="done") == 3
    assert found.has(
        "gemproxy_requests_total", route="none", model="none", code="none", ending="lost"
    )
    assert found.sum("gemproxy_usage_queue_depth") == 0


async def test_a_key_is_told_by_its_fingerprint_and_a_refusal_by_its_reason(
    house: StartHouse,
) -> None:
    at = await house({"ann": User("", "")}, SHORT, pool={"strategy": "round_robin"})
    at.fake.cloud.refuse("P2", INVALID)
    at.fake.cloud.refuse("P1", quota(requests_by_day(OTHER), delay=36), model=OTHER)
    for number in range(4):
        await send(at, f"Prompt {number}", OTHER if number % 2 else MODEL)
    found = await settled(at)

    assert found.sum("gemproxy_keys") == 3
    assert found.sum("gemproxy_keys", state="sick") == 1
    assert found.sum("gemproxy_keys_sick", reason="invalid") == 1
    assert found.sum("gemproxy_rests", model=OTHER, reason="day") == 1
    assert found.sum("gemproxy_keys", state="resting") == 2
    assert found.sum("gemproxy_key_cooldowns_total", reason="day") == 1
    assert found.sum("gemproxy_key_cooldowns_total", reason="invalid") == 1
    assert found.sum("gemproxy_upstream_attempts_total", code="400") == 1
    assert found.sum("gemproxy_upstream_attempts_total", key="client") == 0


async def test_refusals_of_ours_are_counted_by_their_limit(house: StartHouse) -> None:
    at = await house({"ann": limited(rpm=1), "eve": limited(models=(OTHER,))}, SHORT)
    statuses = [await send(at, f"Prompt {number}") for number in range(3)]
    forbidden = await send(at, "Hello", user="eve")
    unknown = await at.proxy.ask(stream_of(), body_of("Hello"), access("gp-wrong"))
    found = await scrape(at.proxy)

    assert statuses == [200, 429, 429]
    assert (forbidden, unknown.status) == (403, 401)
    assert found.sum("gemproxy_rate_limited_total", scope="rpm") == 2
    assert found.sum("gemproxy_auth_failures_total", reason="forbidden") == 1
    assert found.sum("gemproxy_auth_failures_total", reason="unauthenticated") == 1


async def test_no_secret_no_name_and_no_prompt_is_in_a_page(house: StartHouse) -> None:
    at = await house({"secretary": User("", "")}, Script(Told("Private words."), rearm=True))
    await send(at, "Private question", user="secretary")
    await at.proxy.ask("/v1beta/models/private:generateContent", b"private", access("gp-private"))
    pages = [
        (await ask(at.proxy, target, Accept=accept)).body
        for target, accept in (
            ("/metrics", "text/plain"),
            ("/metrics", "application/openmetrics-text; version=1.0.0"),
            ("/metrics?format=json", "*/*"),
        )
    ]

    for page in pages:
        lower = page.lower()
        assert b"private" not in lower
        assert b"secretary" not in lower
        assert at.people["secretary"].encode() not in page
        assert K3.encode() not in page


async def test_thousands_of_invented_names_make_few_series(house: StartHouse) -> None:
    at = await house({"ann": User("", "")}, SHORT)
    recorder_names = [f"invented-{number}" for number in range(200)]
    async with asyncio.timeout(PATIENCE * 3):
        for name in recorder_names:
            await at.proxy.ask(
                f"/v1beta/models/{name}:countTokens", b"{}", access(f"gp-{name}-wrong")
            )
    found = await scrape(at.proxy)

    assert "invented" not in found.page
    assert len(found.samples) < 50 * len(FAMILIES)
