"""An operator's first hour in a real browser, from signing in to changing a setting."""

from pathlib import Path

from playwright.async_api import expect

from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.pages.rendering import money
from tests.browser.conftest import OpenTab
from tests.browser.tab import IN_BROWSER, Tab
from tests.browser.test_playground import SEEN_TEXT, until_told
from tests.browser.world import CLEAN, CUT, REFUSED, STUCK, World, faulty_world
from tests.metered.house import rows_of
from tests.operating import SECRET

pytestmark = IN_BROWSER

NEW_KEY = "AIzaSyE5e7a19c652fd4b8098c1f4e7b0a3d6c9f2"


async def sign_in(tab: Tab) -> None:
    await tab.visit("/admin/")
    await tab.page.fill("#secret", SECRET)
    await tab.page.press("#secret", "Enter")
    await expect(tab.page.locator("h1")).to_have_text("Overview")


async def go(tab: Tab, entry: str) -> None:
    """Follow an entry of the menu."""
    await (
        tab.page.get_by_role("navigation", name="Pages")
        .get_by_role("link", name=entry, exact=True)
        .click()
    )
    await expect(tab.page.locator("h1")).to_have_text(entry)


async def add_a_key(tab: Tab) -> None:
    await go(tab, "Keys")
    await tab.page.get_by_text("Add a key", exact=True).click()
    await tab.page.fill("#new-key", NEW_KEY)
    await tab.page.fill("#new-project", "lab")
    await tab.page.get_by_role("button", name="Add", exact=True).click()
    await expect(tab.page.locator(".notice[role=status]").first).to_be_visible()
    await expect(tab.page.locator("[data-row]").filter(has_text="lab")).to_have_count(1)


async def make_an_access_key(tab: Tab) -> str:
    """Return the key, which is shown once."""
    await go(tab, "Access keys")
    await tab.page.fill("#name", "newcomer")
    await tab.page.get_by_role("button", name="Make the access key").click()
    key = await tab.page.inner_text("#key")
    await tab.page.get_by_role("link", name="To the list").click()
    assert key not in await tab.page.content()
    return key


async def play(tab: Tab, key: str, cuts: str) -> str:
    """Run the fake with an access key; return the state that the page ends with."""
    await go(tab, "Playground")
    await tab.page.fill("#key", key)
    await tab.page.fill("#cuts", cuts)
    await tab.page.fill("#pause", "0")
    await tab.page.click("#start")
    await expect(tab.page.locator("#abort")).to_be_disabled()
    await until_told(tab)
    return await tab.page.inner_text("#run-state")


async def read_the_story(tab: Tab) -> None:
    """Follow the link to the story of the run, which has all its attempts."""
    name = await tab.page.inner_text("#request-id")
    await tab.page.get_by_role("link", name="The story of this request").click()
    await expect(tab.page.locator("h1")).to_contain_text(name)
    facts = tab.page.locator(".facts").first
    await expect(facts.locator("div", has_text="Attempts").locator("dd")).to_have_text("3")
    await expect(facts.locator("div", has_text="Repairs").locator("dd")).to_have_text("2")


async def end_a_stream(tab: Tab, place: World) -> None:
    """End a stream that runs, and see it go from the list and from the overview."""
    async with place.streaming() as client:
        await go(tab, "Streams")
        row = tab.page.locator("tbody [data-row]").filter(has_text=STUCK)
        await expect(row).to_have_count(1)
        await row.get_by_role("button").click()
        answer = await client.until(b"ended this request")
        await expect(row).to_have_count(0)

    assert b"STOP" not in answer
    assert (await place.api("GET", "/streams"))["total"] == 0


async def set_repair(tab: Tab, value: str) -> None:
    await go(tab, "Settings")
    await tab.page.get_by_role("link", name="repair.enabled", exact=True).click()
    await tab.page.select_option("#value", value)
    await tab.page.get_by_role("button", name="Save").click()
    await expect(tab.page.locator(".notice[role=status]").first).to_be_visible()


async def test_an_operator_adds_keys_watches_a_repair_and_changes_a_setting(
    open_tab: OpenTab, tmp_path: Path
) -> None:
    async with faulty_world(tmp_path) as place:
        tab = await open_tab(place, stranger=True)
        await sign_in(tab)
        await add_a_key(tab)
        key = await make_an_access_key(tab)

        assert await play(tab, key, "clean@900 rst@event:7") == "finished"
        assert "".join(await tab.page.evaluate(SEEN_TEXT)) == BUILT_IN["story"].text
        assert await tab.page.locator("#cuts-told li").count() == 2
        await read_the_story(tab)
        await end_a_stream(tab, place)

        await set_repair(tab, "false")
        with tab.forgiving("ERR_INCOMPLETE_CHUNKED_ENCODING"):
            assert (await play(tab, key, "clean@900")).startswith("failed")
        await set_repair(tab, "true")
        assert await play(tab, key, "clean@900") == "finished"

        users = (await place.api("GET", "/users"))["users"]
        assert "newcomer" in {user["name"] for user in users}
        await tab.page.context.close()


async def test_a_total_is_the_same_on_every_page_that_shows_it(
    open_tab: OpenTab, tmp_path: Path
) -> None:
    async with faulty_world(tmp_path) as place:
        tab = await open_tab(place)
        await tab.visit("/admin/")
        for number, model in enumerate((CLEAN, CUT, CLEAN, REFUSED)):
            await place.stream(model, f"Story {number}")
        await rows_of(place.proxy)
        total = (await place.api("GET", "/usage"))["total"]
        requests, cost = str(total["requests"]), money(total["cost_usd"])
        tile = tab.page.locator("[data-live=requests]")
        await expect(tile).to_have_text(requests, timeout=20_000)  # it moves without a new visit
        for table in ("by-model", "by-user"):
            rows = tab.page.locator(f"[aria-labelledby={table}] [data-field=requests]")
            assert sum(map(int, await rows.all_inner_texts())) == total["requests"]
        await expect(tab.page.locator("[data-live=cost]")).to_have_text(cost)

        await go(tab, "Models and prices")
        cells = await tab.page.locator("tfoot td").all_inner_texts()
        assert (cells[1], cells[4]) == (requests, cost)
        await go(tab, "Requests")
        assert await tab.page.locator("tbody tr").count() == total["requests"]
        again = tab.page.locator("tbody tr").filter(has_text="Tried again")
        assert CUT in await again.inner_text()
        await tab.page.context.close()
