"""The composition of the store of pictures: settings in, the store of the application out."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from gemproxy.config.settings import Settings
from gemproxy.images.bucket import open_bucket
from gemproxy.images.folder import Folder
from gemproxy.images.memory import Memory
from gemproxy.images.providers import LOCAL, MEMORY, Wish
from gemproxy.images.room import Room
from gemproxy.images.shelf import Shelf
from gemproxy.images.store import PictureStore
from gemproxy.observe.background import repeat
from gemproxy.routes.parts import PICTURE_STORE, ROOM
from gemproxy.store.unusable import Unusable


def prepare_pictures(settings: Settings) -> None:
    """Make the directory of pictures, if there is to be one. Blocks; raises Unusable."""
    if settings.images.storage == LOCAL:
        _folder(settings.images.directory)


@contextlib.asynccontextmanager
async def open_pictures(settings: Settings, app: web.Application) -> AsyncIterator[None]:
    """Keep the store of pictures of ``app`` while entered, if there is one. Raises Unusable.

    There is room for pictures on their way in any case.
    """
    images = settings.images
    app[ROOM] = Room(images.max_memory_bytes - kept_in_memory(settings))
    if not images.storage:
        yield
        return
    async with _shelf(settings) as shelf:
        base = images.public_url or settings.server.public_url
        pictures = PictureStore(shelf, base, images.max_bytes, images.expire_seconds)
        app[PICTURE_STORE] = pictures
        sweeping = asyncio.create_task(repeat(pictures.sweep, pictures.pause))
        try:
            yield
        finally:
            sweeping.cancel()
            await asyncio.gather(sweeping, return_exceptions=True)


def kept_in_memory(settings: Settings) -> int:
    """Return the bytes for pictures that are kept in memory: half of what is for pictures."""
    images = settings.images
    return images.max_memory_bytes // 2 if images.storage == MEMORY else 0


@contextlib.asynccontextmanager
async def _shelf(settings: Settings) -> AsyncIterator[Shelf]:
    images = settings.images
    match images.storage:
        case "memory":
            yield Memory(kept_in_memory(settings))
        case "local":
            yield _folder(images.directory)
        case _:
            wish = Wish(
                images.storage,
                endpoint=images.endpoint,
                region=images.region,
                bucket=images.bucket,
                access_key=images.access_key,
                secret_key=images.secret_key,
                addressing=images.addressing,
            )
            links = (images.bucket_domain, images.presign_seconds)
            async with open_bucket(wish, *links, images.expire_seconds) as bucket:
                yield bucket


def _folder(directory: str) -> Folder:
    try:
        return Folder.open(Path(directory))
    except OSError as error:
        why = f"{directory!r} cannot be used: {error.strerror}"
        raise Unusable("images.directory", why) from None
