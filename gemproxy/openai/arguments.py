"""The arguments of a call in a client's history, as the object that Gemini wants.

A client cannot mend its past, so no text is refused here. Arguments that are a JSON object stay
equal to it. Of others that much is kept as can be read: the first of several objects that were
glued together, the beginning of one that was cut, an object that was encoded twice. A value that is
no object goes under the name ``value``.
"""

import contextlib
import json
import math
from collections.abc import Iterator

from gemproxy.core.seam.jsontext import NotJSON, TextReader, finished
from gemproxy.openai.fields import Json

DEPTH_MAX = 64
"""Nested arrays and objects, at most: protobuf's JSON reader takes about 100 for the request."""

_OTHER = "value"
_TWICE = 3  # times that an object may be encoded


def arguments(given: object) -> Json:
    """Return the arguments of a call; ``given`` is what the client sent for them."""
    if isinstance(given, str):
        given = _read(given)
    if given is None:
        return {}
    found = given if isinstance(given, dict) else {_OTHER: given}
    return found if shallow(found) else {_OTHER: json.dumps(found, ensure_ascii=False)}


def shallow(value: object, most: int = DEPTH_MAX) -> bool:
    """Return whether at most ``most`` arrays and objects of a JSON value are nested."""
    level = [value]
    for _ in range(most + 1):
        level = [inner for outer in level for inner in inside(outer)]
        if not level:
            return True
    return False


def inside(value: object) -> Iterator[object]:
    """Yield the values in an array or an object."""
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _read(text: str) -> object:
    for _ in range(_TWICE):
        value = _decoded(text)
        if not isinstance(value, str):
            return value
        text = value
        if not text.lstrip().startswith("{"):
            break
    return text or None


def _decoded(text: str) -> object:
    try:
        return json.loads(text, parse_constant=str, parse_float=_number, parse_int=_integer)
    except RecursionError:
        return text
    except ValueError:
        return _begun(text)


def _begun(text: str) -> Json | None:
    """Return what was read of an object before its text ended or was no JSON any more."""
    reader = TextReader()
    with contextlib.suppress(NotJSON):
        finished(reader.read(text))
    return reader.value if isinstance(reader.value, dict) else None


def _number(text: str) -> float | str:
    """Return a number; one that no double holds as text, as protobuf writes Infinity."""
    value = float(text)
    return value if math.isfinite(value) else text


def _integer(text: str) -> int | str:
    return int(text) if math.isfinite(float(text)) else text
