"""obstore's failures, in words without paths, hosts and contents."""

import asyncio
import sys
from pathlib import Path

import obstore
import pytest
from obstore.exceptions import GenericError, PermissionDeniedError
from obstore.store import LocalStore, MemoryStore

from gemproxy.images import objects
from gemproxy.images.folder import Folder
from gemproxy.images.names import new_name
from gemproxy.images.objects import PIECE, understood
from gemproxy.images.shelf import StoreDown
from tests.images.samples import PNG

FULL = "Unable to write /secret/place/x.png#1: No space left on device (os error 28)\n\nDebug: {}"

OVER_A_LIMIT = """
import asyncio, os, resource, sys
from pathlib import Path
from gemproxy.images.folder import Folder
from gemproxy.images.names import new_name
from gemproxy.images.shelf import StoreDown

async def main():
    shelf = Folder.open(Path(sys.argv[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    await shelf.put(new_name("image/png"), bytes(50_000))
    try:
        await shelf.put(new_name("image/png"), bytes(1_000_000))
    except StoreDown as error:
        print(error.why)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (GenericError(FULL), "the disk is full"),
        (GenericError("x (os error 13)"), "the folder may not be written"),
        (GenericError("x (os error 999) http://host"), "it fails with GenericError"),
        (GenericError("Server returned error, status code: 418"), "it answers with status 418"),
        (PermissionDeniedError("key AKsecret"), "the keys are refused"),
        (FileNotFoundError("/secret/place"), "the bucket or the folder is missing"),
        (TimeoutError(), "it takes too long"),
        (RuntimeError("rust future panicked"), "it fails with RuntimeError"),
        (StoreDown("as it was"), "as it was"),
    ],
)
async def test_a_failure_has_a_phrase_and_no_text(error: Exception, why: str) -> None:
    with pytest.raises(StoreDown) as caught:
        async with understood(10):
            raise error

    assert (caught.value.why, str(caught.value)) == (why, why)
    assert caught.value.__suppress_context__ or isinstance(error, StoreDown)


async def test_what_takes_too_long_is_a_failure() -> None:
    with pytest.raises(StoreDown, match="it takes too long"):
        async with understood(0.01):
            await asyncio.Event().wait()


async def test_a_cancelled_request_is_no_failure() -> None:
    async def wait() -> None:
        async with understood(10):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_large_object_comes_in_pieces() -> None:
    store, data = MemoryStore(), bytes(range(256)) * (PIECE // 64)
    await objects.put(store, "one", data)

    found = await objects.find(store, "one", 10)

    assert found is not None
    assert b"".join([piece async for piece in found.pieces]) == data
    assert await objects.find(store, "two", 10) is None


async def test_objects_are_listed_by_prefix_and_deleted() -> None:
    store = MemoryStore()
    for key in ("a/1", "a/2", "b/1"):
        await objects.put(store, key, PNG)

    await objects.delete(store, "a/1")
    await objects.delete(store, "a/1")

    assert [key async for key, *_ in objects.keys(store, "a/", 10)] == ["a/2"]
    assert {key async for key, *_ in objects.keys(store, "", 10)} == {"a/2", "b/1"}


async def test_a_write_that_runs_out_of_room_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: the write fails halfway."""
    program = [sys.executable, "-c", OVER_A_LIMIT, str(tmp_path)]
    process = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()

    (left,) = [name async for name, *_ in Folder.open(tmp_path).names()]
    assert said.decode().strip() == "the file may not be so large"
    assert (tmp_path / left).stat().st_size == 50_000


async def test_a_disk_that_is_full_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise GenericError(FULL)

    shelf = Folder(tmp_path, LocalStore(tmp_path))
    monkeypatch.setattr(obstore, "put", full)

    with pytest.raises(StoreDown) as caught:
        await shelf.put(new_name("image/png"), PNG)

    assert str(caught.value) == "the disk is full"
