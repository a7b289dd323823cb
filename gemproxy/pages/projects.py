"""The page of the projects: how much each model has used each of them today, and where they rest.

A page has twenty-five projects and ten models, however many there are.
"""

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from gemproxy.admin import projects as api
from gemproxy.admin.keys import KeyRest
from gemproxy.pages.key_words import rest_words
from gemproxy.pages.page import ROOT, Page, Visit, queried
from gemproxy.pages.rendering import number, seconds
from gemproxy.pages.words import worded

PROJECTS = "/projects"
PAGE, COLUMNS = 25, 10
"""Projects and models of a page."""
_CHOICES = (
    ("", worded("All")),
    ("busy", worded("Used today or resting")),
    ("resting", worded("Resting for a model")),
    ("down", worded("No key serves")),
)
LEVELS = 5
"""Shades of use: of the known limit of the day, else of the most that any project has."""

_FEW = 10
"""Requests of a day of which the deepest shade is for more."""


async def heat(visit: Visit) -> Mapping[str, Any]:
    """Return what the page shows."""
    if visit.desk.ring is None:
        return {"pool": None}
    query = visit.wanted(api.ProjectsQuery, "find", "only", "cursor")
    pool = await visit.ask(api.pool)
    found = await visit.ask(api.projects, msgspec.structs.replace(query, limit=PAGE))
    models, first = _columns(visit, found.models)
    now = dt.datetime.now(dt.UTC)
    most = max(found.most, _FEW)
    more, cursor = first + COLUMNS, found.next
    return {
        "pool": pool,
        "wanted": query,
        "columns": [(model, *fields_of(model)) for model in models],
        "day_ends": found.day_ends,
        "left": seconds((found.day_ends - now).total_seconds()),
        "rows": [_row(visit, one, models, most, now) for one in found.projects],
        "blank": _blank(models),
        "next": _page(query, first, cursor=cursor) if cursor else "",
        "first": _page(query, first, cursor="") if query.cursor else "",
        "later": _page(query, more) if more < len(found.models) else "",
        "earlier": _page(query, max(first - COLUMNS, 0)) if first else "",
        "choices": [(only, name, _page(query, only=only, cursor="")) for only, name in _CHOICES],
    }


async def heat_now(visit: Visit) -> Mapping[str, Any]:
    """Return what has changed on it; the models of the rows are named, so that none is mistaken."""
    shown = await heat(visit)
    if shown["pool"] is None:
        return {}
    return {"texts": {"left": shown["left"]}, "lists": {"projects": shown["rows"]}}


def _columns(visit: Visit, models: Sequence[str]) -> tuple[Sequence[str], int]:
    """Return the models of the page's columns, and the number of the first one."""
    given = visit.query.get("model", "")
    first = int(given) if given.isascii() and given.isdigit() and len(given) <= 4 else 0  # noqa: PLR2004 (digits)
    first = first if first < len(models) else 0
    return models[first : first + COLUMNS], first


def _blank(models: Sequence[str]) -> Mapping[str, Any]:
    """Return a row before it is filled."""
    names = ["name", "keys", "rest", *(part for model in models for part in fields_of(model))]
    return {
        "id": "",
        "texts": dict.fromkeys(names, ""),
        "states": dict.fromkeys(["keys", *(fields_of(model)[0] for model in models)], ""),
        "links": {"keys": ""},
        "actions": {"check": ""},
    }


def fields_of(model: str) -> tuple[str, str]:
    """Return the names of the two texts of a cell: its use, and its rest.

    A name is short, because it stands in the page for each project. It is that of its model, so a
    stream never fills another column than its page has.
    """
    mark = hashlib.blake2b(model.encode("utf-8", "backslashreplace"), digest_size=4).hexdigest()
    return f"u{mark}", f"r{mark}"


def _row(
    visit: Visit, project: api.ProjectView, models: Sequence[str], most: int, now: dt.datetime
) -> Mapping[str, Any]:
    """Return a project as a row, as the page's script reads it."""
    used = {cell.model: cell for cell in project.models}
    rests = {rest.model: rest for rest in project.rests}
    texts = {
        "name": project.name,
        "keys": visit.say("%(able)s of %(all)s", able=project.able, all=len(project.keys)),
        "rest": rest_words(visit, rests[""], now) if "" in rests else "",
    }
    states = {"keys": _health(project)}
    for model in models:
        use, rest = fields_of(model)
        cell, resting = used.get(model), rests.get(model)
        texts[use] = "" if cell is None else _used(cell)
        texts[rest] = "" if resting is None else rest_words(visit, resting, now)
        states[use] = _level(cell, resting, most)
    return {
        "id": project.name,
        "texts": texts,
        "states": states,
        "links": {"keys": visit.link(queried(f"{ROOT}/keys", {"project": project.name}))},
        "actions": {"check": visit.link(f"{ROOT}{PROJECTS}/{quote(project.name, safe='')}/check")},
    }


def _health(project: api.ProjectView) -> str:
    if not project.able:
        return "bad"
    return "good" if project.able == len(project.keys) else "warn"


def _used(cell: api.ProjectModel) -> str:
    return number(cell.requests) if not cell.limit else f"{cell.requests:,} / {cell.limit:,}"


def _level(cell: api.ProjectModel | None, resting: KeyRest | None, most: int) -> str:
    """Return the shade of a cell: rest, or 0 to ``LEVELS``."""
    if resting is not None:
        return "rest"
    if cell is None or not cell.requests:
        return "0"
    share = cell.requests / (cell.limit or most)
    return str(max(1, min(LEVELS, round(share * LEVELS))))


def _page(query: api.ProjectsQuery, model: int = 0, **other: str) -> str:
    """Return the path of the page with other fields, from the column ``model`` on."""
    fields = {name: getattr(query, name) for name in ("find", "only", "cursor")} | other
    fields["model"] = str(model) if model else ""
    return queried(ROOT + PROJECTS, fields)


PAGES = (Page(PROJECTS, "Projects", "projects.html", heat, in_menu=True, live=heat_now),)
