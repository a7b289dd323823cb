"""Tables as values of settings: from TOML, or from text as JSON; and names in them for people."""

import json
from collections.abc import Mapping
from typing import Any

from gemproxy.observe.logs import MASK, redact
from gemproxy.observe.names import NAME

"""What a name of a project or a user looks like."""


def table_of(value: object, what: str) -> Mapping[str, Any]:
    """Return a table from TOML or JSON; ``what`` it has to be. Raises ValueError."""
    if isinstance(value, str):
        value = json_of(value, what) if value.strip() else {}
    if not isinstance(value, Mapping):
        raise ValueError(f"is not {what}")  # noqa: TRY004 - reported like any other
    return value


def json_of(text: str, what: str) -> object:
    """Return the JSON document in a text; ``what`` it has to be. Raises ValueError."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"is not {what} in JSON") from None


def shown(name: str) -> str:
    """Return a name for people, masked if it could be a key that was written in its place."""
    return repr(name) if NAME.fullmatch(name) and redact(name) == name else MASK
