"""All pages, in the order of the menu, and all forms: each topic has its rows."""

from gemproxy.pages import (
    images,
    keys,
    models,
    overview,
    playground,
    projects,
    requests,
    settings,
    story,
    streams,
    system,
    users,
)
from gemproxy.pages.page import Change, Page

PAGES: tuple[Page, ...] = (
    *overview.PAGES,
    *streams.PAGES,
    *requests.PAGES,
    *story.PAGES,
    *keys.PAGES,
    *projects.PAGES,
    *users.PAGES,
    *models.PAGES,
    *settings.PAGES,
    *images.PAGES,
    *system.PAGES,
    *playground.PAGES,
)

CHANGES: tuple[Change, ...] = (
    *streams.CHANGES,
    *requests.CHANGES,
    *keys.CHANGES,
    *users.CHANGES,
    *settings.CHANGES,
    *images.CHANGES,
    *playground.CHANGES,
    *system.CHANGES,
)
