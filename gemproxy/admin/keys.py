"""The operator's keys: how they stand, adding them to the data directory, removing them.

A key goes in and never comes out: every answer and the audit log name it by its fingerprint. Keys
of the settings are shown, and change only there.
"""

import datetime as dt
import math
from typing import Annotated, Any

import msgspec

from gemproxy.admin.audit import note
from gemproxy.admin.route import Call, Form, Route
from gemproxy.admin.texts import GEMINI_KEY, PROJECT, PROXY, OfKeys
from gemproxy.core.errors import BadField, Conflict, Unrouted
from gemproxy.lending.ring import Placed, Result, Ring, Wish
from gemproxy.pool.standing import Standing
from gemproxy.pool.state import Rest
from gemproxy.store.keyring import ORIGIN

_NO_POOL = (
    "This proxy has no pool of keys. Name a key in the settings, run gemproxy keys add, or set "
    "pool.mode to pool, and start it again."
)
_MOST = 10_000


class KeysQuery(Form, frozen=True):
    """Which keys are wanted, and how many."""

    project: Annotated[str | None, msgspec.Meta(description="Only keys of this project")] = None
    cursor: Annotated[OfKeys, msgspec.Meta(description="`next` of the page before")] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000, description="Most keys")] = 100


class KeyRest(Form, frozen=True):
    """A model for which the project of a key rests."""

    model: Annotated[str, msgspec.Meta(description="The model; empty for any")]
    until: Annotated[
        dt.datetime | None, msgspec.Meta(description="The end; null for a model it does not have")
    ]
    why: Annotated[str, msgspec.Meta(description="The cause, a word")]


class KeyView(Form, frozen=True):
    """A key as it stands in the pool."""

    fingerprint: Annotated[str, msgspec.Meta(description="The key's name in every output")]
    project: Annotated[str, msgspec.Meta(description="The Google project that it belongs to")]
    origin: Annotated[str, msgspec.Meta(description="settings, or stored: in the data directory")]
    place: Annotated[str, msgspec.Meta(description="The setting or variable; store for the rest")]
    state: Annotated[str, msgspec.Meta(description="well or sick")]
    why: Annotated[str | None, msgspec.Meta(description="The cause of a sickness, a word")]
    check_at: Annotated[
        dt.datetime | None, msgspec.Meta(description="When a sick key is checked again")
    ]
    rests: Annotated[
        list[KeyRest], msgspec.Meta(description="The models for which its project rests now")
    ]
    location_refused_at: Annotated[
        dt.datetime | None,
        msgspec.Meta(description="When Google last refused the location it is used from"),
    ]


class KeyPage(Form, frozen=True):
    """Keys by project and fingerprint."""

    keys: Annotated[list[KeyView], msgspec.Meta(description="The keys of this page")]
    next: Annotated[
        str | None, msgspec.Meta(description="The cursor of the page behind; null at the end")
    ]


class ProjectView(Form, frozen=True):
    """A Google project with keys in the pool."""

    name: Annotated[str, msgspec.Meta(description="Its name; that of its key if nobody named it")]
    weight: Annotated[float, msgspec.Meta(description="Its share by the strategy weighted")]
    keys: Annotated[list[str], msgspec.Meta(description="The fingerprints of its keys")]
    well: Annotated[int, msgspec.Meta(description="How many of its keys are not sick")]
    rests: Annotated[list[KeyRest], msgspec.Meta(description="The models for which it rests now")]


class ProjectList(Form, frozen=True):
    """All projects of the pool."""

    projects: Annotated[list[ProjectView], msgspec.Meta(description="The projects by name")]


class NewKey(Form, frozen=True):
    """A Gemini key that is to be added to the data directory."""

    key: Annotated[str, msgspec.Meta(description="The key itself", max_length=4096)]
    project: Annotated[
        str, msgspec.Meta(description="Its Google project; empty for one of its own")
    ] = ""
    proxy: Annotated[
        str, msgspec.Meta(description="The outbound proxy of the key; empty for that of all")
    ] = ""

    def __repr__(self) -> str:
        return "NewKey(...)"


class NewKeys(Form, frozen=True):
    """Gemini keys that are to be added to the data directory."""

    keys: Annotated[
        list[NewKey], msgspec.Meta(description="The keys", min_length=1, max_length=_MOST)
    ]


class KeyResult(Form, frozen=True):
    """What became of a key."""

    fingerprint: Annotated[str, msgspec.Meta(description="Its name; empty for what is no key")]
    project: Annotated[str, msgspec.Meta(description="The project in which it is; may be empty")]
    result: Annotated[str, msgspec.Meta(description="added, known or refused")]
    why: Annotated[str, msgspec.Meta(description="Why it was not added, for people")]


class KeyResults(Form, frozen=True):
    """What became of keys, in their order."""

    results: Annotated[list[KeyResult], msgspec.Meta(description="One for each key")]
    added: Annotated[int, msgspec.Meta(description="How many were added")]


class KeyRemoved(Form, frozen=True):
    """A key that is gone."""

    fingerprint: Annotated[str, msgspec.Meta(description="Its name")]
    project: Annotated[str, msgspec.Meta(description="Its project; empty if it did not serve")]


class GeminiKey(Form, frozen=True):
    """A Gemini key, as scripts of earlier tools send it."""

    key: Annotated[
        str,
        msgspec.Meta(extra_json_schema=GEMINI_KEY, description="The key itself", max_length=4096),
    ]

    def __repr__(self) -> str:
        return "GeminiKey(...)"


class KeyDone(Form, frozen=True):
    """A change that was made, as scripts of earlier tools read it."""

    success: Annotated[bool, msgspec.Meta(description="Whether the key is in the pool now")]
    message: Annotated[str, msgspec.Meta(description="What was done, for people")]


