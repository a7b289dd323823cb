"""A tab of Chromium: it visits the pages of one proxy, and notes all that goes wrong there.

Playwright drives Debian's Chromium. It was chosen over Selenium because it is asynchronous, as the
proxy in the same process is, because it reports console, requests and dialogs as they come, and
because a new reader costs a context and not a new browser.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from playwright.async_api import BrowserContext, ConsoleMessage, Dialog, Page, Request, Response

from tests.running import Proxy

IN_BROWSER = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(600)]
"""The marks of all tests with a browser, which share its event loop.

The first one may have to wait for an installation."""

DESKTOP, PHONE = (1280, 900), (390, 844)
"""Sizes of the window, in pixels of CSS."""

PICTURES = "GEMPROXY_SCREENSHOTS"
"""The variable that names a folder for pictures of all pages; without it none are taken."""

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
NEWS = """
window.__news = new Promise((come) =>
  document.addEventListener("gemproxy:news", come, {once: true}));
"""
"""A script that a page runs before its own; ``Tab.news`` waits for what it made."""

_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_SSE = "text/event-stream"
_WIDE = """
(() => {
  const page = document.documentElement, most = page.clientWidth;
  if (page.scrollWidth <= most) return [];
  const scrolls = (node) => node && (getComputedStyle(node).overflowX !== "visible"
    || scrolls(node.parentElement));
  const sticksOut = (node) => node.getBoundingClientRect().right > most + 1
    || node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).display === "block";
  const found = [...document.querySelectorAll("main *, footer *")].filter(
    (node) => sticksOut(node) && !scrolls(node));
  return [`${page.scrollWidth - most} px`, ...found.map((node) => node.outerHTML.slice(0, 120))];
})()
"""


@attrs.define(eq=False, slots=False)  # Playwright notes its own things on who listens
class Tab:
    """A page in a browser. ``complaints`` are errors that its console shows, and dialogs."""

    page: Page
    served: Proxy
    complaints: list[str] = attrs.field(factory=list)
    requests: list[Request] = attrs.field(factory=list)
    responses: list[Response] = attrs.field(factory=list)

    def listen(self) -> None:
        """Note what happens from now on."""
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on("dialog", self._asked)
        self.page.on("request", self._sent)
        self.page.on("response", self._came)

    def _sent(self, request: Request) -> None:
        self.requests.append(request)

    def _came(self, response: Response) -> None:
        self.responses.append(response)

    async def _asked(self, dialog: Dialog) -> None:
        if dialog.type == "alert":
            self.complaints.append(f"alert: {dialog.message}")
        await dialog.accept()

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text} ({self.page.url})")

    async def visit(self, path: str) -> None:
        """Open a path of the proxy; return when the page and its files are there."""
        await self.page.goto(self.served.url + path, wait_until="load")

    @property
    def path(self) -> str:
        """The path and the query of the page that is open."""
        return self.page.url.removeprefix(self.served.url)

    async def text(self) -> str:
        """Return the text of the page, as it is shown."""
        return await self.page.inner_text("body")

    async def news(self) -> None:
        """Return when the page has taken what its stream says first."""
        await self.page.evaluate("window.__news.then(() => null)")

    async def violations(self, *rules: str) -> list[str]:
        """Return what axe-core finds wrong, by all rules or by the ones named."""
        if not await self.page.evaluate("'axe' in window"):
            await self.page.evaluate(AXE.read_text("utf-8"))
        only: dict[str, Any] = (
            {"type": "rule", "values": list(rules)} if rules else {"type": "tag", "values": _TAGS}
        )
        options = json.dumps({"runOnly": only, "resultTypes": ["violations"]})
        found = await self.page.evaluate(f"axe.run(document, {options})")
        return [
            f"{one['id']}: {node['html']} {node['failureSummary']}"
            for one in found["violations"]
            for node in one["nodes"]
        ]

    async def show_theme(self, theme: str) -> None:
        """Draw the page in a theme, as the server does by the same attribute."""
        await self.page.evaluate(f"document.documentElement.dataset.theme = {json.dumps(theme)}")

    async def overflow(self) -> list[str]:
        """Return what makes the page wider than its window."""
        wide: list[str] = await self.page.evaluate(_WIDE)
        return wide

    async def weights(self) -> Mapping[str, int]:
        """Return the size of all that was loaded, by URL, in bytes; streams do not count."""
        return {
            response.url: len(await response.body())
            for response in self.responses
            if _SSE not in response.headers.get("content-type", "")
            and not 300 <= response.status < 400
        }

    @contextmanager
    def forgiving(self, words: str) -> Iterator[None]:
        """Expect a complaint with these words within the block, and no other."""
        before = len(self.complaints)
        yield
        made = self.complaints[before:]
        del self.complaints[before:]
        assert made
        assert [one for one in made if words not in one] == []

    async def picture(self, name: str) -> None:
        """Take a picture of the whole page, where the environment names a folder for pictures."""
        folder = os.environ.get(PICTURES)
        if folder:
            await self.page.screenshot(path=Path(folder, f"{name}.png"), full_page=True)


async def new_tab(context: BrowserContext, served: Proxy) -> Tab:
    """Return a tab that is open and listens."""
    page = await context.new_page()
    tab = Tab(page, served)
    tab.listen()
    return tab
