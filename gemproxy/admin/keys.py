"""The operator's keys: how they stand, and what is done to them.

Keys of the data directory are added and removed; any key is disabled and enabled. A key goes in
and never comes out: every answer and the audit log name it by its fingerprint.
"""

import datetime as dt
import itertools
import math
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import attrs
import msgspec
from msgspec import UNSET, UnsetType

from gemproxy.admin.audit import note
from gemproxy.admin.route import Call, Form, Route
from gemproxy.admin.texts import GEMINI_KEY, PROJECT, PROXY, OfKeys
from gemproxy.core.errors import BadField, BadRequest, Conflict, Unrouted
from gemproxy.lending.listed import wishes_in
from gemproxy.lending.ring import Placed, Result, Ring, Wish
from gemproxy.pool.standing import Standing
from gemproxy.pool.state import Rest
from gemproxy.pool.state import Result as Ending
from gemproxy.store.keyring import ORIGIN

_NO_POOL = (
    "This proxy has no pool of keys. Name a key in the settings, run gemproxy keys add, or set "
    "pool.mode to pool, and start it again."
)
_MOST = 10_000
_MOST_TEXT = 2_000_000
ENDINGS = ", ".join(ending.value for ending in Ending if ending is not Ending.NOT_GEMINI)
"""The words for the result of an attempt."""

State = Literal["well", "ready", "resting", "sick", "disabled"]


class KeysQuery(Form, frozen=True):
    """Which keys are wanted, and how many."""

    project: Annotated[str | None, msgspec.Meta(description="Only keys of this project")] = None
    state: Annotated[
        State | None,
        msgspec.Meta(
            description="Only keys in this state; ready and resting are the two kinds of well"
        ),
    ] = None
    find: Annotated[
        str,
        msgspec.Meta(
            description="Only keys whose fingerprint or project contains this", max_length=100
        ),
    ] = ""
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
    state: Annotated[str, msgspec.Meta(description="well, sick or disabled")]
    enabled: Annotated[
        bool, msgspec.Meta(description="false: an operator disabled it; it serves nothing new")
    ]
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
    last_used_at: Annotated[
        dt.datetime | None,
        msgspec.Meta(
            description="When its last attempt was over; of another worker's up to 10 s late"
        ),
    ]
    last_result: Annotated[
        str | None, msgspec.Meta(description=f"What became of that attempt: {ENDINGS}")
    ]


class KeyPage(Form, frozen=True):
    """Keys by project and fingerprint."""

    keys: Annotated[list[KeyView], msgspec.Meta(description="The keys of this page")]
    next: Annotated[
        str | None, msgspec.Meta(description="The cursor of the page behind; null at the end")
    ]


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
    """Gemini keys that are to be added to the data directory: a list, a text with keys, or both."""

    keys: Annotated[
        Annotated[list[NewKey], msgspec.Meta(min_length=1, max_length=_MOST)] | UnsetType,
        msgspec.Meta(description="The keys"),
    ] = UNSET
    text: Annotated[
        Annotated[str, msgspec.Meta(max_length=_MOST_TEXT)] | UnsetType,
        msgspec.Meta(
            description="Lines of KEY, PROJECT KEY or NAME=KEY,KEY with comments"
            " behind a #, or JSON, as gemproxy keys import reads them"
        ),
    ] = UNSET
    project: Annotated[
        str, msgspec.Meta(description="The project of those keys that come without one")
    ] = ""

    def __repr__(self) -> str:
        return "NewKeys(...)"


_ANY_KEYS = {"anyOf": [{"required": ["keys"]}, {"required": ["text"]}]}


class KeyResult(Form, frozen=True):
    """What became of a key."""

    fingerprint: Annotated[str, msgspec.Meta(description="Its name; empty for what is no key")]
    project: Annotated[str, msgspec.Meta(description="The project in which it is; may be empty")]
    result: Annotated[str, msgspec.Meta(description="added, known or refused")]
    why: Annotated[str, msgspec.Meta(description="Why it was not added, for people")]


