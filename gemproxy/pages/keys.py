"""The pages of the operator's keys: a list with filters, one key, and the forms that change them.

A page of the list has forty keys, however many there are. Its rows are drawn on the server, and
filled again from the same values by the page's stream.
"""

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote

import msgspec

from gemproxy.admin import checks, projects
from gemproxy.admin import keys as api
from gemproxy.core.errors import Conflict, Unrouted
from gemproxy.pages.key_words import RESULTS, STATES, kind_of, named, rest_words, rests_words
from gemproxy.pages.page import ROOT, Change, Notice, Page, Visit, queried
from gemproxy.pages.rendering import clocked, number

KEYS = "/keys"
PAGE = 40
"""Keys of a page of the list."""

BLANK: Mapping[str, Any] = {
    "id": "",
    "texts": dict.fromkeys(
        ("name", "project", "kind", "why", "rests", "result", "at", "origin", "switch"), ""
    ),
    "states": {"kind": "", "result": ""},
    "links": {"key": "", "project": ""},
    "actions": {"check": "", "switch": ""},
    "values": {"name": ""},
}
"""The values of a row of the list before it is filled."""

_FIELDS = ("project", "state", "find", "cursor")
_TILES = ("keys", "available", "ready", "resting", "sick", "disabled")


async def listed(visit: Visit) -> Mapping[str, Any]:
    """Return what the list of keys shows."""
    if visit.desk.ring is None:
        return {"pool": None}
    query = visit.wanted(api.KeysQuery, *_FIELDS)
    pool = await visit.ask(projects.pool)
    page = await visit.ask(api.keys, msgspec.structs.replace(query, limit=PAGE))
    return {
        "pool": pool,
        "tiles": {name: number(getattr(pool, name)) for name in _TILES},
        "rows": [_row(visit, key) for key in page.keys],
        "blank": BLANK,
        "wanted": query,
        "states": {state: name for state, (name, _) in STATES.items()},
        "next": _list(query, cursor=page.next) if page.next else "",
        "first": _list(query, cursor="") if query.cursor else "",
        "by_state": {state: _list(query, cursor="", state=state) for state in ("", *STATES)},
    }


async def listed_now(visit: Visit) -> Mapping[str, Any]:
    """Return what has changed on it."""
    shown = await listed(visit)
    if shown["pool"] is None:
        return {}
    return {"texts": shown["tiles"], "lists": {"keys": shown["rows"]}}


async def one(visit: Visit) -> Mapping[str, Any]:
    """Return what the page of one key shows. Raises Unrouted."""
    key = await visit.ask(api.one)
    now = dt.datetime.now(dt.UTC)
    return {
        "key": key,
        "row": _row(visit, key),
        "rests": [(rest.model, rest_words(visit, rest, now)) for rest in key.rests],
        "has_ledger": visit.desk.figures is not None,
    }


async def import_form(visit: Visit) -> Mapping[str, Any]:
    """Return what the page of an import shows before it is made."""
    return {"pool": visit.desk.ring, "results": None, "added": 0}


async def import_(visit: Visit) -> Mapping[str, Any]:
    """Add the keys of a text; return what became of each. Raises Busy."""
    text, project = visit.form.get("text", ""), visit.form.get("project", "").strip()
    done = await visit.ask(api.import_, body=api.NewKeys(text=text, project=project))
    return {"pool": visit.desk.ring, "results": done.results, "added": done.added}


async def add(visit: Visit) -> Notice:
    """Add a key. Raises BadField, Conflict, Busy."""
    key, project, proxy = (visit.form.get(name, "").strip() for name in ("key", "project", "proxy"))
    done = await visit.ask(api.add, body=api.NewKey(key=key, project=project, proxy=proxy))
    words = visit.say(
        "The key %(key)s was added to the project %(project)s.",
        key=done.fingerprint,
        project=done.project,
    )
    return Notice(KEYS, words)


async def check_all(visit: Visit) -> Notice:
    """Check all keys, or those of the project in the path."""
    project = visit.names.get("project")
    found = await visit.ask(checks.check_all, checks.ChecksQuery(project=project))
    words = _counted(visit, found.well, found.sick, found.unknown)
    return Notice(_back(visit) if project is None else "/projects", words)


async def check(visit: Visit) -> Notice:
    """Check the key in the path."""
    found = await visit.ask(checks.check)
    words = visit.say(
        "The key %(key)s: %(result)s.",
        key=found.fingerprint,
        result=visit.say("well") if found.result == "ok" else named(visit, found.result),
    )
    return Notice(_back(visit), words)


async def disable(visit: Visit) -> Notice:
    """Disable the key in the path."""
    return await _switched(visit, enabled=False)


async def enable(visit: Visit) -> Notice:
    """Enable the key in the path."""
    return await _switched(visit, enabled=True)


async def remove(visit: Visit) -> Notice:
    """Remove the key in the path. Raises Conflict for one of the settings."""
    gone = await visit.ask(api.delete)
    return Notice(KEYS, visit.say("The key %(key)s was removed.", key=gone.fingerprint))


async def check_selected(visit: Visit) -> Notice:
    """Check the selected keys."""
    found = await asyncio.gather(
        *(visit.ask(checks.check, key=name) for name in _selected(visit)), return_exceptions=True
    )
    states = Counter(one.state for one in found if isinstance(one, checks.KeyCheck))
    words = _counted(visit, states["well"], states["sick"], states["unknown"])
    return Notice(_back(visit), words)


