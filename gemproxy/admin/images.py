"""The pictures that are kept: how many there are and since when, one of them, deleting.

Pictures have random names and nothing of what was asked for. One that an operator looks at goes
through the proxy, whichever storage has it.
"""

import asyncio
import datetime as dt
from typing import Annotated, Any

import attrs
import msgspec

from gemproxy.admin.audit import note
from gemproxy.admin.route import Call, Form, Nothing, Route, Text, says
from gemproxy.core.errors import Busy, Unrouted
from gemproxy.images.names import ENDINGS, type_in
from gemproxy.images.shelf import StoreDown
from gemproxy.images.store import PictureStore

LOOK_SECONDS = 10.0
"""Seconds that a storage has to list its pictures."""

_NO_STORAGE = (
    "This proxy keeps no pictures: set images.storage, such as to local or memory, and start it "
    "again."
)
_NO_PICTURE = "There is no picture of this name, or it has expired."


@attrs.frozen(eq=False)
class Gallery:
    """The pictures of a running proxy; ``storage`` is the kind of their place.

    ``room`` are the bytes that a storage in memory has for all of them.
    """

    store: PictureStore
    storage: str
    room: int | None = None


class ImagesQuery(Form, frozen=True):
    """How many of the newest pictures are wanted."""

    limit: Annotated[int, msgspec.Meta(ge=0, le=1000, description="Most pictures")] = 100


class KeptImage(Form, frozen=True):
    """A picture that is kept."""

    id: Annotated[str, says("Its name, which is all that is needed to see it")]
    mime: Annotated[str, says("Its media type")]
    bytes: Annotated[int, says("Its size")]
    since: Annotated[dt.datetime, says("Since when it is kept")]
    expires: Annotated[dt.datetime | None, says("When it is deleted; null: never")]


class ImagesState(Form, frozen=True):
    """Where pictures are kept, and how many there are."""

    storage: Annotated[str, says("memory, local, or the kind of an object store")]
    count: Annotated[int | None, says("How many there are; null if the storage cannot be read")]
    bytes: Annotated[int | None, says("Their size; null if the storage cannot be read")]
    room: Annotated[int | None, says("The bytes for all of them in memory; null elsewhere")]
    largest: Annotated[int, says("The bytes that one may have")]
    lasting_seconds: Annotated[float, says("Seconds that they are kept; 0: for ever")]
    ok: Annotated[bool, says("Whether pictures can be read and written")]
    problem: Annotated[str, says("Why the storage cannot be read or written, empty if it can")]
    kept: Annotated[int, says("Pictures that this worker has kept since its start")]
    newest: Annotated[list[KeptImage], says("The newest pictures")]


class ImageDeleted(Form, frozen=True):
    """A picture that is gone."""

    id: Annotated[str, says("Its name")]


class ImagesSwept(Form, frozen=True):
    """What a sweep deleted."""

    deleted: Annotated[int, says("Pictures that had expired")]


async def images(call: Call[ImagesQuery, Any]) -> ImagesState:
    """Return what is kept. Raises Unrouted without a storage."""
    gallery = gallery_of(call)
    store = gallery.store
    found: list[tuple[float, str, int]] | None = None
    problem = store.writing.why or store.reading.why
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            found = [(since, name, size) for name, since, size in await store.kept()]
    except StoreDown as error:
        problem = error.why
    except TimeoutError:
        problem = f"it takes more than {LOOK_SECONDS:g} seconds to list the pictures"
    newest = sorted(found or (), reverse=True)[: call.query.limit]
    return ImagesState(
        storage=gallery.storage,
        count=None if found is None else len(found),
        bytes=None if found is None else sum(size for _, _, size in found),
        room=gallery.room,
        largest=store.largest,
        lasting_seconds=store.lasting,
        ok=not problem,
        problem=problem,
        kept=store.tally.kept,
        newest=[_shown(store, *one) for one in newest],
    )


async def image(call: Call[Any, Any]) -> Text:
    """Return the bytes of a picture. Raises Unrouted, Busy."""
    try:
        found = await gallery_of(call).store.get(call.names["image"])
    except StoreDown as error:
        raise _failed(error) from None
    if found is None:
        raise Unrouted(_NO_PICTURE)
    return Text(found.mime, found.data)


async def delete(call: Call[Any, Nothing]) -> ImageDeleted:
    """Delete a picture. Raises Unrouted, Busy."""
    store, name = gallery_of(call).store, call.names["image"]
    try:
        found = await store.find(name)
        if found is None:
            raise Unrouted(_NO_PICTURE)
        await store.delete(name)
    except StoreDown as error:
        raise _failed(error) from None
    await note(call, "images.delete", name, {"bytes": found.size})
    return ImageDeleted(id=name)


async def sweep(call: Call[Any, Nothing]) -> ImagesSwept:
    """Delete the pictures that have expired. Raises Unrouted, Busy."""
    try:
        deleted = await gallery_of(call).store.swept()
    except StoreDown as error:
        raise _failed(error) from None
    await note(call, "images.sweep", "", {"deleted": deleted})
    return ImagesSwept(deleted=deleted)


def gallery_of(call: Call[Any, Any]) -> Gallery:
    """Return the pictures. Raises Unrouted without a storage."""
    if call.desk.images is None:
        raise Unrouted(_NO_STORAGE)
    return call.desk.images


def _shown(store: PictureStore, since: float, name: str, size: int) -> KeptImage:
    expires = dt.datetime.fromtimestamp(since + store.lasting, dt.UTC) if store.lasting else None
    return KeptImage(
        id=name,
        mime=type_in(name) or "",
        bytes=size,
        since=dt.datetime.fromtimestamp(since, dt.UTC),
        expires=expires,
    )


def _failed(error: StoreDown) -> Busy:
    return Busy(f"The storage of pictures fails: {error.why}.")


ROUTES = (
    Route(
        "GET",
        "/images",
        images,
        "Show where pictures are kept, how many there are, and the newest of them.",
        ImagesState,
        query=ImagesQuery,
        tag="images",
    ),
    Route(
        "GET",
        "/images/{image}",
        image,
        "Show a picture that is kept.",
        bytes,
        tag="images",
        media=tuple(ENDINGS),
    ),
    Route("DELETE", "/images/{image}", delete, "Delete a picture.", ImageDeleted, tag="images"),
    Route(
        "POST",
        "/images/sweep",
        sweep,
        "Delete the pictures that have expired, without waiting for the next sweep.",
        ImagesSwept,
        tag="images",
    ),
)
