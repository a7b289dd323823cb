"""The links of a page, and an address for every page."""

from html.parser import HTMLParser
from urllib.parse import urljoin

from gemproxy.pages.application import Places
from gemproxy.pages.page import ROOT
from gemproxy.pages.table import PAGES
from tests.operating import Browser


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        link = dict(attrs).get("href")
        if tag == "a" and link:
            self.found.append(link)


def links_of(page: str) -> list[str]:
    """Return where the links of a page lead, in their order."""
    reader = _Links()
    reader.feed(page)
    return reader.found


async def addresses_of(session: Browser) -> dict[str, str]:
    """Return a path for each page by its row's path; one with parts is a link of another page."""
    places, found = Places.of(PAGES), dict[str, str]()
    waiting = [ROOT + page.path for page in PAGES if "{" not in page.path]
    while waiting:
        path = waiting.pop(0)
        row, _ = places.find(path.partition("?")[0])
        if row.path in found:
            continue
        found[row.path] = path
        answer = await session.get(path)
        for link in links_of(answer.body.decode()):
            target = urljoin(path, link)
            if target.startswith(ROOT) and places.has(target.partition("?")[0]):
                waiting.append(target)
    return found
