"""The playground in a real browser: a stream that is cut on purpose, and its repair, seen live."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from gemproxy.chaos.repertoire import BUILT_IN
from tests.browser.conftest import OpenTab
from tests.browser.tab import IN_BROWSER, PHONE, Tab
from tests.browser.world import CLEAN, World, faulty_world
from tests.pooled.house import ANN

pytestmark = IN_BROWSER

STORY = BUILT_IN["story"].text
SEEN_TEXT = "[...document.querySelectorAll('#answer-text .piece')].map((one) => one.textContent)"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with faulty_world(tmp_path_factory.mktemp("playground")) as made:
        yield made


async def opened(open_tab: OpenTab, place: World, *, cuts: str, pause: int = 0) -> Tab:
    tab = await open_tab(place)
    await tab.visit("/admin/playground")
    await tab.page.fill("#key", ANN)
    await tab.page.fill("#cuts", cuts)
    await tab.page.fill("#pause", str(pause))
    return tab


async def until_told(tab: Tab) -> None:
    """Return when the ledger has told of the request, which is the last that comes."""
    await expect(tab.page.locator("[data-fact=duration]")).not_to_have_text("–")


async def test_a_cut_stream_is_whole_and_its_cuts_are_where_they_were(
    open_tab: OpenTab, place: World
) -> None:
    tab = await opened(open_tab, place, cuts="clean@900 rst@event:7")
    await tab.page.click("#start")
    await until_told(tab)
    pieces: list[str] = await tab.page.evaluate(SEEN_TEXT)
    name = await tab.page.inner_text("#request-id")
    story = (await place.api("GET", f"/requests/{name}"))["requests"][0]
    told = await tab.page.inner_text("#cuts-told")

    assert "".join(pieces) == STORY
    assert [len(piece) for piece in pieces] == [one["characters"] for one in story["attempts"]]
    assert await tab.page.inner_text("#characters") == f"{len(STORY):,}"
    assert await tab.page.inner_text("#repaired") == "2"
    assert await tab.page.inner_text("#finish") == "STOP"
    assert await tab.page.inner_text("#response-ids") == "1"
    assert await tab.page.inner_text("[data-fact=attempts]") == "3"
    assert await tab.page.inner_text("#run-state") == "finished"
    assert told.count("the stream ended before the answer did") == 2


async def test_the_button_cuts_a_stream_that_runs(open_tab: OpenTab, place: World) -> None:
    tab = await opened(open_tab, place, cuts="", pause=40)
    await tab.page.click("#start")
    await expect(tab.page.locator("#characters")).not_to_have_text("0")
    await tab.page.click("#cut")
    await expect(tab.page.locator("#cuts-told li")).to_have_count(1)
    await until_told(tab)
    audit = (await place.api("GET", "/audit?action=interrupt+a+stream"))["entries"]

    assert "".join(await tab.page.evaluate(SEEN_TEXT)) == STORY
    assert audit[0]["target"] == await tab.page.inner_text("#request-id")
    assert await tab.page.is_disabled("#cut")


async def test_a_run_is_aborted_by_keyboard_alone(open_tab: OpenTab, place: World) -> None:
    tab = await opened(open_tab, place, cuts="stall@event:3")
    keys = tab.page.keyboard
    await tab.page.focus("#start")
    await keys.press("Enter")
    await expect(tab.page.locator("#characters")).not_to_have_text("0")
    await tab.page.focus("#abort")
    await keys.press("Space")
    await expect(tab.page.locator("#run-state")).to_have_text("aborted by you")
    await until_told(tab)

    assert STORY.startswith("".join(await tab.page.evaluate(SEEN_TEXT)))


async def test_the_upstream_of_the_settings_answers_a_real_request(
    open_tab: OpenTab, place: World
) -> None:
    tab = await opened(open_tab, place, cuts="")
    await tab.page.check("input[value=real]")
    await tab.page.fill("#model", CLEAN)
    await tab.page.click("#start")
    await until_told(tab)
    name = await tab.page.inner_text("#request-id")
    row = (await place.api("GET", f"/requests/{name}"))["requests"][0]["request"]

    assert "".join(await tab.page.evaluate(SEEN_TEXT)) == STORY
    assert (row["model"], row["user"], row["ending"]) == (CLEAN, "ann", "done")
    assert await tab.page.inner_text("[data-fact=cost]") != "–"


@pytest.mark.parametrize(
    ("field", "value", "status", "words"),
    [
        ("#key", "gp-wrong-wrong-wrong", "401", "access key"),
        ("#cuts", "bang", "400", "bang"),
        ("#model", "gemini-2.5-flash-lite", "400", ""),
    ],
)
async def test_a_refusal_is_told_in_its_words(
    open_tab: OpenTab, place: World, field: str, value: str, status: str, words: str
) -> None:
    tab = await opened(open_tab, place, cuts="status:400" if field == "#model" else "")
    await tab.page.fill(field, value)
    with tab.forgiving(status):
        await tab.page.click("#start")
        await expect(tab.page.locator("#run-state.bad")).to_contain_text(status)

    assert words in await tab.page.inner_text("#run-state")


async def test_the_key_is_kept_nowhere(open_tab: OpenTab, place: World) -> None:
    tab = await opened(open_tab, place, cuts="")
    await tab.page.click("#start")
    await until_told(tab)
    kept = await tab.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    cookies = await tab.page.context.cookies()
    await tab.page.reload()

    assert kept == "[{},{}]"
    assert ANN not in str(cookies)
    assert await tab.page.input_value("#key") == ""
    assert all(ANN not in request.url for request in tab.requests)


async def test_without_scripts_the_page_says_that_it_needs_them(
    open_tab: OpenTab, place: World
) -> None:
    tab = await open_tab(place, scripts=False)
    await tab.visit("/admin/playground")

    assert "needs JavaScript" in await tab.text()
    assert not await tab.page.is_visible("#start")


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_run_is_for_everybody(
    open_tab: OpenTab, place: World, axe: None, language: str
) -> None:
    tab = await open_tab(place, language=language)
    await tab.visit("/admin/playground")
    await tab.page.fill("#key", ANN)
    await tab.page.fill("#pause", "0")
    await tab.page.click("#start")
    await until_told(tab)

    assert await tab.violations() == []
    await tab.picture(f"playground-run-{language}-light-desktop")
    await tab.show_theme("dark")
    assert await tab.violations("color-contrast") == []
    await tab.page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    assert await tab.overflow() == []
    await tab.picture(f"playground-run-{language}-dark-phone")


async def test_a_page_that_is_left_ends_its_run(open_tab: OpenTab, place: World) -> None:
    tab = await opened(open_tab, place, cuts="stall@event:3")
    await tab.page.click("#start")
    await expect(tab.page.locator("#characters")).not_to_have_text("0")
    name = await tab.page.inner_text("#request-id")
    await tab.visit("/admin/")
    async with asyncio.timeout(10):
        while (await place.api("GET", "/streams"))["total"]:  # noqa: ASYNC110 (nobody announces it)
            await asyncio.sleep(0.02)

    assert re.fullmatch(r"playground-[0-9a-f]{16}", name)
