"""Where a ``$ref`` leads within a schema.

References are JSON pointers in a fragment (RFC 6901 section 6: ``~1``, ``~0`` and percent signs are
escapes), the names of anchors, or the ``$id`` of a part of the same schema. Writers forget the
escapes, and some write the bare name of a definition; these are found, too. Nothing is ever
fetched.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

Path = tuple[str, ...]

_PLACES = ("$defs", "definitions")
_ANCHORS = ("$anchor", "$dynamicAnchor")
_IDS = ("$id", "id")  # the second in draft 4


def path_of(root: Any, ref: object) -> Path | None:  # noqa: ANN401 - a schema
    """Return the keys from the root to the schema that a reference names, None if there is none."""
    if not isinstance(ref, str):
        return None
    base, hash_, fragment = ref.partition("#")
    if base and base.rstrip("#") not in _bases(root):
        return next(_named(root, ref), None)
    if not fragment:
        return () if hash_ or base else None
    for text in (unquote(fragment), fragment):
        path = _pointed(text) if text.startswith("/") else next(_named(root, text), None)
        if path is not None and isinstance(at(root, path), dict | bool):
            return path
    return None


def at(root: Any, path: Path) -> Any:  # noqa: ANN401 - a part of a schema
    """Return what is at the end of the keys, None if they lead nowhere."""
    place = root
    for key in path:
        if isinstance(place, dict):
            place = place.get(key)
        elif isinstance(place, list) and key.isdecimal() and int(key) < len(place):
            place = place[int(key)]
        else:
            return None
    return place


def _pointed(pointer: str) -> Path:
    return tuple(key.replace("~1", "/").replace("~0", "~") for key in pointer.split("/")[1:])


def _bases(root: Any) -> set[str]:  # noqa: ANN401 - a schema
    own = [root.get(key) for key in _IDS] if isinstance(root, dict) else []
    return {name.rstrip("#") for name in own if isinstance(name, str)}


def _named(root: Any, name: str) -> Iterator[Path]:  # noqa: ANN401 - a schema
    """Yield the schemas that have this name as an anchor or id, or as a definition of the root."""
    for place in _PLACES:
        if isinstance(at(root, (place, name)), dict | bool):
            yield (place, name)
    todo: list[tuple[Any, Path]] = [(root, ())]
    while todo:
        schema, path = todo.pop()
        if isinstance(schema, dict):
            anchored = any(schema.get(key) == name for key in _ANCHORS)
            if anchored or any(schema.get(key) in {name, f"#{name}"} for key in _IDS):
                yield path
            todo += [(inner, (*path, key)) for key, inner in schema.items()]
        elif isinstance(schema, list):
            todo += [(inner, (*path, str(number))) for number, inner in enumerate(schema)]
