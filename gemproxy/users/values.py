"""The values of the flags that say what a user may use.

Money is read as an exact decimal, with nano-dollars as its smallest unit. A date means the
beginning of that day. A date or a time without an offset is in ``zone``.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import attrs

from gemproxy.accounts.models import plain
from gemproxy.accounts.user import NANO, Kind, Limit
from gemproxy.config.arguments import Misused
from gemproxy.observe.logs import redact

OFF = "off"
"""The value that takes a limit, the models or the expiry away again."""

MONEY = frozenset({Kind.USD_PER_DAY, Kind.USD_PER_MONTH})

_COUNT = re.compile(r"\d{1,15}", re.ASCII)
_DOLLARS = re.compile(r"\d{1,9}(?:\.(\d*))?|\.(\d+)", re.ASCII)
_DECIMALS = 9
_LONGEST_MODEL = 200
_YEARS = range(1971, 9999)
"""Years whose days ``datetime`` can show in every time zone."""


def flag_of(kind: Kind) -> str:
    """Return the flag of a kind of limit: ``--tokens-per-day``."""
    return f"--{kind.value.replace('_', '-')}"


@attrs.frozen
class Amount:
    """One value of a limit's flag: an amount for a model or for all, None to take it away."""

    kind: Kind
    model: str
    amount: int | None


def amounts(given: Iterable[tuple[Kind, Sequence[str]]]) -> list[Amount]:
    """Return the values of the flags of limits. Raises Misused."""
    found: dict[tuple[Kind, str], Amount] = {}
    for kind, values in given:
        for value in values:
            amount = _amount(kind, value)
            place = (kind, plain(amount.model))
            if place in found:
                of_model = f" for {amount.model}" if amount.model else ""
                raise Misused(f"{flag_of(kind)} is given twice{of_model}")
            found[place] = amount
    return list(found.values())


def _amount(kind: Kind, value: str) -> Amount:
    model, equals, text = value.rpartition("=")
    if equals and not is_model(model):
        raise Misused(f"{flag_of(kind)}: {_shown(model)} is not the name of a model")
    model = model.removeprefix("models/")
    if text == OFF:
        return Amount(kind, model, None)
    number = _nano(kind, text) if kind in MONEY else _count(kind, text)
    if not number:
        raise Misused(
            f"{flag_of(kind)}: a limit of 0 would refuse everything; revoke the key, or say {OFF} "
            "for no limit"
        )
    return Amount(kind, model, number)


def _count(kind: Kind, text: str) -> int:
    if not _COUNT.fullmatch(text):
        raise Misused(
            f"{flag_of(kind)}: {_shown(text)} is not a whole number, nor MODEL=NUMBER, as in "
            "gemini-2.5-pro=5"
        )
    return int(text)


def _nano(kind: Kind, text: str) -> int:
    """Return an amount of dollars in nano-dollars."""
    found = _DOLLARS.fullmatch(text)
    if not found:
        raise Misused(f"{flag_of(kind)}: {_shown(text)} is not an amount in dollars, as in 1.50")
    if len(found[1] or found[2] or "") > _DECIMALS:
        raise Misused(f"{flag_of(kind)}: {_shown(text)} has more than {_DECIMALS} decimals")
    return int(Decimal(text) * NANO)


def limits_of(present: Iterable[Limit], changes: Sequence[Amount], *, shadow: bool) -> list[Limit]:
    """Return limits in which ``changes`` replace those of the same kind and model."""
    places = {(change.kind, plain(change.model)) for change in changes}
    kept = [limit for limit in present if (limit.kind, plain(limit.model)) not in places]
    order = list(Kind)
    new = [
        Limit(change.kind, change.amount, change.model, shadow)
        for change in changes
        if change.amount is not None
    ]
    return sorted([*kept, *new], key=lambda limit: (order.index(limit.kind), limit.model))


def is_model(name: str) -> bool:
    """Return whether a text can be the name of a model."""
    fits = 0 < len(name) <= _LONGEST_MODEL and name.isprintable()
    return fits and not re.search(r"[\s,=*]", name) and bool(plain(name))


def models_of(values: Sequence[str]) -> tuple[str, ...]:
    """Return the models in lists with commas, each once; none for ``off``. Raises Misused."""
    names = [name.strip().removeprefix("models/") for text in values for name in text.split(",")]
    if names == [OFF]:
        return ()
    for name in names:
        if not (is_model(name.removesuffix("*")) or name == "*"):
            raise Misused(
                f"--models: {_shown(name)} is not the name of a model; names have commas between "
                "them, and a * only at their end"
            )
    return tuple(dict.fromkeys(names))


def expiry(text: str, zone: ZoneInfo) -> float | None:
    """Return the Unix time of a date or of a date and time, None for ``off``. Raises Misused."""
    if text == OFF:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        moment = None
    if moment is None or moment.year not in _YEARS:
        raise Misused(
            f"--expires: {_shown(text)} is neither a date, as in 2027-01-31, nor a date and time, "
            "as in 2027-01-31T18:00 or 2027-01-31T18:00Z"
        )
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()


def _shown(text: str) -> str:
    """Return a value for people, masked if it looks like a key."""
    return redact(repr(text))


def seconds(text: str, parse: Callable[[object], float]) -> float:
    """Return a number of seconds, as settings have it. Raises Misused."""
    try:
        return parse(text)
    except ValueError as error:
        raise Misused(f"--grace: {_shown(text)} {error}") from None
