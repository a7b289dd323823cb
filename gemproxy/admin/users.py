"""Access keys, which the house calls users: who may call the pool, and how much.

Those of the settings are shown and cannot be changed here. The others are in the ledger's database;
a change is one of ``metering.roster``, as by the command ``gemproxy users``. All workers take it up
before the answer; one that does not answer within a second takes it up by itself. A key is in one
answer, that of its making, and nowhere else.
"""

import datetime as dt
import enum
import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import attrs
import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy.exc import SQLAlchemyError

from gemproxy.accounts import words
from gemproxy.accounts.gauges import MONEY, State
from gemproxy.accounts.user import Kind, Limit, User
from gemproxy.admin.audit import note
from gemproxy.admin.periods import reading
from gemproxy.admin.route import Call, Form, Nothing, Route
from gemproxy.admin.texts import COUNT, DOLLARS, Day, Model, OfUsers, PersonsName
from gemproxy.admin.texts import Models as ModelTexts
from gemproxy.core.errors import BadField, BadRequest, Busy, Conflict, Unrouted
from gemproxy.ledger.engine import words_of
from gemproxy.ledger.users import Entry, Missing
from gemproxy.metering.directory import Directory
from gemproxy.metering.permits import Amount, Unfit, amount_of, each_once, expiry_of, models_of
from gemproxy.metering.roster import Made, Refused, Roster, Wish
from gemproxy.store.unusable import Unusable

CHANGED = "users"
"""The question that has another worker look at the stored access keys, by its path."""

SETTINGS, STORED = "settings", "stored"
"""Where an access key comes from."""

KINDS = tuple(kind.value for kind in Kind)
"""What a limit can count."""

_MOST_DIGITS = 9
_LONGEST_GRACE = 366 * 86_400
_NO_POOL = (
    "This proxy has no pool, which access keys would open: set GEMINI_API_KEYS or pool.keys, or "
    "add a Gemini key with gemproxy keys add, and start it again."
)
_NOBODY = "No access key has this name or id."


@attrs.frozen(eq=False)
class Holders:
    """The access keys of a running proxy.

    ``directory`` has those that this process knows, ``states`` tells what is taken of a user's
    limits, ``zone`` is that of the limits. ``now`` gives the Unix time in seconds.
    """

    roster: Roster
    directory: Directory
    states: Callable[[User], Sequence[State]]
    zone: ZoneInfo
    now: Callable[[], float] = time.time

    async def look(self, _document: Any = None) -> bool:  # noqa: ANN401 (JSON)
        """Have this worker know what changed; return whether it looked."""
        return await self.directory.look()


class LimitState(Form, frozen=True):
    """A limit; amounts are whole numbers, and exact decimals of dollars in a text for money."""

    kind: Annotated[str, msgspec.Meta(description="What it counts, such as rpm or usd_per_day")]
    model: Annotated[str, msgspec.Meta(description="Its model; empty for all models together")]
    amount: Annotated[int | str, msgspec.Meta(description="The most")]
    shadow: Annotated[bool, msgspec.Meta(description="Whether it only counts and refuses nothing")]
    used: Annotated[
        int | str | None,
        msgspec.Meta(description="What is spent; null for a limit of each client address"),
    ]
    held: Annotated[
        int | str | None, msgspec.Meta(description="What running requests hold beside that")
    ]
    left: Annotated[int | str | None, msgspec.Meta(description="What can still be asked for")]
    resets: Annotated[
        dt.datetime | None,
        msgspec.Meta(description="When nothing of it is used any more, if time changes that"),
    ]


