"""Where a ``$ref`` leads within a schema.

References are JSON pointers in a fragment (RFC 6901 section 6: ``~1``, ``~0`` and percent signs are
escapes), the names of anchors, or the ``$id`` of a part of the same schema. Writers forget the
escapes, and some write the bare name of a definition; these are found, too. Nothing is ever
fetched.
"""

from typing import Any
from urllib.parse import unquote

import attrs

Path = tuple[str, ...]

_PLACES = ("definitions", "$defs")
_ANCHORS = ("$anchor", "$dynamicAnchor")
_IDS = ("$id", "id")  # the second in draft 4


@attrs.define
class References:
    """The references of one schema; each is looked for once."""

    root: Any = attrs.field(repr=False)
    _known: dict[str, Path | None] = attrs.field(factory=dict, init=False)
    _names: dict[str, Path] | None = attrs.field(default=None, init=False)

    def path(self, ref: object) -> Path | None:
        """Return the keys from the root to the schema that a reference names, None for none."""
        if not isinstance(ref, str):
            return None
        if ref not in self._known:
            self._known[ref] = self._found(ref)
        return self._known[ref]

    def at(self, path: Path) -> Any:  # noqa: ANN401 - a part of a schema
        """Return what is at the end of the keys, None if they lead nowhere."""
        place = self.root
        for key in path:
            if isinstance(place, dict):
                place = place.get(key)
            elif isinstance(place, list) and key.isdecimal() and int(key) < len(place):
                place = place[int(key)]
            else:
                return None
        return place

    def _found(self, ref: str) -> Path | None:
        base, hash_, fragment = ref.partition("#")
        if base and base not in _ids(self.root):
            return self._by_name(ref)
        if not fragment:
            return () if hash_ or base else None
        for text in (unquote(fragment), fragment):
            path = _pointed(text) if text.startswith("/") else self._by_name(text)
            if path is not None and isinstance(self.at(path), dict | bool):
                return path
        return None

    def _by_name(self, name: str) -> Path | None:
        if self._names is None:
            self._names = _names(self.root)
        return self._names.get(name)


def _pointed(pointer: str) -> Path:
    return tuple(key.replace("~1", "/").replace("~0", "~") for key in pointer.split("/")[1:])


def _ids(schema: Any) -> list[str]:  # noqa: ANN401 - a schema
    own = [schema.get(key) for key in _IDS] if isinstance(schema, dict) else []
    return [name.removesuffix("#") for name in own if isinstance(name, str)]


def _names(root: Any) -> dict[str, Path]:  # noqa: ANN401 - a schema
    """Return the anchors, the ids and the root's definitions by their names."""
    names: dict[str, Path] = {}
    todo: list[tuple[Any, Path]] = [(root, ())]
    while todo:
        schema, path = todo.pop()
        if isinstance(schema, dict):
            anchors = [schema[key] for key in _ANCHORS if isinstance(schema.get(key), str)]
            for name in [*anchors, *(one.removeprefix("#") for one in _ids(schema))]:
                names[name] = path
            todo += [(inner, (*path, key)) for key, inner in schema.items()]
        elif isinstance(schema, list):
            todo += [(inner, (*path, str(number))) for number, inner in enumerate(schema)]
    for place in _PLACES if isinstance(root, dict) else ():
        some = root.get(place)
        names |= {name: (place, name) for name in some} if isinstance(some, dict) else {}
    return names
