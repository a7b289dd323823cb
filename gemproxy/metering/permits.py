"""What an access key may use, as operators say it: by flags of a command, or by the admin API.

Money is read as an exact decimal, with nano-dollars as its smallest unit. A date means the
beginning of that day. A date or a time without an offset is in the time zone of the limits.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import attrs

from gemproxy.accounts.gauges import MONEY
from gemproxy.accounts.models import plain
from gemproxy.accounts.user import NANO, Kind, Limit
from gemproxy.observe.logs import redact

_COUNT = re.compile(r"\d{1,15}", re.ASCII)
_DOLLARS = re.compile(r"\d{1,9}(?:\.(\d*))?|\.(\d+)", re.ASCII)
_DECIMALS = 9
_LONGEST_MODEL = 200
_YEARS = range(1971, 9999)
"""Years whose days ``datetime`` can show in every time zone."""


class Unfit(ValueError):
    """A value that cannot be taken; the message is the rest of a sentence about it, for people.

    It shows nothing that looks like a key.
    """


@attrs.frozen
class Amount:
    """A change of a limit: an amount for a model or for all, None to take the limit away."""

    kind: Kind
    model: str
    amount: int | None
    shadow: bool = False


def amount_of(kind: Kind, model: str, text: str | None, *, shadow: bool = False) -> Amount:
    """Return a change of a limit; ``text`` is its amount, None to take it away. Raises Unfit."""
    model = model.removeprefix("models/")
    if model and not is_model(model):
        raise Unfit(f"{shown(model)} is not the name of a model")
    if text is None:
        return Amount(kind, model, None)
    number = _nano(text) if kind in MONEY else _count(text)
    if not number:
        raise Unfit("a limit of 0 would refuse everything; revoke the key, or have no limit")
    return Amount(kind, model, number, shadow)


def _count(text: str) -> int:
    if not _COUNT.fullmatch(text):
        raise Unfit(f"{shown(text)} is not a whole number")
    return int(text)


def _nano(text: str) -> int:
    """Return an amount of dollars in nano-dollars."""
    found = _DOLLARS.fullmatch(text)
    if not found:
        raise Unfit(f"{shown(text)} is not an amount in dollars, as in 1.50")
    if len(found[1] or found[2] or "") > _DECIMALS:
        raise Unfit(f"{shown(text)} has more than {_DECIMALS} decimals")
    return int(Decimal(text) * NANO)


def each_once(changes: Iterable[Amount]) -> list[Amount]:
    """Return changes of limits, which are about different ones. Raises Unfit."""
    found: dict[tuple[Kind, str], Amount] = {}
    for change in changes:
        place = (change.kind, plain(change.model))
        if place in found:
            of_model = f" for {change.model}" if change.model else ""
            raise Unfit(f"is given twice{of_model}")
        found[place] = change
    return list(found.values())


def limits_of(present: Iterable[Limit], changes: Sequence[Amount]) -> list[Limit]:
    """Return limits in which ``changes`` replace those of the same kind and model."""
    places = {(change.kind, plain(change.model)) for change in changes}
    kept = [limit for limit in present if (limit.kind, plain(limit.model)) not in places]
    order = list(Kind)
    new = [
        Limit(change.kind, change.amount, change.model, change.shadow)
        for change in changes
        if change.amount is not None
    ]
    return sorted([*kept, *new], key=lambda limit: (order.index(limit.kind), limit.model))


def is_model(name: str) -> bool:
    """Return whether a text can be the name of a model."""
    fits = 0 < len(name) <= _LONGEST_MODEL and name.isprintable()
    return fits and not re.search(r"[\s,=*]", name) and bool(plain(name))


def models_of(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of models, each once. Raises Unfit."""
    found = [name.strip().removeprefix("models/") for name in names]
    for name in found:
        if not (is_model(name.removesuffix("*")) or name == "*"):
            raise Unfit(
                f"{shown(name)} is not the name of a model; a name has no commas, and a * only at "
                "its end"
            )
    return tuple(dict.fromkeys(found))


def expiry_of(text: str, zone: ZoneInfo) -> float:
    """Return the Unix time of a date or of a date and time. Raises Unfit."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        moment = None
    if moment is None or moment.year not in _YEARS:
        raise Unfit(
            f"{shown(text)} is neither a date, as in 2027-01-31, nor a date and time, as in "
            "2027-01-31T18:00 or 2027-01-31T18:00Z"
        )
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()


def shown(text: str) -> str:
    """Return a value for people, masked if it looks like a key."""
    return redact(repr(text))
