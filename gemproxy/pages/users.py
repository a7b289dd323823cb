"""The pages of access keys: who may call, how much of it is used, making keys and changing them.

A key stands in the page that answers its making, and in no other. To send that form again makes no
other key: a name is used once, and a form that rotates names the change that it knows.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from multidict import MultiDict

from gemproxy.admin.reading import body_of, query_of
from gemproxy.admin.usage import UsageQuery, usage
from gemproxy.admin.users import (
    KINDS,
    LimitState,
    NewUser,
    Rotation,
    UserChange,
    UsersQuery,
    UserState,
    Word,
    add,
    change,
    listed,
    one,
    revoke,
    rotate,
)
from gemproxy.core.errors import GemproxyError, Unrouted
from gemproxy.pages.forms import errors_of, items_of, rows_of
from gemproxy.pages.page import Change, Notice, Page, Visit
from gemproxy.pages.periods import since_of
from gemproxy.pages.rendering import money, number

DAYS = 30
"""Days of cost that are shown, today among them."""

_AT_ONCE = 50
_LIMITS = 3
"""Limits of an access key that its row has; all are on its own page."""
_BLANK_ROWS = 4
_BLANK = {"kind": "", "amount": "", "model": "", "shadow": ""}
_GRACES = (0, 3600, 86_400, 7 * 86_400, 30 * 86_400)
"""Seconds that an old key may stay good."""


async def users(visit: Visit) -> Mapping[str, Any]:
    """Return the list of access keys, or why there is none."""
    wanted = visit.wanted(UsersQuery, "search", "state", "cursor")
    try:
        page = await visit.ask(listed, msgspec.structs.replace(wanted, limit=_AT_ONCE))
    except Unrouted as error:
        return {"missing": error.message}
    return {
        "missing": "",
        "page": page,
        "costs": await _costs(visit),
        "search": wanted.search,
        "state": wanted.state.value if wanted.state else "",
        "states": [word.value for word in Word],
        "is_filtered": bool(wanted.search or wanted.state),
        "is_first": not wanted.cursor,
        "days": DAYS,
        "most": _LIMITS,
        **shown(),
        **_form({}, []),
    }


async def user(visit: Visit) -> Mapping[str, Any]:
    """Return what is known of one access key, and the forms that change it."""
    state = await visit.ask(one)
    return await _of_one(visit, state, _given(visit, state), list(map(_limit_of, state.limits)))


async def make(visit: Visit) -> Mapping[str, Any]:
    """Make an access key; return the key, or the form with what is wrong in it."""
    wish = {**_wish(visit), "name": visit.form.get("name", "").strip()}
    try:
        made = await visit.ask(add, body=body_of(NewUser, msgspec.json.encode(wish)))
    except GemproxyError as error:
        form = _form(visit.form, rows_of(visit.form, "limit"))
        return {"key": "", **shown(), **form, "errors": errors_of(error)}
    return {"key": made.key, "user": made.user, "is_new": True, **shown()}


async def alter(visit: Visit) -> Any:  # noqa: ANN401 (a notice, or the values of the form)
    """Change what an access key may use."""
    state = await visit.ask(one)
    try:
        wish = _difference(visit, state)
        await visit.ask(change, body=body_of(UserChange, msgspec.json.encode(wish)))
    except GemproxyError as error:
        rows = rows_of(visit.form, "limit")
        return {**await _of_one(visit, state, visit.form, rows), "errors": errors_of(error)}
    return Notice(_path(state.name), visit.say("%(name)s is changed.", name=state.name))


async def turn(visit: Visit) -> Mapping[str, Any]:
    """Make another key for a user; return the key."""
    fields = {name: float(visit.form.get(name) or 0) for name in ("grace", "change")}
    body = Rotation(grace=fields["grace"], change=int(fields["change"]))
    made = await visit.ask(rotate, body=body)
    return {"key": made.key, "user": made.user, "is_new": False, **shown()}


async def asked(visit: Visit) -> Mapping[str, Any]:
    """Return the question whether an access key shall be revoked."""
    return {"user": await visit.ask(one), "path": visit.path, **shown()}


async def end(visit: Visit) -> Notice:
    """Revoke an access key."""
    state = await visit.ask(revoke)
    said = visit.say("%(name)s is revoked, for good.", name=state.name)
    return Notice(_path(state.name), said)


def shown() -> Mapping[str, Any]:
    """Return what the templates write access keys with."""
    return {"path_of": _path, "amount": _amount, "figure": _figure}


async def _of_one(
    visit: Visit, state: UserState, fields: Mapping[str, str], rows: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any]:
    return {
        "user": state,
        "cost": None if (costs := await _costs(visit)) is None else costs.get(state.name, "0"),
        "days": DAYS,
        "graces": _GRACES,
        **shown(),
        **_form(fields, rows),
    }


def _form(fields: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the values of the form of an access key, with rows to write in."""
    return {
        "fields": {name: fields.get(name, "") for name in ("name", "models", "expires")},
        "rows": [{**_BLANK, **row} for row in (*rows, *[_BLANK] * _BLANK_ROWS)],
        "kinds": KINDS,
        "errors": {},
    }


