"""What a place for pictures can do, and how it fails."""

from collections.abc import AsyncIterator
from typing import ClassVar, Protocol

import attrs


class StoreDown(Exception):
    """The place cannot be used now; ``why`` is a phrase for the log, without paths and contents."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


Entry = tuple[str, float, int]
"""What a place lists: a name, since when it is there (Unix time), and its size in bytes."""


@attrs.frozen
class Found:
    """A picture in its place: its size in bytes, since when it is there (Unix time), its bytes.

    ``pieces`` can be iterated once.
    """

    size: int
    since: float
    pieces: AsyncIterator[bytes] = attrs.field(repr=False)


class Shelf(Protocol):
    """A place for pictures by name. Its methods raise StoreDown.

    ``serves``: whether clients get pictures from the place itself; else from us.
    """

    serves: ClassVar[bool]

    async def put(self, name: str, data: bytes) -> None:
        """Keep a picture, whole or not at all."""

    async def find(self, name: str) -> Found | None:
        """Return the picture of this name, None if there is none."""

    async def link(self, name: str) -> str:
        """Return a URL of a picture at a place that serves clients; else an empty text."""

    async def delete(self, name: str) -> None:
        """Forget a picture, which may be gone already."""

    def names(self) -> AsyncIterator[Entry]:
        """Yield each name with the Unix time since when it is there, and the size."""

    async def tidy(self, now: float) -> None:
        """Remove what a dead process left half written."""
