"""The page of models and prices over sockets: the figures are the API's."""

import re

from gemproxy.pool.key import Key
from gemproxy.web.accounting import LEDGER
from tests.gemini import BODY, chunk, sse
from tests.operating import Browser, signed_in, told, words_of
from tests.replies import replying, sse_reply
from tests.running import StartProxy

WHOLE = sse(chunk("All of it.", finish="STOP", usage=(7, 3)))


def row_of(page: str, model: str) -> list[str]:
    """Return the cells of a model's row, as a reader sees them."""
    found = re.search(rf'<tr data-row="{re.escape(model)}">(.*?)</tr>', page, re.DOTALL)
    assert found is not None
    cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", found[1], re.DOTALL)
    return [re.sub(r"<[^>]*>", " ", cell).strip() for cell in cells]


async def used(browser: Browser, model: str) -> None:
    path = f"/v1beta/models/{model}:streamGenerateContent?alt=sse"
    answer = await browser.served.ask(path, BODY, {"x-goog-api-key": "gp-password-of-lab"})
    assert answer.status == 200


async def test_models_have_their_use_and_those_without_a_price_are_marked(
    proxy: StartProxy,
) -> None:
    async with replying(sse_reply(WHOLE)) as upstream:
        browser = await signed_in(
            proxy,
            upstream.url,
            pool={"keys": (Key("AIzaSyPool", "P"),)},
            access={"keys": {"lab": "gp-password-of-lab"}},
            ledger={"enabled": True},
        )
        await used(browser, "gemini-2.5-flash")
        await used(browser, "gemini-2.5-flash")
        await used(browser, "of-nobody")
        assert await browser.served.app[LEDGER].flush()
        page = (await browser.get("/admin/models")).body.decode()
        total = (await told(browser, "/usage?by=model"))["groups"]
        known = {one["name"]: one for one in (await told(browser, "/models?used=true"))["models"]}
        unpriced = words_of(await browser.get("/admin/models?show=unpriced"))
        sums = {group["of"]["model"]: group["sums"] for group in total}

    assert sorted(re.findall(r'<tr data-row="([^"]+)"', page)) == sorted(known) == sorted(sums)
    for name in sums:
        cells = row_of(page, name)
        assert cells[2] == str(sums[name]["requests"])
        assert cells[3] == str(sums[name]["input_tokens"])
        assert cells[6:] == [str(known[name]["requests"]), str(known[name]["unpriced"])]
    assert "priced" in row_of(page, "gemini-2.5-flash")[1]
    assert "no price" in row_of(page, "of-nobody")[1]
    assert "1 of 1 requests in the last 30 days" in page
    assert "of-nobody" in unpriced


async def test_prices_are_those_of_the_table_with_tiers_and_long_prompts(
    proxy: StartProxy,
) -> None:
    async with replying() as upstream:
        browser = await signed_in(proxy, upstream.url)
        page = words_of(await browser.get("/admin/models?show=all"))
        table = await told(browser, "/prices")

    for model in table["models"]:
        assert ", ".join(model["names"]) in page
        for one in model["prices"]:
            for rates in filter(None, (one["rates"], one["long"])):
                assert all(f"${rates[kind]}" in page for kind in ("input", "output") if rates[kind])
            for tier, factor in one["tiers"].items():
                assert len(one["tiers"]) == 1 or f"{tier} × {factor}" in page


async def test_without_a_ledger_there_are_prices_and_no_use(proxy: StartProxy) -> None:
    async with replying() as upstream:
        browser = await signed_in(proxy, upstream.url)
        page = await browser.get("/admin/models?show=priced")

    assert page.status == 200
    assert row_of(page.body.decode(), "gemini-2.5-flash")[2] == "–"
