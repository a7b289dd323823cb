"""The page of requests, newest first, with filters; and the box that takes an id or a log line.

What is pasted into the box is sent in a form and stands in no URL: a log line has names in it.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from msgspec import structs

from gemproxy.admin import requests as api
from gemproxy.admin.streams import StreamsQuery, streams
from gemproxy.core.errors import BadField, Unrouted
from gemproxy.pages.finding import ids_in
from gemproxy.pages.page import ROOT, Change, Notice, Page, Visit, queried
from gemproxy.pages.request_words import CAUSES, ENDINGS, ending_of

PAGE = "/requests"
SHOWN = 50
"""Rows of a page."""

_FILTERS = ("user", "model", "project", "key", "ending", "cause", "from", "to", "interrupted")
_PLACES = ("cursor", "newer")


async def listed(visit: Visit) -> Mapping[str, Any]:
    """Return a page of the list."""
    return await _listed(visit, "")


async def find(visit: Visit) -> Notice | Mapping[str, Any]:
    """Go to the story of the request whose id is in the pasted text."""
    given = ids_in(visit.form.get("text", ""))
    for name in given:
        if await _is_known(visit, name):
            return Notice(f"{PAGE}/{quote(name, safe='')}")
    if given:
        why = visit.say("No request is known by the id %(id)s.", id=given[0])
    else:
        why = visit.say("There is no request id in this text.")
    return await _listed(visit, why)


async def _is_known(visit: Visit, name: str) -> bool:
    running = await visit.ask(streams, StreamsQuery(id=name, limit=1))
    if running.total:
        return True
    try:
        await visit.ask(api.request, api.StoryQuery(), id=name)
    except Unrouted:
        return False
    return True


async def _listed(visit: Visit, not_found: str) -> Mapping[str, Any]:
    given = {name: visit.query.get(name, "").strip() for name in _FILTERS}
    values: dict[str, Any] = {
        "given": given,
        "not_found": not_found,
        "endings": {name: words for name, (words, _) in ENDINGS.items()},
        "causes": CAUSES,
        "error": "",
        "kept": visit.desk.figures is not None,
        "rows": [],
        "newer": "",
        "older": "",
        "newest": f"{ROOT}{PAGE}",
    }
    if visit.desk.figures is None:
        return values
    try:
        wanted, page = await _page(visit)
    except BadField as error:
        return {**values, "error": error.message}
    before = page.previous if wanted.cursor or wanted.newer else None
    return {
        **values,
        "rows": [_row(one) for one in page.requests],
        "older": _address(given, "cursor", page.next),
        "newer": _address(given, "newer", before),
        "newest": _address(given),
    }


async def _page(visit: Visit) -> tuple[api.RequestsQuery, api.RequestPage]:
    """Return a page of the list; the newest one where fewer newer requests are left than fit."""
    wanted: api.RequestsQuery = visit.wanted(api.RequestsQuery, *_FILTERS, *_PLACES)
    wanted = structs.replace(wanted, limit=SHOWN, timezone=str(visit.zone))
    page = await visit.ask(api.requests, wanted)
    if wanted.newer and len(page.requests) < SHOWN:
        wanted = structs.replace(wanted, newer="", cursor="")
        page = await visit.ask(api.requests, wanted)
    return wanted, page


def _address(given: Mapping[str, str], place: str = "", at: str | None = "") -> str:
    """Return the URL of another part of the list; none where there is no ``at``."""
    if place and not at:
        return ""
    return queried(ROOT + PAGE, {**given, place: at})


def _row(one: api.Request) -> Mapping[str, Any]:
    ending = ending_of(one)
    return {
        "request": one,
        "started": dt.datetime.fromisoformat(one.started),
        "ending": ENDINGS[ending][0],
        "colour": ENDINGS[ending][1],
        "story": f"{ROOT}{PAGE}/{quote(one.id, safe='')}",
        "tokens": one.input_tokens + one.output_tokens + one.thought_tokens,
    }


PAGES = (Page(PAGE, "Requests", "requests.html", listed, in_menu=True),)
CHANGES = (Change(f"{PAGE}/find", find, "requests.html", "Requests"),)
