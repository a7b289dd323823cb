"""The page of what runs: every request for a model, what it is doing, and the end of it.

Rows stand in the order in which the requests began, so none moves while somebody looks. Of very
many the oldest are shown, and the page says how many there are beyond them; filters find the rest.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from msgspec import structs

from gemproxy.admin import streams as api
from gemproxy.admin.conditions import Condition
from gemproxy.pages.page import ROOT, Change, Notice, Page, Visit, queried
from gemproxy.pages.rendering import number, seconds
from gemproxy.pages.stream_words import CONDITIONS, colour_of, doing

SHOWN = 200
"""Most rows."""

PAGE = "/streams"
_FILTERS = ("user", "model", "condition")
_BLANK: Mapping[str, Mapping[str, str]] = {
    "texts": dict.fromkeys(
        ("model", "user", "project", "condition", "doing", "age", "characters", "attempts", "id"),
        "",
    ),
    "states": {"condition": ""},
    "links": {"story": "./"},
    "actions": {"cancel": "./"},
}


async def listed(visit: Visit) -> Mapping[str, Any]:
    """Return what the page shows."""
    wanted, found = await _found(visit)
    return {
        **_texts(visit, found),
        "wanted": wanted,
        "rows": _rows(visit, found.streams),
        "blank": {"id": "", **_BLANK},
        "conditions": [(one.value, *CONDITIONS[one]) for one in CONDITIONS],
        "counts": _counts(found),
        "by_condition": {
            name: _address(wanted, name) for name in ("", *(one.value for one in CONDITIONS))
        },
        "models": sorted({one.model for one in found.streams}),
        "users": sorted({one.user for one in found.streams if one.user}),
    }


async def listed_now(visit: Visit) -> Mapping[str, Any]:
    """Return what has changed on it."""
    _, found = await _found(visit)
    counts = {f"count {name}": number(count) for name, count in _counts(found).items()}
    return {
        "texts": {**_texts(visit, found), **counts},
        "lists": {"streams": _rows(visit, found.streams)},
    }


async def cancel(visit: Visit) -> Notice:
    """End the requests with the id in the path, those of one worker if the URL names it."""
    query = visit.wanted(api.CancelQuery, "worker")
    gone = await visit.ask(api.cancel, query)
    back = visit.form.get("back", "")
    place = back if back.startswith(f"{ROOT}{PAGE}") else f"{ROOT}{PAGE}"
    return Notice(place.removeprefix(ROOT), visit.say("The request %(id)s was ended.", id=gone.id))


async def _found(visit: Visit) -> tuple[api.StreamsQuery, api.StreamList]:
    wanted: api.StreamsQuery = visit.wanted(api.StreamsQuery, *_FILTERS)
    return wanted, await visit.ask(api.streams, structs.replace(wanted, limit=SHOWN))


def _address(wanted: api.StreamsQuery, condition: str) -> str:
    """Return the URL of the page with another condition."""
    given = {"user": wanted.user, "model": wanted.model, "condition": condition}
    return queried(ROOT + PAGE, given)


def _counts(found: api.StreamList) -> Mapping[str, int]:
    """Return how many there are of each condition, and of all under "all"."""
    counts = {one.condition: one.streams for one in found.conditions}
    by_name = {one.value: counts.get(one, 0) for one in Condition}
    return {"all": sum(counts.values()), **by_name}


def _texts(visit: Visit, found: api.StreamList) -> Mapping[str, str]:
    more, workers = found.total - len(found.streams), found.workers
    missing = workers.asked - workers.answered
    return {
        "more": visit.say(
            "%(count)s more run; the oldest are shown. A filter finds the others.",
            count=number(more),
        )
        if more > 0
        else "",
        "missing": visit.say(
            "%(missing)s of %(asked)s other workers did not answer; their requests are missing.",
            missing=missing,
            asked=workers.asked,
        )
        if missing
        else "",
    }


def _rows(visit: Visit, found: Sequence[api.RunningStream]) -> list[Mapping[str, Any]]:
    seen: Counter[tuple[int, str]] = Counter()
    rows: list[Mapping[str, Any]] = []
    for one in found:
        seen[one.worker, one.id] += 1
        rows.append(_row(visit, one, f"{one.worker} {one.id} {seen[one.worker, one.id]}"))
    return rows


def _row(visit: Visit, one: api.RunningStream, identity: str) -> Mapping[str, Any]:
    place = f"{ROOT}{PAGE}/{quote(one.id, safe='')}/cancel?worker={one.worker}"
    return {
        "id": identity,
        "texts": {
            "model": one.model or "–",
            "user": one.user or visit.say("a Gemini key of its own"),
            "project": one.project or "–",
            "condition": visit.say(CONDITIONS[one.condition][0]),
            "doing": doing(visit, one),
            "age": seconds(one.age_seconds),
            "characters": number(one.characters),
            "attempts": number(len(one.attempts)),
            "id": one.id,
        },
        "states": {"condition": colour_of(one)},
        "links": {"story": visit.link(f"{ROOT}/requests/{quote(one.id, safe='')}")},
        "actions": {"cancel": visit.link(place)},
    }


PAGES = (Page(PAGE, "Streams", "streams.html", listed, in_menu=True, live=listed_now),)
CHANGES = (Change(f"{PAGE}/{{id}}/cancel", cancel),)
