"""The links of a page, and an address for every page."""

from collections import Counter
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
    """Return a path for each page by its row's path; one with parts is a link of another page.

    Pages of one row differ in their links, so a few of each are asked.
    """
    places, found, asked = Places.of(PAGES), dict[str, str](), Counter[str]()
    waiting = [ROOT + page.path for page in PAGES if "{" not in page.path]
    known = set(waiting)
    while waiting:
        path = waiting.pop(0)
        row, _ = places.find(path.partition("?")[0])
        asked[row.path] += 1
        if asked[row.path] > _A_FEW:
            continue
        found.setdefault(row.path, path)
        answer = await session.get(path)
        targets = (urljoin(path, link) for link in links_of(answer.body.decode()))
        for target in targets:
            bare = target.partition("?")[0]
            if bare.startswith(ROOT) and places.has(bare) and target not in known:
                known.add(target)
                waiting.append(target)
    return found


_A_FEW = 3
