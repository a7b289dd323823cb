"""The pages of keys in a browser: changes show by themselves, and forms do their work."""

from pathlib import Path

from gemproxy.pages.projects import fields_of
from gemproxy.pool.key import fingerprint
from tests.browser.conftest import OpenTab
from tests.browser.tab import IN_BROWSER
from tests.browser.world import CLEAN, faulty_world

pytestmark = IN_BROWSER

ADDED = "AIzaSyAddedInTheBrowser"
NAME = fingerprint(ADDED)


async def test_keys_that_change_elsewhere_change_on_the_page(
    open_tab: OpenTab, tmp_path: Path
) -> None:
    async with faulty_world(tmp_path) as made:
        tab = await open_tab(made)
        await tab.visit("/admin/keys")
        before = await tab.page.locator("tr[data-row]").count()
        row = tab.page.locator(f'tr[data-row="{NAME}"]')

        await made.api("POST", "/keys", {"key": ADDED, "project": "browser"})
        await row.wait_for()
        await made.api("PATCH", f"/keys/{NAME}", {"enabled": False})
        await row.get_by_text("Disabled", exact=True).wait_for()
        await row.get_by_role("button", name=f"Enable {NAME}").click()
        await tab.page.get_by_text(f"The key {NAME} is enabled.").wait_for()
        await made.api("DELETE", f"/keys/{NAME}")
        await row.wait_for(state="detached")

        assert await tab.page.locator("tr[data-row]").count() == before
        assert await tab.page.locator("[data-live=keys]").first.inner_text() == str(before)


async def test_a_key_is_added_and_all_of_a_page_are_disabled_by_keyboard(
    open_tab: OpenTab, tmp_path: Path
) -> None:
    async with faulty_world(tmp_path) as made:
        tab = await open_tab(made)
        press = tab.page.keyboard.press
        await tab.visit("/admin/keys")
        await tab.page.locator("summary").focus()
        await press("Enter")
        await press("Tab")
        await tab.page.keyboard.type(ADDED)
        await press("Enter")
        await tab.page.locator(f'tr[data-row="{NAME}"]').wait_for()
        every = tab.page.get_by_label("All of this page")
        await every.focus()
        await press("Space")
        boxes = tab.page.locator("input[name=key]:checked")
        rows = await tab.page.locator("tr[data-row]").count()
        assert await boxes.count() == rows
        await boxes.first.uncheck()
        assert not await every.is_checked()
        await every.check()
        await tab.page.get_by_role("button", name="Disable them").focus()
        await press("Enter")
        await tab.page.get_by_text(f"Keys that are disabled: {rows}.").wait_for()
        pool = await made.api("GET", "/pool")
        refused = await made.stream(CLEAN)

    assert pool["disabled"] == rows
    assert refused.status == 503
    assert ADDED not in tab.page.url


async def test_the_map_follows_requests(open_tab: OpenTab, tmp_path: Path) -> None:
    async with faulty_world(tmp_path) as made:
        await made.stream(CLEAN)
        tab = await open_tab(made)
        await tab.visit("/admin/projects?only=busy")
        use, _ = fields_of(CLEAN)
        cells = tab.page.locator(f'[data-field="{use}"]')
        used = tab.page.locator(f'[data-field-state="{use}"]:not([data-state="0"])')
        assert await used.count() == 1
        shown = await cells.first.inner_text()

        await made.stream(CLEAN)
        await made.stream(CLEAN)
        listed = await made.api("GET", "/projects?only=busy")
        asked = {
            one["name"]: [cell["requests"] for cell in one["models"]] for one in listed["projects"]
        }
        for project, (requests,) in asked.items():
            row = tab.page.locator(f'tr[data-row="{project}"]')
            await row.get_by_text(str(requests), exact=False).first.wait_for()

        assert shown.startswith("1")
        assert sum(map(sum, asked.values())) == 3