class UserState(Form, frozen=True):
    """An access key, without the key."""

    name: Annotated[str, msgspec.Meta(description="Who uses it")]
    id: Annotated[str, msgspec.Meta(description="The key's public characters, or the name")]
    origin: Annotated[str, msgspec.Meta(description="settings, or stored: made here or by command")]
    state: Annotated[str, msgspec.Meta(description="good, expired or revoked")]
    models: Annotated[
        list[str], msgspec.Meta(description="The only models that it may call; empty: any")
    ]
    limits: Annotated[list[LimitState], msgspec.Meta(description="The limits, with their use")]
    made: Annotated[dt.datetime | None, msgspec.Meta(description="When; null for the settings'")]
    expires: Annotated[dt.datetime | None, msgspec.Meta(description="When the key ends, if ever")]
    revoked: Annotated[dt.datetime | None, msgspec.Meta(description="When it was revoked")]
    old_key_until: Annotated[
        dt.datetime | None, msgspec.Meta(description="Until when the key before is good")
    ]
    last_used: Annotated[
        dt.datetime | None,
        msgspec.Meta(description="When its newest request began; null: none is kept"),
    ]
    change: Annotated[
        int, msgspec.Meta(description="The number of its last change; 0 for the settings'")
    ]


class UserPage(Form, frozen=True):
    """Access keys: those of the settings, then the others in the order of their making."""

    users: Annotated[list[UserState], msgspec.Meta(description="The access keys of this page")]
    total: Annotated[int, msgspec.Meta(description="How many there are, on all pages")]
    next: Annotated[str | None, msgspec.Meta(description="The cursor of the page behind, or null")]


class Word(enum.Enum):
    """How an access key stands."""

    GOOD = "good"
    EXPIRED = "expired"
    REVOKED = "revoked"


class UsersQuery(Form, frozen=True):
    """Which access keys are wanted, and which page of them."""

    search: Annotated[
        str, msgspec.Meta(description="Only those with this text in the name or the id")
    ] = ""
    state: Annotated[Word | None, msgspec.Meta(description="Only those that stand so")] = None
    cursor: Annotated[OfUsers, msgspec.Meta(description="`next` of the page before")] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000, description="Most access keys")] = 100


class NewLimit(Form, frozen=True):
    """A limit; it replaces that of the same kind and model."""

    kind: Annotated[Kind, msgspec.Meta(description="What it counts")]
    amount: Annotated[
        int | float | str | None,
        msgspec.Meta(description="The most; dollars for money, exact as a text; null: no limit"),
    ]
    model: Annotated[Model, msgspec.Meta(description="Its model; empty: all together")] = ""
    shadow: Annotated[bool, msgspec.Meta(description="Only count, and refuse nothing")] = False


