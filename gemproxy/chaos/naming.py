"""The names in a request that belong to a project: in its path, and anywhere in its body.

A name is a collection and an id, ``files/abc``. In a body it stands in one of a few fields, in
either spelling, alone or at the end of a URI. A continuationToken counts as a name of its own kind.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from gemproxy.chaos.wire import Request

OWNED = ("files", "cachedContents", "batches", "interactions", "fileSearchStores")
_NAME = re.compile(rf"(?:^|/)((?:{'|'.join(OWNED)})/[^/:?]+)")
_FIELDS = frozenset({"fileuri", "uri", "cachedcontent", "filename", "filesearchstorenames"})
_INTERACTION = "previousinteractionid"
_TOKEN = "continuationtoken"  # noqa: S105 - the name of a field


def names_in(request: Request) -> list[str]:
    """Return the names of resources in a request, in order: those in the path first."""
    in_path = _NAME.findall(unquote(request.path))
    return [
        *in_path,
        *(name for field, value in _fields(request.document) for name in _of(field, value)),
    ]


def tokens_in(request: Request) -> list[str]:
    """Return the continuationTokens in a request."""
    return [value for field, value in _fields(request.document) if field == _TOKEN]


def _of(field: str, value: str) -> list[str]:
    if field == _INTERACTION:
        return [f"interactions/{value}"]
    return _NAME.findall(value) if field in _FIELDS else []


def _fields(value: Any, field: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 - JSON is any
    """Yield every string in a JSON value with its field, in one spelling."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _fields(inner, key.replace("_", "").lower())
    elif isinstance(value, list):
        for inner in value:
            yield from _fields(inner, field)
    elif isinstance(value, str):
        yield field, value
