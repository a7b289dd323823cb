"""The links of a page."""

from html.parser import HTMLParser


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
