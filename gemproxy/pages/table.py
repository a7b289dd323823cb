"""All pages, in the order of the menu, and all forms."""

from gemproxy.pages.overview import overview, overview_now
from gemproxy.pages.page import Change, Page

PAGES: tuple[Page, ...] = (
    Page("/", "Overview", "overview.html", overview, in_menu=True, live=overview_now),
)

CHANGES: tuple[Change, ...] = ()