def _given(visit: Visit, state: UserState) -> dict[str, str]:
    return {"models": "\n".join(state.models), "expires": _written(visit, state.expires)}


def _written(visit: Visit, moment: dt.datetime | None) -> str:
    """Return a time as it can be typed, by the reader's clock."""
    return "" if moment is None else moment.astimezone(visit.zone).isoformat("T", "minutes")


def _wish(visit: Visit) -> dict[str, Any]:
    """Return what a form allows, in the fields of the API."""
    form = visit.form
    return {
        "models": items_of(form.get("models", "")),
        "limits": [_limit(row) for row in rows_of(form, "limit") if row.get("amount")],
        "expires": form.get("expires", "").strip() or None,
    }


def _limit(row: Mapping[str, str]) -> dict[str, Any]:
    return {
        "kind": row.get("kind", ""),
        "model": row.get("model", ""),
        "amount": row["amount"].removeprefix("$"),
        "shadow": "shadow" in row,
    }


def _limit_of(limit: LimitState) -> dict[str, Any]:
    """Return a limit in the fields of the form."""
    return {
        "kind": limit.kind,
        "model": limit.model,
        "amount": str(limit.amount),
        "shadow": limit.shadow,
    }


def _difference(visit: Visit, state: UserState) -> dict[str, Any]:
    """Return what a form changes: new limits, and those that are gone from it."""
    wish = _wish(visit)
    present = {(limit.kind, limit.model): _limit_of(limit) for limit in state.limits}
    kept = {(limit["kind"], limit["model"]) for limit in wish["limits"]}
    limits = [limit for limit in wish["limits"] if limit not in present.values()]
    limits += [limit | {"amount": None} for key, limit in present.items() if key not in kept]
    changed: dict[str, Any] = {"limits": limits}
    if wish["models"] != state.models:
        changed["models"] = wish["models"]
    if (wish["expires"] or "") != _written(visit, state.expires):
        changed["expires"] = wish["expires"]
    return changed


async def _costs(visit: Visit) -> Mapping[str, str | None] | None:
    """Return the cost of each access key in the last days; None without a ledger."""
    begin = since_of(visit, DAYS)
    if begin is None:
        return None
    query = query_of(UsageQuery, MultiDict({"from": begin, "by": "user"}))
    found = await visit.ask(usage, query)
    return {group.of["user"]: group.sums.cost_usd for group in found.groups}


def _path(name: str) -> str:
    return f"/users/{quote(name, safe='')}"


def _amount(value: float | str | None) -> str:
    """Return an amount of a limit: dollars are texts."""
    return money(value) if isinstance(value, str) else number(value)


def _figure(value: float | str | None) -> float:
    """Return an amount as a number for a meter."""
    return float(value or 0)


PAGES = (
    Page("/users", "Access keys", "users.html", users, in_menu=True),
    Page("/users/{name}", "Access key", "user.html", user),
    Page("/users/{name}/revoke", "Revoke an access key", "user_revoke.html", asked),
)
CHANGES = (
    Change("/users", make, "user_key.html", "Access key"),
    Change("/users/{name}", alter, "user.html", "Access key"),
    Change("/users/{name}/rotate", turn, "user_key.html", "Access key"),
    Change("/users/{name}/revoke", end),
)