async def disable_selected(visit: Visit) -> Notice:
    """Disable the selected keys."""
    return await _switched_all(visit, enabled=False)


async def enable_selected(visit: Visit) -> Notice:
    """Enable the selected keys."""
    return await _switched_all(visit, enabled=True)


async def remove_selected(visit: Visit) -> Notice:
    """Remove the selected keys; those of the settings stay."""
    gone = stay = 0
    for name in _selected(visit):
        try:
            await visit.ask(api.delete, key=name)
        except Conflict:
            stay += 1
        except Unrouted:
            continue  # somebody else was faster
        else:
            gone += 1
    words = visit.say("Keys that were removed: %(count)s.", count=gone)
    if stay:
        more = visit.say("Keys of the settings, which stay: %(count)s.", count=stay)
        words = f"{words} {more}"
    return Notice(_back(visit), words)


async def _switched(visit: Visit, *, enabled: bool) -> Notice:
    key = await visit.ask(api.change, body=api.KeyChange(enabled=enabled))
    if enabled:
        words = visit.say("The key %(key)s is enabled.", key=key.fingerprint)
    else:
        words = visit.say("The key %(key)s is disabled.", key=key.fingerprint)
    return Notice(_back(visit), words)


async def _switched_all(visit: Visit, *, enabled: bool) -> Notice:
    count = 0
    for name in _selected(visit):
        try:
            await visit.ask(api.change, body=api.KeyChange(enabled=enabled), key=name)
        except Unrouted:
            continue  # it was removed meanwhile
        count += 1
    if enabled:
        return Notice(_back(visit), visit.say("Keys that are enabled: %(count)s.", count=count))
    return Notice(_back(visit), visit.say("Keys that are disabled: %(count)s.", count=count))


def _selected(visit: Visit) -> list[str]:
    """Return the fingerprints of the keys that a form has selected."""
    return list(dict.fromkeys(name for name in visit.form.getall("key", ()) if name))


def _counted(visit: Visit, well: int, sick: int, unknown: int) -> str:
    return visit.say(
        "Checked: %(well)s well, %(sick)s sick, %(unknown)s unknown.",
        well=well,
        sick=sick,
        unknown=unknown,
    )


def _row(visit: Visit, key: api.KeyView) -> Mapping[str, Any]:
    """Return a key as a row of the list, as the page's script reads it."""
    now, kind, name = dt.datetime.now(dt.UTC), kind_of(key), key.fingerprint
    at = key.last_used_at
    why = key.why if key.why and key.enabled else None
    action = "disable" if key.enabled else "enable"
    return {
        "id": name,
        "texts": {
            "name": name,
            "project": key.project,
            "kind": visit.say(STATES[kind][0]),
            "why": "" if why is None else named(visit, why),
            "rests": rests_words(visit, key.rests, now),
            "result": "" if key.last_result is None else named(visit, key.last_result),
            "at": "" if at is None else clocked(at, visit.zone),
            "origin": visit.say("data directory") if key.origin == "stored" else key.place,
            "switch": visit.say("Disable") if key.enabled else visit.say("Enable"),
        },
        "states": {
            "kind": STATES[kind][1],
            "result": "" if key.last_result is None else RESULTS[key.last_result][1],
        },
        "links": {
            "key": visit.link(f"{ROOT}{KEYS}/{name}"),
            "project": visit.link(queried(ROOT + KEYS, {"project": key.project})),
        },
        "actions": {
            "check": visit.link(f"{ROOT}{KEYS}/{name}/check"),
            "switch": visit.link(f"{ROOT}{KEYS}/{name}/{action}"),
        },
        "values": {"name": name},
    }


def _list(query: api.KeysQuery, **other: str) -> str:
    """Return the path of the list with a query in which the fields ``other`` are changed."""
    fields = {name: getattr(query, name) for name in _FIELDS} | other
    return queried(ROOT + KEYS, fields)


def _back(visit: Visit) -> str:
    """Return the page that a form was on: the list as it was filtered, or one key."""
    path, _, query = visit.form.get("back", "").partition("?")
    name = path.removeprefix(f"{ROOT}{KEYS}/")
    if name != path:
        return f"{KEYS}/{quote(name, safe='')}"
    return queried(KEYS, {key: value for key, value in parse_qsl(query) if key in _FIELDS})


PAGES = (
    Page(KEYS, "Keys", "keys.html", listed, in_menu=True, live=listed_now),
    Page(f"{KEYS}/import", "Add several keys", "keys_import.html", import_form),
    Page(f"{KEYS}/{{key}}", "Key", "key.html", one),
)
CHANGES = (
    Change(f"{KEYS}/add", add),
    Change(f"{KEYS}/import", import_, "keys_import.html", "Add several keys"),
    Change(f"{KEYS}/check", check_all),
    Change(f"{KEYS}/selected/check", check_selected),
    Change(f"{KEYS}/selected/disable", disable_selected),
    Change(f"{KEYS}/selected/enable", enable_selected),
    Change(f"{KEYS}/selected/remove", remove_selected),
    Change(f"{KEYS}/{{key}}/check", check),
    Change(f"{KEYS}/{{key}}/disable", disable),
    Change(f"{KEYS}/{{key}}/enable", enable),
    Change(f"{KEYS}/{{key}}/remove", remove),
    Change("/projects/{project}/check", check_all),
)
