"""Pictures in the memory of this process: gone with it, and the oldest first when room runs out."""

from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import ClassVar

import attrs
from obstore.store import MemoryStore

from gemproxy.images import objects
from gemproxy.images.objects import understood
from gemproxy.images.shelf import Entry, Found, StoreDown

_SECONDS = 10.0


@attrs.define(eq=False)
class Memory:
    """A shelf in memory with room for ``most`` bytes."""

    serves: ClassVar[bool] = False

    most: int
    _store: MemoryStore = attrs.field(factory=MemoryStore)
    _sizes: OrderedDict[str, int] = attrs.field(factory=OrderedDict)
    _used: int = 0

    @property
    def kept(self) -> tuple[int, int]:
        """How many pictures there are, and their bytes."""
        return len(self._sizes), self._used

    async def put(self, name: str, data: bytes) -> None:
        """Keep a picture; older ones make room."""
        if len(data) > self.most:
            raise StoreDown("the picture is larger than the memory for all")
        async with understood(_SECONDS):
            await objects.put(self._store, name, data)
        self._sizes[name] = len(data)
        self._used += len(data)
        while self._used > self.most:
            await self.delete(next(iter(self._sizes)))

    async def find(self, name: str) -> Found | None:
        """Return the picture of this name, None if there is none."""
        async with understood(_SECONDS):
            return await objects.find(self._store, name, _SECONDS)

    async def link(self, name: str) -> str:
        """Return no link: we serve these pictures."""
        del name
        return ""

    async def delete(self, name: str) -> None:
        """Forget a picture, which may be gone already."""
        self._used -= self._sizes.pop(name, 0)
        async with understood(_SECONDS):
            await objects.delete(self._store, name)

    async def names(self) -> AsyncIterator[Entry]:
        """Yield each name with the Unix time since when it is there, and its size."""
        async for entry in objects.keys(self._store, "", _SECONDS):
            yield entry

    async def tidy(self, now: float) -> None:
        """Do nothing: nothing here is half written."""
