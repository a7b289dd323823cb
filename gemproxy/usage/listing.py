"""What the ledger has, for people and for programs.

Money is whole nano-dollars for programs, and dollars for people. A price that is not known is null,
or the word "unknown": never 0.
"""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from gemproxy.accounts.calendar import Calendar
from gemproxy.accounts.user import NANO
from gemproxy.ledger.queries import By, Group
from gemproxy.ledger.row import Row
from gemproxy.ledger.sums import SUMMED, Sums

_MS = 1000
_CENTS = Decimal("0.01")
_SUMS = ("running", *SUMMED)
_PERCENTILES = {"first_byte_p50_ms": 0.5, "first_byte_p95_ms": 0.95}
_MONEY = ("cost_nano_usd", "operator_cost_nano_usd")
_COLUMNS = (
    "requests",
    "failed",
    "retries",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "thought_tokens",
    "extra_input_tokens",
    "extra_output_tokens",
)
_HEAD = (
    "requests",
    "failed",
    "retries",
    "input",
    "cached",
    "output",
    "thoughts",
    "extra in",
    "extra out",
    "cost",
    "operator's cost",
)
_HEAD_OF_REQUESTS = (
    "started",
    "id",
    "user",
    "model",
    "ending",
    "attempts",
    "input",
    "cached",
    "output",
    "thoughts",
    "cost",
    "first byte",
    "time",
)


def document_of_sums(sums: Sums) -> dict[str, Any]:
    """Return sums for programs; money is null if no request had a price.

    Percentiles are null if no request had a first byte, or if they are not kept.
    """
    document = {name: getattr(sums, name) for name in _SUMS}
    document |= {name: sums.first_byte(share) for name, share in _PERCENTILES.items()}
    return document | dict.fromkeys(_MONEY) if sums.is_unpriced else document


def document_of_group(by: Sequence[By], group: Group) -> dict[str, Any]:
    """Return a group for programs; its keys have the names of the groupings.

    The key of a single grouping stands in ``key``, too.
    """
    keys = {one.value: key for one, key in zip(by, group.keys, strict=True)}
    single = {"key": group.keys[0]} if len(by) == 1 else {}
    return {**single, **keys, **document_of_sums(group.sums)}


def document_of_request(row: Row) -> dict[str, Any]:
    """Return a request for programs; a request that runs has the ending null."""
    return {
        "id": row.request_id,
        "started": _utc(row.started),
        "user": row.user,
        "project": row.project,
        "key": row.key,
        "model": row.model,
        "route": row.route,
        "dialect": row.dialect,
        "ending": None if row.ending is None else row.ending.value,
        "attempts": row.attempts,
        "repairs": row.repairs,
        "input_tokens": row.input_tokens,
        "cached_tokens": row.cached_tokens,
        "output_tokens": row.output_tokens,
        "thought_tokens": row.thought_tokens,
        "extra_input_tokens": row.extra_input_tokens,
        "extra_output_tokens": row.extra_output_tokens,
        "cost_nano_usd": row.cost_nano_usd,
        "operator_cost_nano_usd": row.operator_cost_nano_usd,
        "first_byte_ms": row.first_byte_ms,
        "duration_ms": row.duration_ms,
        "injected": row.injected,
    }


def table_of_groups(by: Sequence[By], groups: Sequence[Group]) -> list[Sequence[str]]:
    """Return the rows of a table of groups, with its head."""
    rows = [(*(_shown(key) or "-" for key in one.keys), *_figures(one.sums)) for one in groups]
    return [(*(one.value for one in by), *_HEAD), *rows]


def table_of_total(sums: Sums) -> list[Sequence[str]]:
    """Return the rows of a table with a figure in each."""
    return [*zip(_HEAD, _figures(sums), strict=True), ("running", f"{sums.running}")]


def table_of_requests(rows: Sequence[Row], calendar: Calendar) -> list[Sequence[str]]:
    """Return the rows of a table of requests, with its head; times are of the calendar's zone."""
    return [_HEAD_OF_REQUESTS, *(_request(row, calendar) for row in rows)]


def dollars(nano: int) -> str:
    """Return money in dollars: exact, with two decimals or more."""
    amount = Decimal(nano) / NANO
    exact = amount.normalize()
    return f"${amount.quantize(_CENTS) if exact == amount.quantize(_CENTS) else exact:f}"


def _request(row: Row, calendar: Calendar) -> tuple[str, ...]:
    running = row.ending is None
    return (
        calendar.clock(row.started / _MS),
        _shown(row.request_id),
        _shown(row.user) or "-",
        _shown(row.model) or "-",
        "running" if row.ending is None else row.ending.value,
        f"{row.attempts}",
        f"{row.input_tokens}",
        f"{row.cached_tokens}",
        f"{row.output_tokens}",
        f"{row.thought_tokens}",
        "-" if running else "unknown" if row.cost_nano_usd is None else dollars(row.cost_nano_usd),
        _time(row.first_byte_ms),
        _time(row.duration_ms),
    )


def _figures(sums: Sums) -> tuple[str, ...]:
    money = (_money(getattr(sums, name), sums) for name in _MONEY)
    return (*(f"{getattr(sums, name)}" for name in _COLUMNS), *money)


def _money(nano: int, sums: Sums) -> str:
    if sums.requests == sums.running:
        return "-"
    if sums.is_unpriced:
        return "unknown"
    return f"{dollars(nano)} and {sums.unpriced} unknown" if sums.unpriced else dollars(nano)


def _time(milliseconds: int | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds / _MS:.3f} s"


def _utc(milliseconds: int) -> str:
    moment = dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shown(text: str) -> str:
    """Return a text of a client's without characters that could steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
