"""Pictures in an object store that speaks S3.

The requests are the plainest there are, because stores that imitate S3 refuse more: a put in one
request whose signature covers the hash of its body, without a checksum of its own, chunks or a
condition; a list; and a delete as DELETE of a presigned URL, in place of the POST for many objects.

All keys are under a prefix, and nothing else is ever listed or deleted, so the bucket may be in use
for other things. obstore would let variables such as AWS_ENDPOINT_URL_S3 and AWS_SESSION_TOKEN
change where requests go and how they are signed, although everything is given, so it is made where
they are absent.
"""

import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import ClassVar, Literal

import aiohttp
import attrs
import obstore
from obstore.store import S3Store
from yarl import URL

from gemproxy.images import objects
from gemproxy.images.names import type_in
from gemproxy.images.objects import in_thread, understood
from gemproxy.images.providers import Place, Wish, place_of
from gemproxy.images.shelf import Entry, Found, StoreDown

PREFIX = "gemproxy/"
"""In front of the names of all pictures."""

RETRIES = 2
"""Times that a request is made again after a broken connection or a status of 500 or more."""

_SECONDS = 30.0
_SIGNED_SECONDS = 300
_FOREIGN = "AWS_"
_GONE = (200, 202, 204, 404)
_BYTES = "application/octet-stream"
_YEAR = 31_536_000


@attrs.frozen(eq=False)
class Bucket:
    """A shelf in an object store.

    ``domain`` is the base of links, empty for links that are signed for ``signed`` seconds. Caches
    may keep a picture for ``cached`` seconds.
    """

    serves: ClassVar[bool] = True

    _store: S3Store
    _session: aiohttp.ClientSession
    domain: str
    signed: int
    cached: int

    async def put(self, name: str, data: bytes) -> None:
        """Keep a picture, whole or not at all."""
        attributes = {
            "Content-Type": type_in(name) or _BYTES,
            "Cache-Control": f"public, max-age={self.cached}, immutable",
        }
        async with understood(_SECONDS):
            await objects.put(self._store, f"{PREFIX}{name}", data, attributes)

    async def find(self, name: str) -> Found | None:
        """Return the picture of this name, None if there is none."""
        async with understood(_SECONDS):
            return await objects.find(self._store, f"{PREFIX}{name}", _SECONDS)

    async def link(self, name: str) -> str:
        """Return a URL of a picture that works for everybody."""
        if self.domain:
            return f"{self.domain}/{PREFIX}{name}"
        return await self._sign("GET", name, self.signed)

    async def delete(self, name: str) -> None:
        """Forget a picture, which may be gone already."""
        url = URL(await self._sign("DELETE", name, _SIGNED_SECONDS), encoded=True)
        async with understood(_SECONDS), self._session.delete(url, allow_redirects=False) as answer:
            if answer.status not in _GONE:
                raise StoreDown(f"it answers a delete with status {answer.status}")

    async def names(self) -> AsyncIterator[Entry]:
        """Yield the name of each object under the prefix, the Unix time of its making, its size."""
        async for key, since, size in objects.keys(self._store, PREFIX, _SECONDS):
            yield key.removeprefix(PREFIX), since, size

    async def tidy(self, now: float) -> None:
        """Do nothing: an object is whole or absent."""

    async def _sign(self, method: Literal["GET", "DELETE"], name: str, seconds: int) -> str:
        async with understood(_SECONDS):
            lasting = timedelta(seconds=seconds)
            return await in_thread(obstore.sign, self._store, method, f"{PREFIX}{name}", lasting)


@contextlib.asynccontextmanager
async def open_bucket(
    wish: Wish, domain: str, signed: int, lasting: float, *, patience: float = _SECONDS
) -> AsyncIterator[Bucket]:
    """Yield the shelf in the bucket of ``wish``, of which nothing is missing; asks for nothing.

    ``domain`` and ``signed`` are about links; pictures last for ``lasting`` seconds, 0: for ever.
    The store has ``patience`` seconds for an answer, retries included.
    """
    place = place_of(wish)
    limits = aiohttp.ClientTimeout(total=patience)
    # Like obstore, the session takes the outbound proxy of the environment.
    async with aiohttp.ClientSession(timeout=limits, trust_env=True) as session:
        cached = int(lasting) or _YEAR
        yield Bucket(_store(wish, place, patience), session, domain.rstrip("/"), signed, cached)


def _store(wish: Wish, place: Place, patience: float) -> S3Store:
    with _without_variables():
        return S3Store(
            place.bucket,
            config={
                "region": place.region,
                "endpoint": place.endpoint,
                "virtual_hosted_style_request": place.virtual,
                "access_key_id": wish.access_key,
                "secret_access_key": wish.secret_key,
            },
            client_options={
                "allow_http": place.endpoint.startswith("http://"),
                "connect_timeout": timedelta(seconds=min(5.0, patience)),
                "timeout": timedelta(seconds=patience),
            },
            retry_config={"max_retries": RETRIES, "retry_timeout": timedelta(seconds=patience / 2)},
        )


@contextlib.contextmanager
def _without_variables() -> Iterator[None]:
    """Hide the variables of other programs while entered."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(_FOREIGN)}
    try:
        yield
    finally:
        os.environ.update(hidden)
