"""The files of the pages: style, scripts and pictures, each under an address that never changes.

The address in a page's link ends with a hash of the file's bytes, so a browser keeps the file for
good, and a changed one has another address. The files are open to all: none has anything of the
proxy in it.
"""

import functools
import hashlib
from collections.abc import Mapping
from importlib import resources

import attrs

FOLDER = "static"

_MEDIA = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@attrs.frozen
class File:
    """A file: its bytes, its media type, and a mark that changes with its bytes."""

    body: bytes = attrs.field(repr=False)
    media: str
    mark: str


@functools.cache
def files() -> Mapping[str, File]:
    """Return the files by name."""
    folder = resources.files(__package__).joinpath(FOLDER)
    return {one.name: _file(one.name, one.read_bytes()) for one in folder.iterdir()}


def address(name: str) -> str:
    """Return the path of a file below the pages' root."""
    return f"/{FOLDER}/{name}?{files()[name].mark}"


def _file(name: str, body: bytes) -> File:
    media = _MEDIA[name.rpartition(".")[2]]
    return File(body, media, hashlib.sha256(body).hexdigest()[:12])