class ImportResult(KeyResult, frozen=True):
    """What became of a key of several."""

    place: Annotated[str, msgspec.Meta(description="Where it stands, such as line 3 or item 2")]


class KeyResults(Form, frozen=True):
    """What became of keys, in their order."""

    results: Annotated[list[ImportResult], msgspec.Meta(description="One for each key")]
    added: Annotated[int, msgspec.Meta(description="How many were added")]


class KeyRemoved(Form, frozen=True):
    """A key that is gone."""

    fingerprint: Annotated[str, msgspec.Meta(description="Its name")]
    project: Annotated[str, msgspec.Meta(description="Its project; empty if it did not serve")]


class KeyChange(Form, frozen=True):
    """A change of a key."""

    enabled: Annotated[
        bool,
        msgspec.Meta(description="false: it serves nothing new from now on; what runs goes on"),
    ]


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
    ring, query = ring_of(call), call.query
    if query.cursor and "/" not in query.cursor:
        raise BadField("cursor", "is not the `next` of a page of this list")
    behind = tuple(query.cursor.rsplit("/", 1)) if query.cursor else ("", "")
    elsewhere = await ring.refused_locations()
    found = sorted(ring.standings(), key=_order)
    wanted = [one for one in found if _order(one) > behind and _is_wanted(one, query)]
    page = wanted[: query.limit]
    more = len(wanted) > len(page)
    return KeyPage(
        keys=[_view(one, elsewhere.get(one.key)) for one in page],
        next="/".join(_order(page[-1])) if more else None,
    )


async def one(call: Call[Any, Any]) -> KeyView:
    """Return a key by its fingerprint. Raises Unrouted."""
    return await _shown(call, name_of(call))


async def change(call: Call[Any, KeyChange]) -> KeyView:
    """Disable or enable a key. Raises Unrouted, Busy."""
    name, enabled = name_of(call), call.body.enabled
    if await ring_of(call).switch(name, enabled=enabled):
        await note(call, "key.enable" if enabled else "key.disable", name)
    return await _shown(call, name)


async def add(call: Call[Any, NewKey]) -> KeyResult:
    """Add a key. Raises BadField, Conflict for one that is there, Unrouted, Busy."""
    return _result(await _added(call, call.body))


async def import_(call: Call[Any, NewKeys]) -> KeyResults:
    """Add keys; each has its result. Raises BadRequest, Unrouted, Busy."""
    ring, listed = ring_of(call), list(_listed(call.body))
    if len(listed) > _MOST:
        raise BadField("text", f"holds more than {_MOST} keys")
    placed = iter(await ring.add([wish for _, wish in listed if isinstance(wish, Wish)]))
    results = [
        _in_place(place, next(placed) if isinstance(wish, Wish) else _refused(wish))
        for place, wish in listed
    ]
    added = [one.fingerprint for one in results if one.result == Result.ADDED.value]
    if added:
        await note(call, "key.import", "", {"added": added})
    return KeyResults(results=results, added=len(added))


async def delete(call: Call[Any, Any]) -> KeyRemoved:
    """Remove a stored key. Raises Conflict for one of the settings, Unrouted, Busy."""
    name = name_of(call)
    project = await ring_of(call).remove(name)
    await note(call, "key.remove", name, {"project": project})
    return KeyRemoved(fingerprint=name, project=project)


async def add_as_before(call: Call[Any, GeminiKey]) -> KeyDone:
    """Add a key as scripts of earlier tools do; raises what ``add`` raises."""
    placed = await _added(call, NewKey(key=call.body.key))
    return KeyDone(success=True, message=f"The key {placed.name} serves from now on.")