def _of(kinds: Iterable[Kind], amount: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of limits of some kinds, with the schema of their amounts."""
    names = sorted(kind.value for kind in kinds)
    choices = [*amount["anyOf"], {"type": "null"}]
    return {"properties": {"kind": {"enum": names}, "amount": {"anyOf": choices}}}


Models = Annotated[
    list[ModelTexts] | UnsetType,
    msgspec.Meta(description="The only models, a * at the end for any rest; empty: any"),
]
_ByKind = Annotated[
    NewLimit,
    msgspec.Meta(extra_json_schema={"oneOf": [_of(MONEY, DOLLARS), _of({*Kind} - MONEY, COUNT)]}),
]
Limits = Annotated[
    list[_ByKind],
    msgspec.Meta(
        description="Limits that are set or taken away", extra_json_schema={"uniqueItems": True}
    ),
]
Expiry = Annotated[
    Day | UnsetType | None,
    msgspec.Meta(description="When the key ends: 2027-01-31 or 2027-01-31T18:00Z; null: never"),
]


class UserChange(Form, frozen=True):
    """What an access key may use; what is missing stays as it is."""

    models: Models = UNSET
    limits: Limits = msgspec.field(default_factory=list)
    expires: Expiry = UNSET


class NewUser(Form, frozen=True):
    """A new access key, and what it may use; without that it may use everything."""

    name: Annotated[
        PersonsName, msgspec.Meta(description="Who uses it; a name is never used again")
    ]
    models: Models = UNSET
    limits: Limits = msgspec.field(default_factory=list)
    expires: Expiry = UNSET


class Rotation(Form, frozen=True):
    """How a key is replaced."""

    grace: Annotated[
        float,
        msgspec.Meta(ge=0, le=_LONGEST_GRACE, description="Seconds that the old key stays good"),
    ] = 0.0
    change: Annotated[
        int | None,
        msgspec.Meta(description="Its last change that is known: refused if there was another"),
    ] = None


class NewKey(Form, frozen=True):
    """A new access key: this answer alone has it."""

    key: Annotated[str, msgspec.Meta(description="The key, in the place of a Gemini key")]
    user: Annotated[UserState, msgspec.Meta(description="Whose it is, and what it may use")]


async def listed(call: Call[UsersQuery, Nothing]) -> UserPage:
    """Return a page of access keys. Raises Unrouted without a pool, BadRequest, Busy."""
    query = call.query
    async with _asking(call) as holders:
        given = sorted(holders.directory.keys.given)
        found: list[str | Entry] = [*given, *await holders.roster.users.all()]
        start = _place(query.cursor, given)
        wanted = [place for place, one in enumerate(found) if _is_wanted(one, query, holders.now())]
        page = [place for place in wanted if place >= start][: query.limit]
        states = await _states(call, holders, [found[place] for place in page])
    more = bool(page) and page[-1] < wanted[-1]
    behind = _cursor(page[-1], given) if more else None
    return UserPage(users=states, total=len(wanted), next=behind)


def _is_wanted(one: str | Entry, query: UsersQuery, now: float) -> bool:
    text = query.search.strip().casefold()
    names = (one,) if isinstance(one, str) else (one.user.name, one.user.id)
    is_found = not text or any(text in name.casefold() for name in names)
    return is_found and query.state in {None, _word(one, now)}


def _word(one: str | Entry, now: float) -> Word:
    if isinstance(one, str):
        return Word.GOOD
    if one.revoked is not None:
        return Word.REVOKED
    expires = one.user.expires
    return Word.EXPIRED if expires is not None and expires <= now else Word.GOOD


def _cursor(place: int, given: Sequence[str]) -> str:
    """Return the cursor of the page that begins behind a place."""
    behind = place + 1 - len(given)
    return f"{STORED}:{behind}" if behind > 0 else f"{SETTINGS}:{given[place]}"


def _place(cursor: str, given: Sequence[str]) -> int:
    """Return where the page behind a cursor begins, where the names ``given`` come first.

    No access key leaves the database, so a place among those that it has stays the same.
    """
    origin, _, place = cursor.partition(":")
    if not cursor:
        return 0
    if origin == SETTINGS:
        return bisect_right(given, place)
    if origin == STORED and place.isascii() and place.isdecimal() and len(place) <= _MOST_DIGITS:
        return len(given) + int(place)
    raise BadField("cursor", "is not the `next` of a page of this list")


async def one(call: Call[Nothing, Nothing]) -> UserState:
    """Return an access key. Raises Unrouted."""
    async with _asking(call) as holders:
        return await _state(call, holders, call.names["name"])


async def add(call: Call[Nothing, NewUser]) -> NewKey:
    """Make an access key. Raises BadField, Conflict, Unrouted."""
    body = call.body
    change = UserChange(models=body.models, limits=body.limits, expires=body.expires)
    made = await added(call, body.name, change)
    async with _asking(call) as holders:
        return NewKey(key=made.key, user=await _state(call, holders, made.user.id))


async def added(call: Call[Any, Any], name: str, change: UserChange) -> Made:
    """Make an access key of a name, and note it. Raises BadField, Conflict, Unrouted."""
    async with _asking(call) as holders:
        wish = _wish(change, holders.zone)
        try:
            made = await holders.roster.add(name, wish, holders.now())
        except Unfit as error:
            raise BadField("name", f"does not fit: {error}") from None
        await note(call, "users.add", name, {"id": made.user.id, **_told(change)})
        await _take_up(call, holders)
    return made


async def change(call: Call[Nothing, UserChange]) -> UserState:
    """Change what an access key may use. Raises BadRequest, Conflict, Unrouted."""
    async with _asking(call) as holders:
        wish = _wish(call.body, holders.zone)
        if wish.is_empty:
            raise BadRequest("Nothing is to be changed: name models, limits or expires.")
        user = (await _meant(call, holders)).user
        await holders.roster.change(user, wish)
        await note(call, "users.change", user.name, _told(call.body))
        await _take_up(call, holders)
        return await _state(call, holders, user.id)


async def rotate(call: Call[Nothing, Rotation]) -> NewKey:
    """Make another key for a user. Raises Conflict, Unrouted."""
    async with _asking(call) as holders:
        user, grace = (await _meant(call, holders)).user, call.body.grace
        until = holders.now() + grace if grace else None
        made = await holders.roster.rotate(user, until, call.body.change)
        await note(call, "users.rotate", user.name, {"grace_seconds": grace})
        await _take_up(call, holders)
        return NewKey(key=made.key, user=await _state(call, holders, user.id))


async def revoke(call: Call[Nothing, Nothing]) -> UserState:
    """Refuse an access key from now on. Raises Conflict, Unrouted."""
    async with _asking(call) as holders:
        user = (await _meant(call, holders)).user
        if await holders.roster.users.revoke(user.id, holders.now()):
            await note(call, "users.revoke", user.name)
        await _take_up(call, holders)
        return await _state(call, holders, user.id)


async def _take_up(call: Call[Any, Any], holders: Holders) -> None:
    """Have all workers know a change."""
    await holders.look()
    await call.desk.neighbours.ask(CHANGED)


@asynccontextmanager
async def _asking(call: Call[Any, Any]) -> AsyncIterator[Holders]:
    """Yield the access keys; what they raise becomes errors of the API."""
    if call.desk.users is None:
        raise Unrouted(_NO_POOL)
    try:
        yield call.desk.users
    except Missing:
        raise Unrouted(_NOBODY) from None
    except (Refused, Unusable) as error:
        raise Conflict(f"Nothing changed: {error}.") from None
    except (SQLAlchemyError, OSError) as error:
        raise Busy(f"The database of access keys fails: {words_of(error)}.") from None


async def _meant(call: Call[Any, Any], holders: Holders) -> Entry:
    """Return the stored user that a path names, to be changed. Raises Conflict, Missing."""
    name = call.names["name"]
    if name in holders.directory.keys.given:
        raise Conflict("This access key is one of the settings, and changes only there.")
    return await holders.roster.users.find(name)


def _wish(change: UserChange, zone: ZoneInfo) -> Wish:
    """Return what a body asks for. Raises BadField."""
    field = "limits"
    try:
        limits = each_once(map(_amount, change.limits))
        field = "models"
        models = None if change.models is UNSET else models_of(change.models)
        field = "expires"
        if change.expires is UNSET:
            return Wish(limits, models)
        expires = None if change.expires is None else expiry_of(change.expires, zone)
    except Unfit as error:
        raise BadField(field, f"does not fit: {error}") from None
    return Wish(limits, models, expires, expiring=True)


def _amount(limit: NewLimit) -> Amount:
    return amount_of(limit.kind, limit.model, _digits(limit), shadow=limit.shadow)


def _digits(limit: NewLimit) -> str | None:
    """Return the amount in digits; a number with a fraction as whole nano-dollars."""
    amount = limit.amount
    if isinstance(amount, float):
        return f"{amount:.0f}" if amount.is_integer() else f"{amount:.9f}"
    return None if amount is None else str(amount)


def _told(change: UserChange) -> dict[str, object]:
    """Return what the audit log has of a change that was made."""
    told: dict[str, object] = {}
    if change.models is not UNSET:
        told["models"] = change.models
    if change.limits:
        told["limits"] = [msgspec.to_builtins(limit) for limit in change.limits]
    if change.expires is not UNSET:
        told["expires"] = change.expires
    return told


async def _state(call: Call[Any, Any], holders: Holders, name: str) -> UserState:
    """Return the access key of a name or an id. Raises Missing, Busy."""
    is_given = name in holders.directory.keys.given
    one = name if is_given else await holders.roster.users.find(name)
    (state,) = await _states(call, holders, [one])
    return state


async def _states(
    call: Call[Any, Any], holders: Holders, found: Sequence[str | Entry]
) -> list[UserState]:
    """Return access keys as the API shows them; those of the settings are names. Raises Busy."""
    names = [one if isinstance(one, str) else one.user.name for one in found]
    figures = call.desk.figures
    used: Mapping[str, float] = {}
    if figures is not None:
        with reading():
            used = await figures.queries.last_starts(names)
    return [
        _given(one, _time(used.get(name)))
        if isinstance(one, str)
        else _shown(holders, one, _time(used.get(name)))
        for one, name in zip(found, names, strict=True)
    ]


def _given(name: str, last_used: dt.datetime | None) -> UserState:
    """Return an access key of the settings, which has no limits."""
    return UserState(
        name=name,
        id=name,
        origin=SETTINGS,
        state=Word.GOOD.value,
        models=[],
        limits=[],
        made=None,
        expires=None,
        revoked=None,
        old_key_until=None,
        last_used=last_used,
        change=0,
    )


def _shown(holders: Holders, entry: Entry, last_used: dt.datetime | None) -> UserState:
    user, now = entry.user, holders.now()
    taken = {state.limit: state for state in holders.states(user)}
    old = entry.old_until if entry.old_until is not None and entry.old_until > now else None
    return UserState(
        name=user.name,
        id=user.id,
        origin=STORED,
        state=_word(entry, now).value,
        models=list(user.models),
        limits=[_limit(limit, taken.get(limit)) for limit in user.limits],
        made=_time(entry.made),
        expires=_time(user.expires),
        revoked=_time(entry.revoked),
        old_key_until=_time(old),
        last_used=last_used,
        change=entry.change,
    )


def _limit(limit: Limit, state: State | None) -> LimitState:
    used, held, left = (state.spent, state.held, state.remaining) if state else (None,) * 3
    return LimitState(
        kind=limit.kind.value,
        model=limit.model,
        amount=_number(limit.kind, limit.amount),
        shadow=limit.shadow,
        used=None if used is None else _number(limit.kind, used),
        held=None if held is None else _number(limit.kind, held),
        left=None if left is None else _number(limit.kind, left),
        resets=None if state is None or not state.spent else _time(state.empty),
    )


def _number(kind: Kind, amount: int) -> int | str:
    return words.dollars(amount).replace("$", "") if kind in MONEY else amount


def _time(moment: float | None) -> dt.datetime | None:
    return None if moment is None else dt.datetime.fromtimestamp(moment, dt.UTC)


def _route(method: str, path: str, handler: Any, summary: str, answer: Any, **more: Any) -> Route:  # noqa: ANN401 (those of Route)
    return Route(method, f"/users{path}", handler, summary, answer, tag="users", **more)


_SOMETHING = [
    {"required": ["models"]},
    {"required": ["expires"]},
    {"required": ["limits"], "properties": {"limits": {"minItems": 1}}},
]
"""A change names something: the schema of that, which the forms cannot say."""

ROUTES = (
    _route("GET", "", listed, "List the access keys.", UserPage, query=UsersQuery),
    _route("POST", "", add, "Make an access key; it is shown once.", NewKey, body=NewUser),
    _route("GET", "/{name}", one, "Show an access key by its name or id.", UserState),
    _route(
        "PATCH",
        "/{name}",
        change,
        "Change the models, the limits or the expiry of an access key.",
        UserState,
        body=Annotated[UserChange, msgspec.Meta(extra_json_schema={"anyOf": _SOMETHING})],
    ),
    _route("DELETE", "/{name}", revoke, "Refuse an access key from now on, for good.", UserState),
    _route(
        "POST",
        "/{name}/rotate",
        rotate,
        "Make another key for a user; it is shown once.",
        NewKey,
        body=Rotation,
    ),
)
