"""Limits in words for people, and in header fields for programs.

The header fields are those of OpenAI (``x-ratelimit-limit-requests`` and its kin, one limit on
requests and one on tokens) and those of draft-ietf-httpapi-ratelimit-headers-10: RateLimit-Policy
has the limits, RateLimit what remains of each (``r``) and the seconds until there is more (``t``).
That draft registers the units ``requests`` and ``concurrent-requests``; tokens and money have
units of our own. Its integers have 15 digits, so money is in micro-dollars there.
"""

import functools
import math
import re
from collections.abc import Iterable, Mapping

import attrs

from gemproxy.accounts.calendar import Calendar
from gemproxy.accounts.gauges import MONEY, State
from gemproxy.accounts.user import NANO, Kind, Limit

_REQUESTS = (Kind.RPM, Kind.RPD, Kind.PER_IP_RPM, Kind.PER_IP_RPD)
_TOKENS = (Kind.TPM, Kind.TOKENS_PER_DAY, Kind.TOKENS_PER_MONTH)
_OPENAI = {
    unit: tuple(f"x-ratelimit-{of}-{unit}" for of in ("limit", "remaining", "reset"))
    for unit in ("requests", "tokens")
}
_MICRO = 1000
"""Nano-dollars in a micro-dollar."""
_MOST = 10**15 - 1
"""The largest integer of a structured field (RFC 9651)."""
_DIGITS = 9
_MINUTE = 60
_CENTS = 2


@attrs.frozen
class _Kind:
    """A kind of limit in words: ``50 requests per minute``, its unit in the draft's terms."""

    unit: str
    span: str
    quota_unit: str = ""


_KINDS = {
    Kind.RPM: _Kind("requests", "per minute"),
    Kind.TPM: _Kind("tokens", "per minute", "gemproxy-tokens"),
    Kind.RPD: _Kind("requests", "per day"),
    Kind.CONCURRENCY: _Kind("requests", "at the same time", "concurrent-requests"),
    Kind.TOKENS_PER_DAY: _Kind("tokens", "per day", "gemproxy-tokens"),
    Kind.TOKENS_PER_MONTH: _Kind("tokens", "per month", "gemproxy-tokens"),
    Kind.USD_PER_DAY: _Kind("", "per day", "gemproxy-micro-dollars"),
    Kind.USD_PER_MONTH: _Kind("", "per month", "gemproxy-micro-dollars"),
    Kind.PER_IP_RPM: _Kind("requests", "per minute and client address"),
    Kind.PER_IP_RPD: _Kind("requests", "per day and client address"),
}


def dollars(nano_usd: int) -> str:
    """Return nano-dollars as an exact amount: ``$1.50``, ``$0.000123``."""
    whole, rest = divmod(abs(nano_usd), NANO)
    digits = f"{rest:0{_DIGITS}d}"
    cents = digits[:_CENTS] + digits[_CENTS:].rstrip("0")
    return f"{'-' if nano_usd < 0 else ''}${whole}.{cents}"


def amount(kind: Kind, number: int) -> str:
    """Return an amount of a kind with its unit: ``50 requests``, ``$1.50``."""
    if kind in MONEY:
        return dollars(number)
    unit = _KINDS[kind].unit
    return f"{number} {unit[:-1] if number == 1 else unit}"


def name(limit: Limit) -> str:
    """Return a limit in words: ``50 requests per minute for gemini-2.5-pro``."""
    of_model = f" for {limit.model}" if limit.model else ""
    return f"{amount(limit.kind, limit.amount)} {_KINDS[limit.kind].span}{of_model}"


def refusal(user: str, state: State, now: float, calendar: Calendar) -> str:
    """Return why a request is refused: the limit, what is spent and held, and when it resets."""
    limit = state.limit
    whose = state.whose or f"access key '{user}'"
    return (
        f"The limit of {whose} is reached: {name(limit)}."
        f" Spent: {amount(limit.kind, state.spent)};"
        f" held by running requests: {amount(limit.kind, state.held)};"
        f" this request asks for {amount(limit.kind, state.asked)}."
        f" {_reset(state, now, calendar)}"
    )


def brief(state: State, now: float) -> str:
    """Return the same in few words, for a close frame of WebSockets; the model comes last."""
    kind = state.limit.kind
    if state.empty is None:
        resets = "when a running request ends"
    else:
        resets = f"in {math.ceil(max(0.0, state.empty - now))} s"
    return (
        f"Limit reached, resets {resets}: spent {amount(kind, state.spent)}, held"
        f" {amount(kind, state.held)} of {name(state.limit)}."
    )