async def _added(call: Call[Any, Any], wish: NewKey) -> Placed:
    (placed,) = await ring_of(call).add([_wish(wish)])
    if placed.result is Result.REFUSED:
        raise BadField("key", placed.why)
    if placed.result is Result.KNOWN:
        raise Conflict(f"The key {placed.name} of {placed.project} {placed.why}.")
    await note(call, "key.add", placed.name, {"project": placed.project})
    return placed


def ring_of(call: Call[Any, Any]) -> Ring:
    """Return the operator's keys. Raises Unrouted without a pool."""
    if call.desk.ring is None:
        raise Unrouted(_NO_POOL)
    return call.desk.ring


def name_of(call: Call[Any, Any]) -> str:
    """Return the fingerprint in the path of a call."""
    return call.names["key"].lower()


async def _shown(call: Call[Any, Any], name: str) -> KeyView:
    ring = ring_of(call)
    standing = ring.standing(name)
    return _view(standing, (await ring.refused_locations()).get(name))


def _wish(key: NewKey) -> Wish:
    return Wish(key.key, key.project, key.proxy)


def _listed(new: NewKeys) -> Iterator[tuple[str, Wish | str]]:
    """Yield the keys that are to be added, by their places. Raises BadRequest."""
    if new.keys is UNSET and new.text is UNSET:
        raise BadRequest("An import needs 'keys' or 'text'.")
    listed = [] if new.keys is UNSET else new.keys
    items = ((f"item {number}", _wish(key)) for number, key in enumerate(listed, 1))
    for place, wish in itertools.chain(items, _in_text("" if new.text is UNSET else new.text)):
        if isinstance(wish, Wish) and not wish.project:
            yield place, attrs.evolve(wish, project=new.project)
        else:
            yield place, wish


def _in_text(text: str) -> Iterator[tuple[str, Wish | str]]:
    try:
        yield from wishes_in(text)
    except ValueError as error:
        yield "text", f"cannot be read: {error}"


def _refused(why: str) -> Placed:
    return Placed(Result.REFUSED, why=why)


def _in_place(place: str, placed: Placed) -> ImportResult:
    return ImportResult(place=place, **msgspec.structs.asdict(_result(placed)))


def _result(placed: Placed) -> KeyResult:
    return KeyResult(
        fingerprint=placed.name,
        project=placed.project,
        result=placed.result.value,
        why=placed.why,
    )


def _order(one: Standing) -> tuple[str, ...]:
    return one.project, one.key


def _is_wanted(one: Standing, query: KeysQuery) -> bool:
    if query.project not in {None, one.project}:
        return False
    text = query.find.lower()
    found = text in one.key or text in one.project.lower()
    return found and query.state in {None, one.state, one.kind}


def _view(one: Standing, elsewhere: float | None) -> KeyView:
    return KeyView(
        fingerprint=one.key,
        project=one.project,
        origin="stored" if one.origin == ORIGIN else "settings",
        place=one.origin,
        state=one.state,
        enabled=one.enabled,
        why=one.why.value if one.why else None,
        check_at=time_of(one.again_at),
        rests=list(map(rest_of, one.rests)),
        location_refused_at=time_of(elsewhere),
        last_used_at=None if one.used is None else time_of(one.used.at),
        last_result=None if one.used is None else one.used.result.value,
    )


def rest_of(rest: Rest) -> KeyRest:
    """Return a rest as it is shown."""
    return KeyRest(model=rest.model, until=time_of(rest.until), why=rest.why.value)


def time_of(seconds: float | None) -> dt.datetime | None:
    """Return a time as it is shown; null for none and for one without an end."""
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
        "Add several keys to the data directory, of a list or a text; each has its result.",
        KeyResults,
        body=Annotated[NewKeys, msgspec.Meta(extra_json_schema=_ANY_KEYS)],
        tag="keys",
    ),
    Route("GET", "/keys/{key}", one, "Show a key by its fingerprint.", KeyView, tag="keys"),
    Route(
        "PATCH",
        "/keys/{key}",
        change,
        "Disable or enable a key, also one of the settings.",
        KeyView,
        body=KeyChange,
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
