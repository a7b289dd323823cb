"""The flags that say what a user may use; their values are those of ``metering.permits``."""

from collections.abc import Callable, Iterable, Sequence
from zoneinfo import ZoneInfo

from gemproxy.accounts.user import Kind
from gemproxy.config.arguments import Misused
from gemproxy.metering import permits
from gemproxy.metering.permits import Amount, Unfit, shown

OFF = "off"
"""The value that takes a limit, the models or the expiry away again."""


def flag_of(kind: Kind) -> str:
    """Return the flag of a kind of limit: ``--tokens-per-day``."""
    return f"--{kind.value.replace('_', '-')}"


def amounts(given: Iterable[tuple[Kind, Sequence[str]]], *, shadow: bool = False) -> list[Amount]:
    """Return the values of the flags of limits. Raises Misused."""
    found = []
    for kind, values in given:
        try:
            found += permits.each_once([_amount(kind, value, shadow=shadow) for value in values])
        except Unfit as error:
            words = str(error)
            joint = " " if words.startswith("is given") else ": "
            raise Misused(f"{flag_of(kind)}{joint}{words}") from None
    return found


def _amount(kind: Kind, value: str, *, shadow: bool) -> Amount:
    model, equals, text = value.rpartition("=")
    if equals and not model:
        raise Unfit("'' is not the name of a model")
    return permits.amount_of(kind, model, None if text == OFF else text, shadow=shadow)


def models_of(values: Sequence[str]) -> tuple[str, ...]:
    """Return the models in lists with commas, each once; none for ``off``. Raises Misused."""
    names = [name for text in values for name in text.split(",")]
    if [name.strip() for name in names] == [OFF]:
        return ()
    try:
        return permits.models_of(names)
    except Unfit as error:
        raise Misused(f"--models: {error}") from None


def expiry(text: str, zone: ZoneInfo) -> float | None:
    """Return the Unix time of a date or of a date and time, None for ``off``. Raises Misused."""
    if text == OFF:
        return None
    try:
        return permits.expiry_of(text, zone)
    except Unfit as error:
        raise Misused(f"--expires: {error}") from None


def seconds(text: str, parse: Callable[[object], float]) -> float:
    """Return a number of seconds, as settings have it. Raises Misused."""
    try:
        return parse(text)
    except ValueError as error:
        raise Misused(f"--grace: {shown(text)} {error}") from None