async def keys(call: Call[KeysQuery, Any]) -> KeyPage:
    """Return a page of the keys. Raises Unrouted without a pool, BadRequest."""
    ring, query = _ring(call), call.query
    if query.cursor and "/" not in query.cursor:
        raise BadField("cursor", "is not the `next` of a page of this list")
    behind = tuple(query.cursor.rsplit("/", 1)) if query.cursor else ("", "")
    elsewhere = await ring.refused_locations()
    found = sorted(ring.standings(), key=_order)
    wanted = [one for one in found if _order(one) > behind and query.project in {None, one.project}]
    page = wanted[: query.limit]
    more = len(wanted) > len(page)
    return KeyPage(
        keys=[_view(one, elsewhere.get(one.key)) for one in page],
        next="/".join(_order(page[-1])) if more else None,
    )


async def projects(call: Call[Any, Any]) -> ProjectList:
    """Return all projects. Raises Unrouted without a pool."""
    ring = _ring(call)
    standings = {one.key: one for one in ring.standings()}
    views = []
    for project in sorted(ring.projects, key=lambda one: one.name):
        found = [standings[key.name] for key in project.keys]
        views.append(
            ProjectView(
                name=project.name,
                weight=project.weight,
                keys=[one.key for one in found],
                well=sum(one.why is None for one in found),
                rests=list(map(_rest, found[0].rests)),
            )
        )
    return ProjectList(projects=views)


async def add(call: Call[Any, NewKey]) -> KeyResult:
    """Add a key. Raises BadField, Conflict for one that is there, Unrouted, Busy."""
    return _result(await _added(call, call.body))


async def import_(call: Call[Any, NewKeys]) -> KeyResults:
    """Add keys; each has its result. Raises Unrouted, Busy."""
    placed = await _ring(call).add(list(map(_wish, call.body.keys)))
    added = [one.name for one in placed if one.result is Result.ADDED]
    if added:
        await note(call, "key.import", "", {"added": added})
    return KeyResults(results=list(map(_result, placed)), added=len(added))


async def delete(call: Call[Any, Any]) -> KeyRemoved:
    """Remove a stored key. Raises Conflict for one of the settings, Unrouted, Busy."""
    name = call.names["key"].lower()
    project = await _ring(call).remove(name)
    await note(call, "key.remove", name, {"project": project})
    return KeyRemoved(fingerprint=name, project=project)


async def add_as_before(call: Call[Any, GeminiKey]) -> KeyDone:
    """Add a key as scripts of earlier tools do; raises what ``add`` raises."""
    placed = await _added(call, NewKey(key=call.body.key))
    return KeyDone(success=True, message=f"The key {placed.name} serves from now on.")


async def _added(call: Call[Any, Any], wish: NewKey) -> Placed:
    (placed,) = await _ring(call).add([_wish(wish)])
    if placed.result is Result.REFUSED:
        raise BadField("key", placed.why)
    if placed.result is Result.KNOWN:
        raise Conflict(f"The key {placed.name} of {placed.project} {placed.why}.")
    await note(call, "key.add", placed.name, {"project": placed.project})
    return placed


def _ring(call: Call[Any, Any]) -> Ring:
    if call.desk.ring is None:
        raise Unrouted(_NO_POOL)
    return call.desk.ring


def _wish(key: NewKey) -> Wish:
    return Wish(key.key, key.project, key.proxy)


def _result(placed: Placed) -> KeyResult:
    return KeyResult(
        fingerprint=placed.name,
        project=placed.project,
        result=placed.result.value,
        why=placed.why,
    )


def _order(one: Standing) -> tuple[str, ...]:
    return one.project, one.key


def _view(one: Standing, elsewhere: float | None) -> KeyView:
    return KeyView(
        fingerprint=one.key,
        project=one.project,
        origin="stored" if one.origin == ORIGIN else "settings",
        place=one.origin,
        state="sick" if one.why else "well",
        why=one.why.value if one.why else None,
        check_at=_time(one.again_at),
        rests=list(map(_rest, one.rests)),
        location_refused_at=_time(elsewhere),
    )


def _rest(rest: Rest) -> KeyRest:
    return KeyRest(model=rest.model, until=_time(rest.until), why=rest.why.value)


def _time(seconds: float | None) -> dt.datetime | None:
    if seconds is None or math.isinf(seconds):
        return None
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


_USABLE = {"properties": {"key": GEMINI_KEY, "project": PROJECT, "proxy": PROXY}}
"""A key that is added alone is refused as a whole; one of several has a result instead."""

ROUTES = (
    Route(
        "GET",
        "/keys",
        keys,
        "List the operator's keys and how they stand, by project.",
        KeyPage,
        query=KeysQuery,
        tag="keys",
    ),
    Route(
        "POST",
        "/keys",
        add,
        "Add a key to the data directory; it serves at once.",
        KeyResult,
        body=Annotated[NewKey, msgspec.Meta(extra_json_schema=_USABLE)],
        status=201,
        tag="keys",
    ),
    Route(
        "POST",
        "/keys/import",
        import_,
        "Add several keys to the data directory; each has its result.",
        KeyResults,
        body=NewKeys,
        tag="keys",
    ),
    Route(
        "DELETE",
        "/keys/{key}",
        delete,
        "Remove a key of the data directory by its fingerprint.",
        KeyRemoved,
        tag="keys",
    ),
    Route("GET", "/projects", projects, "List the projects of the pool.", ProjectList, tag="keys"),
    Route(
        "POST",
        "/admin/config/gemini-key",
        add_as_before,
        "Add a Gemini key, as scripts of earlier tools do.",
        KeyDone,
        body=GeminiKey,
        tag="keys",
        base="",
    ),
)
