"""Texts of strangers in a real browser: no page runs one, and no page shows a secret.

A client fills what it can (models, request ids, its own name), an upstream its errors, and an
operator what the API takes. Each text would do something if it were more than a text.
"""

from collections.abc import AsyncIterator
from urllib.parse import quote, urljoin

import attrs
import pytest
import pytest_asyncio

from gemproxy.pages.application import Places
from gemproxy.pages.page import ROOT
from gemproxy.pages.table import PAGES
from tests.browser.conftest import OpenTab
from tests.browser.links import addresses_of, links_of
from tests.browser.tab import IN_BROWSER, Tab
from tests.browser.world import World, world
from tests.metered.house import rows_of
from tests.operating import SECRET
from tests.pooled.house import ANN, BOB, SECRETS, access
from tests.replies import json_reply, replying
from tests.wire import body_of

pytestmark = IN_BROWSER

TEXTS = (
    "<img src=x onerror=alert(1)>",
    '"><script>alert(2)</script>',
    "javascript:alert(3)",
    "'-alert(4)-'{{7*7}}",
    "</title></textarea></template><svg onload=alert(5)>",
)
PROMPT = "a-prompt-that-nobody-may-read-7f3a"
ANSWER = "an-answer-that-nobody-may-read-91bc"
NEW_KEY = "AIzaSyC0ffee5eedc0ffee5eedc0ffee5eed0042"
REFUSAL = {
    "error": {"code": 400, "status": "INVALID_ARGUMENT", "message": f"{TEXTS[0]} {PROMPT}"},
    "candidates": [{"content": {"parts": [{"text": ANSWER}]}}],
}
_UNDERGROUND = """
[...document.querySelectorAll("*")].flatMap((node) => [...node.attributes]
  .filter((one) => /^on/i.test(one.name)
    || /^(href|src|action|formaction|data|srcdoc|xlink:href)$/.test(one.name)
    && /^\\s*(javascript|data):/i.test(one.value))
  .map((one) => node.outerHTML.slice(0, 200)))
"""


@attrs.frozen(eq=False)
class Hostile:
    """A world whose texts were chosen by strangers; ``taken`` are those that the API took."""

    world: World
    taken: set[str]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hostile(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hostile]:
    folder = tmp_path_factory.mktemp("hostile")
    async with (
        replying(json_reply(REFUSAL, 400, f"X-Text: {TEXTS[0]}")) as upstream,
        world(folder, upstream.url) as made,
    ):
        taken = {text for number, text in enumerate(TEXTS) if await planted(made, number, text)}
        for text in TEXTS:
            await called(made, text)
        await rows_of(made.proxy)
        yield Hostile(made, taken)


async def planted(place: World, number: int, text: str) -> bool:
    """Put a text wherever the admin API takes it; return whether it took one at all."""
    bodies = (
        ("POST", "/users", {"name": text}),
        ("POST", "/users", {"name": f"user {number}", "models": [text]}),
        ("POST", "/keys", {"key": f"{NEW_KEY}{number}", "project": text}),
        ("POST", "/keys", {"key": f"{NEW_KEY}{number}"}),
        ("PATCH", "/settings", {"values": {"injection.content": f"{text} {PROMPT}"}}),
        ("PATCH", "/settings", {"values": {"openai.default_model": text}}),
        ("PATCH", "/settings", {"values": {"openai.aliases": {text: text}}}),
    )
    statuses = [await place.status(*one) for one in bodies]
    assert 500 not in statuses
    return any(status < 300 for status in (statuses[0], statuses[1], statuses[5], statuses[6]))


async def called(place: World, text: str) -> None:
    """Call as a client that puts a text into all that a client may fill."""
    model = quote(text, safe="")
    named = {**access(), "X-Request-Id": text, "User-Agent": text, "Referer": text}
    for method in ("streamGenerateContent?alt=sse&", "generateContent?"):
        target = f"/v1beta/models/{model}:{method}x={model}"
        await place.proxy.ask(target, body_of(PROMPT), named)
    plain = {**access(), "X-Request-Id": f"id{model.replace('%', '.')}"[:60]}
    await place.proxy.ask(f"/v1beta/models/{model}:generateContent", body_of(PROMPT), plain)
    await place.proxy.ask(f"/admin/{model}", b"", {"Accept": "text/html"}, "GET")


async def all_paths(place: World) -> list[str]:
    """Return an address of each page, and all addresses that lead to what a stranger named."""
    addresses, places = await addresses_of(place.session), Places.of(PAGES)
    found = dict.fromkeys(addresses.values())
    for path in addresses.values():
        answer = await place.session.get(path)
        for link in links_of(answer.body.decode()):
            target = urljoin(path, link)
            if "alert" in target and places.has(target.partition("?")[0]):
                found[target] = None
    return [path for path in found if path.startswith(ROOT)][:_MOST_PAGES]


_MOST_PAGES = 60
_LOST = "Failed to load resource"
"""What the console says of an address that has no page."""


async def looked_at(tab: Tab, path: str) -> str:
    """Open a page, wait for its first news, and return its source and what its fields hold."""
    await tab.visit(path)
    tab.complaints[:] = [one for one in tab.complaints if _LOST not in one]
    if await tab.page.evaluate("'livePage' in document.body.dataset"):
        await tab.news()
    assert await tab.page.evaluate(_UNDERGROUND) == []
    values: str = await tab.page.evaluate(
        "[...document.querySelectorAll('input, textarea')].map((one) => one.value).join(' ')"
    )
    return await tab.page.content() + values


async def test_no_text_of_a_stranger_does_anything_and_no_secret_is_shown(
    open_tab: OpenTab, hostile: Hostile
) -> None:
    tab, shown, sources = await open_tab(hostile.world), "", ""
    for path in await all_paths(hostile.world):
        sources += await looked_at(tab, path)
        shown += await tab.text()

    rows = (await hostile.world.api("GET", "/requests"))["requests"]
    named = {row["model"] for row in rows} & set(TEXTS)

    assert tab.complaints == []
    assert named
    assert {text for text in hostile.taken | named if text not in shown} == set()
    for secret in (*SECRETS, ANN, BOB, SECRET, PROMPT, ANSWER, NEW_KEY):
        assert secret not in sources


@pytest.mark.parametrize(
    "path", ["lost{}", "users?search={}", "requests?model={}", "sign-in?next={}"]
)
async def test_a_text_in_an_address_stays_text(
    open_tab: OpenTab, hostile: Hostile, path: str
) -> None:
    tab = await open_tab(hostile.world)
    for text in TEXTS:
        await looked_at(tab, f"{ROOT}/{path}".format(quote(text, safe="")))

    assert tab.complaints == []


async def test_a_text_in_an_answer_of_the_playground_stays_text(
    open_tab: OpenTab, hostile: Hostile
) -> None:
    tab = await open_tab(hostile.world)
    await tab.visit("/admin/playground")
    await tab.page.check("input[value=real]")
    await tab.page.fill("#model", TEXTS[1])
    await tab.page.fill("#key", ANN)
    with tab.forgiving("400"):
        await tab.page.click("#start")
        await tab.page.wait_for_selector("#run-state.bad")

    assert TEXTS[0] in await tab.page.inner_text("#run-state")
    assert await tab.page.evaluate(_UNDERGROUND) == []
