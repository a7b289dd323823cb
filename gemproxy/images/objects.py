"""obstore: objects in, objects out, and one exception for all its failures.

obstore 0.12 tells a missing object by the built-in FileNotFoundError. The text of any other error
has paths, hosts and Rust structures over many lines, so it is never passed on: a phrase stands for
it, by the number of the system's error or by the class.

Its blocking functions are called in threads of our own. A process that used its coroutines now and
then aborts at its end: a thread of Rust's lets go of Python objects when the interpreter is gone.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

import obstore
from obstore.exceptions import PermissionDeniedError, UnauthenticatedError
from obstore.store import ObjectStore

from gemproxy.images.shelf import Entry, Found, StoreDown

P = ParamSpec("P")
T = TypeVar("T")

PIECE = 256 << 10
"""Bytes of a piece of a picture that is read."""

_SYSTEM = {
    "2": "the folder is missing",
    "13": "the folder may not be written",
    "20": "the folder is missing",
    "27": "the file may not be so large",
    "28": "the disk is full",
    "30": "the disk can only be read",
    "122": "the quota of the disk is used up",
}
"""Number of an error in Linux -> phrase."""
_NUMBER = re.compile(r"\(os error (\d+)\)")
_STATUS = re.compile(r"status code: (\d{3})|with status (\d{3})", re.IGNORECASE)


_THREADS = 16
_hands = ThreadPoolExecutor(_THREADS, thread_name_prefix="gemproxy-pictures")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a function of obstore's returns, without blocking the loop."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_hands, partial(function, *args, **kwargs))


@contextlib.asynccontextmanager
async def understood(seconds: float) -> AsyncIterator[None]:
    """Turn every failure inside into StoreDown, a lack of progress for ``seconds`` included."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except StoreDown:
        raise
    except Exception as error:  # noqa: BLE001 (a panic of Rust is one without a class of its own)
        raise StoreDown(_phrase(error)) from None


def _phrase(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it takes too long"
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return "the keys are refused"
    if isinstance(error, FileNotFoundError):
        return "the bucket or the folder is missing"
    text = str(error)
    number, status = _NUMBER.search(text), _STATUS.search(text)
    if number and number[1] in _SYSTEM:
        return _SYSTEM[number[1]]
    if status:
        return f"it answers with status {status[1] or status[2]}"
    return f"it fails with {type(error).__name__}"


async def put(
    store: ObjectStore, key: str, data: bytes, attributes: Mapping[str, str] | None = None
) -> None:
    """Keep an object in one request, which leaves the object whole or absent."""
    more: dict[str, Any] = {"attributes": dict(attributes)} if attributes else {}
    await in_thread(obstore.put, store, key, data, use_multipart=False, **more)


async def find(store: ObjectStore, key: str, seconds: float) -> Found | None:
    """Return an object, None if there is none; each of its pieces may take ``seconds``."""
    try:
        result = await in_thread(obstore.get, store, key)
    except FileNotFoundError:
        return None
    meta = result.meta

    async def pieces() -> AsyncIterator[bytes]:
        stream = iter(result.stream(min_chunk_size=PIECE))
        while True:
            async with understood(seconds):
                piece = await in_thread(next, stream, None)
            if piece is None:
                return
            yield bytes(piece)

    return Found(meta["size"], meta["last_modified"].timestamp(), pieces())


async def delete(store: ObjectStore, key: str) -> None:
    """Delete an object, which may be gone already."""
    with contextlib.suppress(FileNotFoundError):
        await in_thread(obstore.delete, store, key)


async def keys(store: ObjectStore, prefix: str, seconds: float) -> AsyncIterator[Entry]:
    """Yield each key under ``prefix`` with its time and size; each page may take ``seconds``."""
    pages = iter(obstore.list(store, prefix=prefix or None))
    while True:
        async with understood(seconds):
            page = await in_thread(next, pages, None)
        if page is None:
            return
        for meta in page:
            yield meta["path"], meta["last_modified"].timestamp(), meta["size"]
