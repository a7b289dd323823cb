"""Every page in a real browser: drawn without complaints, for everybody, light, and quiet."""

from collections import Counter
from urllib.parse import urljoin

import pytest

from gemproxy.pages.page import Page
from gemproxy.pages.table import PAGES
from tests.browser.conftest import OpenTab
from tests.browser.tab import DESKTOP, IN_BROWSER, PHONE, Tab
from tests.browser.world import World
from tests.operating import SECRET, Browser

pytestmark = IN_BROWSER

DRAWN = [page for page in PAGES if page.template]
HEAVIEST = 100 * 1024
"""Bytes of a page and all that it loads."""

every_page = pytest.mark.parametrize("row", DRAWN, ids=lambda row: row.path)


def name_of(row: Page, *more: str) -> str:
    name = row.path.strip("/").replace("/", "-").translate({ord("{"): None, ord("}"): None})
    return "-".join([name or "overview", *more])


@every_page
@pytest.mark.parametrize(
    ("language", "size"), [("en", DESKTOP), ("zh", PHONE)], ids=["en-desktop", "zh-phone"]
)
async def test_a_page_is_for_everybody(
    open_tab: OpenTab,
    busy: World,
    axe: None,
    addresses: dict[str, str],
    row: Page,
    language: str,
    size: tuple[int, int],
) -> None:
    """All rules are asked in the light theme; the dark one differs from it in colours alone."""
    tab = await open_tab(busy, language=language, size=size)
    await tab.visit(addresses[row.path])

    assert await tab.page.locator("h1").count() == 1
    assert await tab.violations() == []
    assert await tab.overflow() == []
    await tab.show_theme("dark")
    assert await tab.violations("color-contrast") == []
    await take_pictures(tab, row, language)


async def take_pictures(tab: Tab, row: Page, language: str) -> None:
    for word, (width, height) in (("desktop", DESKTOP), ("phone", PHONE)):
        await tab.page.set_viewport_size({"width": width, "height": height})
        for theme in ("light", "dark"):
            await tab.show_theme(theme)
            await tab.picture(name_of(row, language, theme, word))


@every_page
async def test_a_page_is_light_and_asks_no_more_than_it_needs(
    open_tab: OpenTab, busy: World, addresses: dict[str, str], row: Page
) -> None:
    """Hours pass on the page's own clock: a page that asked again and again would ask now."""
    tab = await open_tab(busy)
    await tab.page.clock.install()
    await tab.visit(addresses[row.path])
    first = await tab.weights()
    await tab.page.clock.fast_forward("12:00:00")
    await tab.page.evaluate(_ONE_MORE)
    *asked, last = ((request.resource_type, request.url) for request in tab.requests)
    kinds = Counter(kind for kind, _ in asked)

    assert sum(first.values()) < HEAVIEST, first
    assert last[0] == "fetch"
    assert (kinds["document"], kinds["eventsource"]) == (1, 1 if row.live else 0)
    assert (kinds["fetch"], kinds["xhr"]) == (0, 0)
    assert max(Counter(asked).values()) == 1, "asked for a file twice"


_ONE_MORE = "fetch(document.querySelector('link[rel=icon]').href, {cache: 'reload'})"
"""A request behind which none that the page made before can come."""


@every_page
async def test_a_stranger_is_sent_to_sign_in_and_back(
    busy: World, addresses: dict[str, str], row: Page
) -> None:
    stranger = Browser(busy.proxy)
    path = addresses[row.path]
    answer = await stranger.get(path)
    there = urljoin(path, answer.headers["Location"])
    back = await stranger.sign_in(path=there)

    assert answer.status == 303
    assert urljoin(there, back.headers["Location"]) == path


async def test_the_keyboard_alone_signs_in_and_out(open_tab: OpenTab, busy: World) -> None:
    tab = await open_tab(busy, stranger=True)
    keys = tab.page.keyboard
    await tab.visit("/admin/")
    with tab.forgiving("401"):
        await keys.type("wrong")
        await keys.press("Enter")
        await tab.page.wait_for_selector("[role=alert]")
    await keys.type(SECRET)
    await keys.press("Enter")
    await tab.page.wait_for_url("**/admin/")
    await keys.press("Tab")
    await keys.press("Enter")
    in_content = await tab.page.evaluate("document.activeElement.id")
    await keys.press("Shift+Tab")
    steps = await steps_to(tab, "Sign out", backwards=True)
    await keys.press("Enter")
    await tab.page.wait_for_url("**/admin/sign-in")

    assert in_content == "content"
    assert steps <= 1


async def steps_to(tab: Tab, words: str, *, backwards: bool = False) -> int:
    """Press Tab until the element with these words has the focus; return how often."""
    for step in range(100):
        if await tab.page.evaluate("document.activeElement.textContent") == words:
            return step
        await tab.page.keyboard.press("Shift+Tab" if backwards else "Tab")
    raise AssertionError(f"no way to {words}")


async def test_the_pages_work_without_scripts(
    open_tab: OpenTab, busy: World, addresses: dict[str, str]
) -> None:
    tab = await open_tab(busy, scripts=False, stranger=True)
    await tab.visit("/admin/")
    await tab.page.fill("#secret", SECRET)
    await tab.page.click("main button")
    for row in DRAWN:
        await tab.visit(addresses[row.path])
        assert await tab.page.locator("h1").is_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh"])
async def test_where_one_signs_in_is_for_everybody(
    open_tab: OpenTab, busy: World, axe: None, language: str, theme: str
) -> None:
    tab = await open_tab(busy, stranger=True, language=language, theme=theme, size=PHONE)
    await tab.visit("/admin/sign-in")

    assert await tab.violations() == []
    assert await tab.overflow() == []
    await tab.picture(f"sign-in-{language}-{theme}-phone")


async def test_a_reader_chooses_theme_and_language(open_tab: OpenTab, busy: World) -> None:
    tab = await open_tab(busy)
    await tab.visit("/admin/")
    await tab.page.select_option("select[name=theme]", "dark")
    await tab.page.select_option("select[name=language]", "zh")
    await tab.page.click(".preferences button")
    await tab.page.wait_for_selector("html[lang=zh-Hans]")

    assert await tab.page.locator("h1").inner_text() == "总览"
    assert await tab.page.evaluate("getComputedStyle(document.documentElement).colorScheme") == (
        "dark"
    )
