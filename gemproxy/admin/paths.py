"""Which request targets mean the admin API, however they are written.

The API answers at one spelling of each path. A target that somebody could have meant for it is kept
from every other route, too, because all but the routes' own paths go to Google: a doubled slash, a
piece that is percent-encoded once or several times, capitals, ``..``, a prefix of a reverse proxy.

A piece of the path that reads ``admin`` decides. It is the name of a resource only directly behind
one of Google's collections: ``files/admin``.
"""

import re
from urllib.parse import unquote

from gemproxy.exchange.names import COLLECTIONS

ADMIN = "admin"
"""The family of the routes of the admin API, as the access log has it."""

BASE = "/admin/api/v1"

_MOST_ROUNDS = 8
_SEPARATORS = re.compile(r"[/\\]+")
_IS_ADMIN = re.compile(r"[\W_]*admin(?![\w-]).*", re.DOTALL)
_HOLDS_NAMES = frozenset(
    name.lower()
    for name in (
        *COLLECTIONS,
        *("models", "dynamic", "endpoints", "publishers", "projects", "locations"),
        *("documents", "chunks", "permissions", "engines", "assistants", "threads"),
    )
)


def is_admins(raw_path: str) -> bool:
    """Return whether the path of a request means the admin API, in any spelling."""
    path = raw_path.lower()
    if "%" in path:
        for _ in range(_MOST_ROUNDS):
            decoded = unquote(path).lower()
            if decoded == path:
                break
            path = decoded
    if ADMIN not in path:
        return False
    pieces = [piece for piece in _SEPARATORS.split(path) if piece not in {"", "."}]
    return any(
        _IS_ADMIN.fullmatch(piece) and not (at and pieces[at - 1] in _HOLDS_NAMES)
        for at, piece in enumerate(pieces)
    )
