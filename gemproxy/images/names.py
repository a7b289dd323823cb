"""The names of kept pictures: 128 random bits in hex, and the type as the ending.

The name is all that is needed to see a picture, so it cannot be guessed. It has only lower-case hex
digits, because some file systems do not tell capitals apart, and it carries the type, because a
folder keeps no Content-Type. SVG has no ending here: it is a document that can run scripts.
"""

import re
import secrets

ENDINGS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/heic": "heic",
    "image/heif": "heif",
}
"""MIME type -> ending of a name."""

PATTERN = rf"[0-9a-f]{{32}}\.(?:{'|'.join(ENDINGS.values())})"
"""A regular expression for exactly one name."""

_TYPES = {ending: mime for mime, ending in ENDINGS.items()}
_NAME = re.compile(PATTERN)
_RANDOM_BYTES = 16


def new_name(mime: str) -> str:
    """Return a name that no other picture has; ``mime`` is one of ENDINGS."""
    return f"{secrets.token_hex(_RANDOM_BYTES)}.{ENDINGS[mime]}"


def type_in(name: str) -> str | None:
    """Return the MIME type in a name, or None if it is no name of a picture."""
    return _TYPES[name.rpartition(".")[2]] if _NAME.fullmatch(name) else None
