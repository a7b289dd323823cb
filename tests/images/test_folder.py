"""The shelf in a directory: files for their owner alone, whole or absent, and no leftovers."""

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from gemproxy.images.folder import HALF_SECONDS, Folder
from gemproxy.images.names import new_name
from gemproxy.images.shelf import StoreDown
from tests.images.samples import PNG

PUTS = """
import asyncio, sys
from pathlib import Path
from gemproxy.images.folder import Folder
from gemproxy.images.names import new_name

async def main():
    shelf = Folder.open(Path(sys.argv[1]))
    for number in range(50):
        await shelf.put(new_name("image/png"), bytes([number]) * 100_000)

asyncio.run(main())
"""


async def names(shelf: Folder) -> set[str]:
    return {name async for name, *_ in shelf.names()}


async def test_a_new_directory_and_its_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    shelf = Folder.open(tmp_path / "a" / "b")
    name = new_name("image/png")
    before = os.umask(0)
    try:
        await shelf.put(name, PNG)
    finally:
        os.umask(before)

    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    assert (shelf.path / name).stat().st_mode & 0o777 == 0o600
    assert (shelf.path / name).read_bytes() == PNG
    assert await names(shelf) == {name}
    assert await shelf.link(name) == ""


async def test_a_picture_is_found_with_its_time_and_deleted(tmp_path: Path) -> None:
    shelf, name = Folder.open(tmp_path), new_name("image/png")
    await shelf.put(name, PNG)
    os.utime(tmp_path / name, (1000, 1000))

    found = await shelf.find(name)

    assert found is not None
    assert (found.size, found.since) == (len(PNG), 1000.0)
    assert b"".join([piece async for piece in found.pieces]) == PNG
    await shelf.delete(name)
    await shelf.delete(name)
    assert await shelf.find(name) is None


async def test_what_a_dead_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    shelf, now = Folder.open(tmp_path), time.time()
    old, young, other = f"{new_name('image/png')}#1", f"{new_name('image/png')}#12", "notes#1"
    for name in (old, young, other):
        (tmp_path / name).write_bytes(b"half")
    past = now - HALF_SECONDS - 1
    os.utime(tmp_path / old, (past, past))
    os.utime(tmp_path / other, (past, past))

    await shelf.tidy(now)

    assert await names(shelf) == {young, other}


async def test_a_directory_that_is_gone_says_so_without_its_path(tmp_path: Path) -> None:
    shelf = Folder.open(tmp_path / "pictures")
    (tmp_path / "pictures").rmdir()
    (tmp_path / "pictures").write_bytes(b"a file")

    with pytest.raises(StoreDown) as caught:
        await shelf.put(new_name("image/png"), PNG)

    assert str(caught.value) == "the folder is missing"


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(OSError, match="Not a directory"):
        Folder.open(tmp_path / "file" / "pictures")


async def test_two_processes_share_a_directory(tmp_path: Path) -> None:
    program = [sys.executable, "-c", PUTS, str(tmp_path)]
    processes = [await asyncio.create_subprocess_exec(*program) for _ in range(2)]

    codes = [await process.wait() for process in processes]

    shelf = Folder.open(tmp_path)
    assert codes == [0, 0]
    found = await names(shelf)
    assert len(found) == 100
    sizes = {(tmp_path / name).stat().st_size for name in found}
    assert sizes == {100_000}


SWEEPS = """
import asyncio, sys
from pathlib import Path
from gemproxy.images.folder import Folder
from gemproxy.images.store import PictureStore

async def main():
    pictures = PictureStore(Folder.open(Path(sys.argv[1])), lasting=60)
    print(flush=True)
    sys.stdin.read()
    await pictures.sweep()
    print(pictures.state()["status"])

asyncio.run(main())
"""


async def test_two_processes_that_sweep_at_once_delete_what_has_expired_and_no_more(
    tmp_path: Path,
) -> None:
    shelf = Folder.open(tmp_path)
    fresh, old = new_name("image/png"), [new_name("image/png") for _ in range(300)]
    for name in (fresh, *old):
        (tmp_path / name).write_bytes(PNG)
    for name in old:
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / "notes.txt").write_text("somebody's")
    os.utime(tmp_path / "notes.txt", (0, 0))
    command, pipe = (sys.executable, "-c", SWEEPS, str(tmp_path)), asyncio.subprocess.PIPE
    sweeping = [
        await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe) for _ in range(2)
    ]
    for process in sweeping:  # both are ready before either begins
        assert process.stdout is not None
        await process.stdout.readline()
    said = await asyncio.gather(*(process.communicate(b"") for process in sweeping))

    assert [out for out, _ in said] == [b"ok\n", b"ok\n"]
    assert await names(shelf) == {fresh, "notes.txt"}
