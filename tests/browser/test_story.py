"""An operator watches a stream being cut and repaired, reads its story, and ends another one."""

from pathlib import Path

from playwright.async_api import expect

from tests.browser.conftest import OpenTab
from tests.browser.tab import IN_BROWSER
from tests.browser.world import World, world
from tests.pages.test_story import BEGUN, REST, Broken
from tests.pooled.house import ANN, MODEL, access, stream_of
from tests.sockets import scripted
from tests.wire import Connection, body_of

pytestmark = IN_BROWSER


async def ask(client: Connection, name: str) -> None:
    await client.send(stream_of(MODEL), body_of(name), {**access(ANN), "X-Request-Id": name})


async def test_a_repair_is_watched_and_read(open_tab: OpenTab, tmp_path: Path) -> None:
    upstream = Broken()
    async with scripted(upstream) as url, world(tmp_path, str(url)) as place:
        tab = await open_tab(place)
        page = tab.page
        await tab.visit("/admin/streams")
        await expect(page.get_by_text("Nothing like this runs now.")).to_be_visible()
        async with place.proxy.connect() as client:
            await ask(client, "mine")
            await upstream.waits.wait()
            row = page.locator("[data-list=streams] > [data-row]")
            await expect(row.locator(".state")).to_have_text("Repairing")
            await expect(row).to_contain_text("attempt 3 is made")
            await expect(page.get_by_text("Nothing like this runs now.")).to_be_hidden()
            await row.get_by_role("link").click()

            third = page.locator("[data-list=attempts] > [data-row='3']")
            await expect(third.locator("[data-field=end]")).to_have_text("It runs")
            await expect(page.locator("[data-live=doing]")).to_contain_text("attempt 3 is made")
            await expect(page.get_by_text(f"cut at character {len(BEGUN)}")).to_be_visible()
            upstream.may.set()
            answer = await client.answer()
        await expect(page.get_by_role("table", name="Who pays")).to_be_visible(timeout=20_000)
        await expect(page.get_by_text("Done", exact=True)).to_be_visible()
        bars = page.locator("svg rect.answer")
        widths = [float(await bar.get_attribute("width") or 0) for bar in await bars.all()]

    assert answer.text == BEGUN + REST
    assert len(widths) == 3
    assert widths[2] > 0


async def test_a_stream_is_ended_after_a_question(open_tab: OpenTab, tmp_path: Path) -> None:
    upstream = Broken()
    async with scripted(upstream) as url, world(tmp_path, str(url)) as place:
        tab = await open_tab(place)
        async with place.proxy.connect() as client:
            await ask(client, "mine")
            await upstream.waits.wait()
            await tab.visit("/admin/streams")
            async with tab.page.expect_event("dialog") as asked:
                await tab.page.get_by_role("button", name="End mine").click()
            question = (await asked.value).message
            answer = await client.answer()
            notice = tab.page.get_by_text("The request mine was ended.")
            await expect(notice).to_be_visible()

    assert question == "End this request? Its client gets an error."
    assert b"cancelled" in answer.body.lower()


async def test_a_pasted_log_line_leads_to_the_story(open_tab: OpenTab, tmp_path: Path) -> None:
    upstream = Broken(asked=2)
    upstream.may.set()
    async with scripted(upstream) as url, world(tmp_path, str(url)) as place:
        await _answered(place)
        tab = await open_tab(place)
        await tab.visit("/admin/requests")
        box = tab.page.get_by_label("A request id, or a line of the log that has it")
        await box.fill('{"level": "INFO", "request_id": "mine", "status": 200}')
        await tab.page.get_by_role("button", name="Find").click()
        await expect(tab.page.get_by_role("heading", level=1)).to_contain_text("mine")

    assert tab.path == "/admin/requests/mine"


async def _answered(place: World) -> None:
    async with place.proxy.connect() as client:
        await ask(client, "mine")
        await client.answer()
    await place.settled()
