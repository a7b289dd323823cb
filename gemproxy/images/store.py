"""The store of pictures: bytes in, a link out, for a while.

The bytes decide the type, whatever anybody said about it. A picture that cannot be kept is not
lost: the caller has its bytes, sends them instead of a link, and says so.

A picture expires by its age in its place, so processes that share a place agree. It counts as
expired from that second on; a step in the background deletes it, in each process, as deleting
twice does no harm.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import attrs

from gemproxy.core.picture import Picture, type_of
from gemproxy.images.health import Health
from gemproxy.images.names import ENDINGS, new_name, type_in
from gemproxy.images.shelf import Entry, Found, Shelf, StoreDown

PATH = "/images/"
"""In front of the name of a picture that we serve ourselves."""

BRIEF = 3.0
"""Seconds for a place that failed the last time: a picture waits for its link no longer."""

_SHARES = 4
_SHORTEST_PAUSE = 1.0
_LONGEST_PAUSE = 900.0


class NotKept(ValueError):
    """These bytes are never kept; the message is a sentence for people."""


@attrs.frozen
class Kept:
    """A picture that is kept: its name, a link to it, and its MIME type."""

    name: str
    url: str
    mime: str


@attrs.define(eq=False)
class Tally:
    """How many pictures were kept."""

    kept: int = 0


@attrs.frozen(eq=False)
class PictureStore:
    """Keeps pictures of up to ``largest`` bytes for ``lasting`` seconds; 0: for ever.

    ``base`` is our own base URL in links to pictures that we serve; empty: the one of each request.
    """

    shelf: Shelf
    base: str = ""
    largest: int = 20 << 20
    lasting: float = 0.0
    now: Callable[[], float] = time.time
    writing: Health = attrs.field(init=False)
    reading: Health = attrs.field(init=False)
    tally: Tally = attrs.field(factory=Tally, init=False)

    @writing.default
    def _of_writing(self) -> Health:
        return Health("writing", self.now)

    @reading.default
    def _of_reading(self) -> Health:
        return Health("reading", self.now)

    async def put(self, data: bytes, base: str = "") -> Kept:
        """Keep a picture; ``base`` is our base URL as the client of this request knows it.

        Raises StoreDown if it cannot be kept now, and NotKept for what is too large or no picture.
        """
        mime = type_of(data[:12])
        if mime not in ENDINGS:
            raise NotKept("The bytes are no picture of a known type.")
        if len(data) > self.largest:
            raise NotKept(f"The picture has more than {self.largest} bytes.")
        name = new_name(mime)
        with _watched(self.writing):
            async with _briefly(self.writing):
                await self.shelf.put(name, data)
                url = await self._link(name, base)
        self.tally.kept += 1
        return Kept(name, url, mime)

    async def find(self, name: str) -> Found | None:
        """Return a picture that has not expired, None if there is none. Raises StoreDown."""
        if type_in(name) is None:
            return None
        with _watched(self.reading):
            found = await self.shelf.find(name)
        return None if found is None or self._expired(found.since) else found

    async def get(self, name: str) -> Picture | None:
        """Return the bytes of a picture, None if there is none. Raises StoreDown."""
        found, mime = await self.find(name), type_in(name)
        if found is None or mime is None or found.size > self.largest:
            return None
        with _watched(self.reading):
            return Picture(b"".join([piece async for piece in found.pieces]), mime)

    async def delete(self, name: str) -> None:
        """Forget a picture, which may be gone already. Raises StoreDown."""
        if type_in(name) is not None:
            with _watched(self.reading):
                await self.shelf.delete(name)

    async def sweep(self) -> None:
        """Delete the pictures that have expired, and what was left half written."""
        with contextlib.suppress(StoreDown):
            await self.swept()

    async def swept(self) -> int:
        """Sweep, and return how many pictures had expired. Raises StoreDown."""
        deleted = 0
        with _watched(self.reading):
            await self.shelf.tidy(self.now())
            async for name, *_ in self._expirable():
                await self.shelf.delete(name)
                deleted += 1
        return deleted

    async def kept(self) -> list[Entry]:
        """Return the pictures that have not expired, in no order. Raises StoreDown."""
        with _watched(self.reading):
            return [entry async for entry in self._all() if not self._expired(entry[1])]

    def pause(self) -> float:
        """Return the seconds between two sweeps."""
        share = self.lasting / _SHARES if self.lasting else _LONGEST_PAUSE
        return min(max(share, _SHORTEST_PAUSE), _LONGEST_PAUSE)

    def state(self) -> Mapping[str, Any]:
        """Return whether pictures can be kept, for the route of health."""
        since = self.writing.failing_since or self.reading.failing_since
        state: dict[str, Any] = {
            "status": "ok" if since is None else "failing",
            "failures": self.writing.failures + self.reading.failures,
        }
        if since is not None:
            state["failing_seconds"] = round(self.now() - since)
        return state

    async def _link(self, name: str, base: str) -> str:
        if self.shelf.serves:
            return await self.shelf.link(name)
        ours = self.base or base
        if not ours:
            raise StoreDown("the client's request says no host for a link")
        return f"{ours.rstrip('/')}{PATH}{name}"

    async def _expirable(self) -> AsyncIterator[Entry]:
        if not self.lasting:
            return
        async for entry in self._all():
            if self._expired(entry[1]):
                yield entry

    async def _all(self) -> AsyncIterator[Entry]:
        async for entry in self.shelf.names():
            if type_in(entry[0]) is not None:
                yield entry

    def _expired(self, since: float) -> bool:
        return bool(self.lasting) and self.now() - since >= self.lasting


@contextlib.asynccontextmanager
async def _briefly(health: Health) -> AsyncIterator[None]:
    """Allow little time inside where it does not go well now. Raises StoreDown."""
    try:
        async with asyncio.timeout(BRIEF if health.is_doubted() else None):
            yield
    except TimeoutError:
        raise StoreDown("it takes too long") from None


@contextlib.contextmanager
def _watched(health: Health) -> Iterator[None]:
    """Note in ``health`` how it goes inside."""
    try:
        yield
    except StoreDown as error:
        health.failed(error.why)
        raise
    health.worked()