def unpriced(user: str, model: str, limit: Limit) -> str:
    """Return why a model without a price is refused under a limit on money."""
    named = f"'{model}'" if model else "of the request"
    return (
        f"Access key '{user}' has a limit on money ({name(limit)}), and the model {named} has no"
        " price, so its cost is not known. The operator can add a price, or allow models without"
        " one."
    )


def fields(states: Iterable[State], now: float, refused: State | None = None) -> dict[str, str]:
    """Return the header fields of limits.

    Of several limits on requests, OpenAI's fields show the one that refused, else the one with the
    fewest left; likewise for tokens.
    """
    states = list(states)
    found = {
        **_openai("requests", _REQUESTS, states, refused, now),
        **_openai("tokens", _TOKENS, states, refused, now),
    }
    shown = [refused] if refused is not None else states
    if shown:
        found["RateLimit-Policy"] = ", ".join([_policy(state.limit, state.span) for state in shown])
        found["RateLimit"] = ", ".join([_remaining(state, now) for state in shown])
    if refused is not None:
        wait = refused.wait(now)
        if wait is not None:
            found["RateLimit"] = f"{_left(refused)};t={math.ceil(wait)}"
    return found


def _reset(state: State, now: float, calendar: Calendar) -> str:
    """Return when a limit resets, and when the request should be sent again."""
    if state.empty is None:
        resets = "It resets as soon as a running request ends"
    else:
        at = max(now, state.empty)
        resets = f"It resets at {calendar.clock(at)}, in {math.ceil(at - now)} s"
    wait = state.wait(now)
    if wait is None:
        return f"{resets}, but a request that asks for more than the whole limit never has room."
    if state.empty is None:
        return f"{resets}: send the request again in {math.ceil(wait)} s."
    if state.behind_holds:
        return (
            f"{resets}; running requests hold the rest, and give back what they do not use: send"
            f" the request again in {math.ceil(wait)} s."
        )
    return f"{resets}; there is room for this request in {math.ceil(wait)} s."


def _openai(
    unit: str, kinds: tuple[Kind, ...], states: list[State], refused: State | None, now: float
) -> Mapping[str, str]:
    if refused is not None and refused.limit.kind in kinds:
        least = refused
    else:
        fitting = [state for state in states if state.limit.kind in kinds]
        if not fitting:
            return {}
        least = min(fitting, key=_few) if len(fitting) > 1 else fitting[0]
    limit, remaining, reset = _OPENAI[unit]
    return {
        limit: str(least.limit.amount),
        remaining: str(least.remaining),
        reset: _duration(max(0.0, (least.empty or now) - now)),
    }


def _few(state: State) -> tuple[int, float]:
    """Return an order in which the limit with the fewest left comes first."""
    return state.remaining, state.empty or 0.0


def _duration(seconds: float) -> str:
    """Return a duration as OpenAI writes it: ``1s``, ``6m0s``, ``2h0m0s``."""
    whole = math.ceil(seconds)
    if whole < _MINUTE:
        return f"{whole}s"
    minutes, rest = divmod(whole, _MINUTE)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


@functools.lru_cache(maxsize=1024)
def _label(limit: Limit) -> str:
    """Return the name of a limit as a string of structured fields."""
    model = f":{limit.model}" if limit.model else ""
    said = re.sub(r"[^ -~]", "?", f"{limit.kind.value}{model}")
    return '"' + said.replace("\\", "\\\\").replace('"', '\\"') + '"'


@functools.lru_cache(maxsize=1024)
def _policy(limit: Limit, span: int | None) -> str:
    unit = _KINDS[limit.kind].quota_unit
    parts = [_label(limit), f"q={_quota(limit.kind, limit.amount)}"]
    if unit:
        parts.append(f'qu="{unit}"')
    if span is not None:
        parts.append(f"w={span}")
    return ";".join(parts)


def _remaining(state: State, now: float) -> str:
    """Return what remains of a limit, and when there is more.

    For the limit that refused, that is the time of Retry-After, which must not be earlier.
    """
    if state.more is None or not state.spent:
        return _left(state)
    return f"{_left(state)};t={max(0, math.ceil(state.more - now))}"


def _left(state: State) -> str:
    return f"{_label(state.limit)};r={_quota(state.limit.kind, state.remaining)}"


def _quota(kind: Kind, number: int) -> int:
    if kind is Kind.USD_PER_DAY or kind is Kind.USD_PER_MONTH:
        number //= _MICRO
    return min(_MOST, number)
