"""Kept pictures that a request names: as many as fit into it, the first named first.

A picture that is gone, that does not fit, or that the store cannot give now, is left out: the
request goes up without it.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterable

from gemproxy.core.picture import TAKEN, Picture
from gemproxy.images.shelf import StoreDown
from gemproxy.images.store import PictureStore

MOST_BYTES = 40 << 20
"""The most bytes of pictures for one request, each counted as often as it is named."""

_SECONDS = 10.0


async def recall(
    store: PictureStore, names: Iterable[str], most: int = MOST_BYTES, seconds: float = _SECONDS
) -> dict[str, Picture]:
    """Return kept pictures by name: those that come within ``seconds``, of ``most`` bytes."""
    found: dict[str, Picture] = {}
    with contextlib.suppress(StoreDown, TimeoutError):
        async with asyncio.timeout(seconds):
            for name, times in Counter(names).items():
                picture = await store.get(name)
                if picture is None or picture.mime not in TAKEN:
                    continue
                most -= times * len(picture.data)
                if most < 0:
                    break
                found[name] = picture
    return found
