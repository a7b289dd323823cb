"""A row of the tables: one setting of another proxy, and what it is here."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs

Change = Callable[[str], str]
"""The value of the other proxy in, ours out. Raises ValueError, with the end of a sentence."""


def as_it_is(value: str) -> str:
    """Return the value."""
    return value


@attrs.frozen
class Row:
    """A variable of another proxy, called ``name`` there.

    ``ours`` is the variable here, empty where there is none; ``change`` makes its value. ``why``
    and ``zh`` say what differs, or why there is none. ``is_secret``: the value is shown to nobody.
    """

    name: str
    ours: str = ""
    change: Change = as_it_is
    why: str = ""
    zh: str = ""
    is_secret: bool = False


@attrs.frozen
class Tool:
    """Another proxy: its name on the command line, what people call it, and its rows."""

    name: str
    title: str
    rows: tuple[Row, ...]

    @property
    def by_name(self) -> Mapping[str, Row]:
        """The rows by the name of their variable."""
        return {row.name: row for row in self.rows}


def first(value: str) -> str:
    """Return the first of a list in JSON, or of one with commas."""
    found = listed(value)
    if not found:
        raise ValueError("is empty")
    return found[0]


def listed(value: str) -> list[str]:
    """Return the items of a list in JSON, or of one with commas."""
    if value.lstrip().startswith("["):
        items = _json(value)
        if not isinstance(items, list):
            raise ValueError("is no list")
        return [str(item).strip() for item in items if str(item).strip()]
    return [item.strip() for item in value.split(",") if item.strip()]


def base_url(value: str) -> str:
    """Return a base URL without the version of the API, which clients send here."""
    url = first(value).rstrip("/")
    head, _, last = url.rpartition("/")
    return head if last.startswith("v1") else url


def named(value: str) -> str:
    """Return access keys by name, for a list without names."""
    return json.dumps({f"key-{number}": key for number, key in enumerate(listed(value), 1)})


def limits(value: str) -> str:
    """Return limits by model, where a list has the requests of a minute and of a day."""
    table = _json(value)
    try:
        return json.dumps(
            {model: {"rpm": int(minute), "rpd": int(day)} for model, (minute, day) in table.items()}
        )
    except (AttributeError, TypeError, ValueError):
        raise ValueError("is no table of models with two numbers each") from None


def budgets(value: str) -> str:
    """Return thinking by model, where a table has their budgets."""
    table = _json(value)
    if not isinstance(table, dict):
        raise ValueError("is no table")  # noqa: TRY004 (of the value's text)
    return json.dumps({model: {"budget": budget} for model, budget in table.items()})


def _json(value: str) -> Any:  # noqa: ANN401 (JSON)
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("is not JSON") from None
