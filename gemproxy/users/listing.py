"""Users in words and in JSON."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from gemproxy.accounts import words
from gemproxy.accounts.gauges import MONEY
from gemproxy.accounts.user import Limit, User
from gemproxy.ledger.users import Entry


def table(entries: Sequence[Entry], now: float, zone: ZoneInfo) -> list[tuple[str, ...]]:
    """Return the rows of a table, with its head."""
    rows = [
        (entry.user.id, entry.user.name, state(entry, now, zone), may_use(entry.user, zone))
        for entry in entries
    ]
    return [("id", "name", "state", "may use"), *rows]


def state(entry: Entry, now: float, zone: ZoneInfo) -> str:
    """Return how a key stands at ``now``."""
    if entry.revoked is not None:
        return f"revoked at {_local(entry.revoked, zone)}"
    if entry.user.expires is not None and entry.user.expires <= now:
        return f"expired at {_local(entry.user.expires, zone)}"
    if entry.old_until is not None and entry.old_until > now:
        return f"good, and the old key until {_local(entry.old_until, zone)}"
    return "good"


def may_use(user: User, zone: ZoneInfo) -> str:
    """Return in words what a user may use."""
    said = [f"{words.name(limit)}{' (shadow)' if limit.shadow else ''}" for limit in user.limits]
    if user.models:
        said.append(f"only {', '.join(user.models)}")
    if user.expires is not None:
        said.append(f"until {_local(user.expires, zone)}")
    return "; ".join(said) or "everything, without limits"


def document(entry: Entry) -> dict[str, Any]:
    """Return a user for programs; times are in UTC."""
    return {
        "id": entry.user.id,
        "name": entry.user.name,
        "made": _utc(entry.made),
        "expires": _utc(entry.user.expires),
        "revoked": _utc(entry.revoked),
        "old_key_until": _utc(entry.old_until),
        "models": list(entry.user.models),
        "limits": [_limit(limit) for limit in entry.user.limits],
    }


def _limit(limit: Limit) -> dict[str, Any]:
    """Return a limit for programs; money is an exact decimal in a text."""
    money = limit.kind in MONEY
    amount = words.dollars(limit.amount).removeprefix("$") if money else limit.amount
    return {
        "kind": limit.kind.value,
        "model": limit.model,
        "amount": amount,
        "shadow": limit.shadow,
    }


def _utc(moment: float | None) -> str | None:
    if moment is None:
        return None
    timespec = "milliseconds" if moment % 1 else "seconds"
    said = datetime.fromtimestamp(moment, UTC).isoformat(timespec=timespec)
    return said.replace("+00:00", "Z")


def _local(moment: float, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(moment, zone).strftime("%Y-%m-%d %H:%M %Z")
