"""Names of models as settings write them: a whole name, or a pattern with ``*``.

Case does not matter, and neither does the collection in front (``models/``).
"""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TypeVar

Value = TypeVar("Value")


def plain(model: str) -> str:
    """Return a model's name without its collection, in lower case."""
    return model.rpartition("/")[2].lower()


def matches(model: str, patterns: Iterable[str]) -> bool:
    """Return whether one of the patterns means the model."""
    name = plain(model)
    return any(fnmatchcase(name, plain(pattern)) for pattern in patterns)


def meant(model: str, table: Mapping[str, Value]) -> Value | None:
    """Return what the table has for the model: the entry of its name, else of the longest pattern.

    None if no entry means it.
    """
    fitting = [pattern for pattern in table if matches(model, (pattern,))]
    return table[max(fitting, key=_precision)] if fitting else None


def _precision(pattern: str) -> tuple[bool, int]:
    return "*" not in pattern, len(pattern)
