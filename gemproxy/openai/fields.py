"""Reads values of an OpenAI request; a wrong one is an error that names its field.

``at`` is the path of a value as OpenAI writes it in ``param``: ``messages[2].content``.
"""

from typing import Any

from gemproxy.core.errors import BadField

Json = dict[str, Any]


def an_object(value: object, at: str) -> Json:
    """Return a JSON object; raise BadField for anything else."""
    if not isinstance(value, dict):
        raise BadField(at, "must be an object")
    return value


def a_list(value: object, at: str) -> list[Any]:
    """Return a JSON array; raise BadField for anything else."""
    if not isinstance(value, list):
        raise BadField(at, "must be an array")
    return value


def a_text(value: object, at: str) -> str:
    """Return a string; raise BadField for anything else."""
    if not isinstance(value, str):
        raise BadField(at, "must be a string")
    return value


def a_switch(value: object, at: str) -> bool:
    """Return a boolean; raise BadField for anything else."""
    if not isinstance(value, bool):
        raise BadField(at, "must be true or false")
    return value


def an_integer(value: object, at: str, least: int, most: int | None = None) -> int:
    """Return an integer within bounds; raise BadField for anything else."""
    bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadField(at, f"must be an integer {bounds}")
    if value < least or (most is not None and value > most):
        raise BadField(at, f"must be an integer {bounds}")
    return value
