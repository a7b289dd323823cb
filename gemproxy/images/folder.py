"""Pictures in a directory, which may be that of several processes.

obstore writes ``NAME#1`` beside its goal and renames it, so a reader sees a whole picture or none,
and a failed write leaves nothing. A process that is killed leaves its ``NAME#1``, which obstore
neither lists nor deletes, so the directory is read with the system's own calls.

A new directory is closed to other users. In one that is there its owner decides who enters; the
files in it are for their owner alone.
"""

import contextlib
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar

import attrs
from obstore.store import LocalStore

from gemproxy.images import objects
from gemproxy.images.names import PATTERN
from gemproxy.images.objects import in_thread, understood
from gemproxy.images.shelf import Entry, Found

HALF_SECONDS = 3600.0
"""Age at which a half-written file has no writer any more."""

_SECONDS = 30.0
_HALF = re.compile(rf"{PATTERN}#\d+")
_OWNERS = 0o600
_OWNERS_FOLDER = 0o700


@attrs.frozen(eq=False)
class Folder:
    """A shelf in a directory."""

    serves: ClassVar[bool] = False

    path: Path
    _store: LocalStore

    @classmethod
    def open(cls, path: Path) -> "Folder":
        """Return the shelf in a directory, which is made if it is missing. Blocks; raises OSError.

        The directory is tried by writing to it.
        """
        path.mkdir(_OWNERS_FOLDER, parents=True, exist_ok=True)
        probe = path / f".try-{os.getpid()}"
        try:
            probe.write_bytes(b"")
        finally:
            probe.unlink(missing_ok=True)
        return cls(path, LocalStore(path))

    async def put(self, name: str, data: bytes) -> None:
        """Keep a picture, whole or not at all; its type is in its name."""
        async with understood(_SECONDS):
            await objects.put(self._store, name, data)
            await in_thread(os.chmod, self.path / name, _OWNERS)

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
        async with understood(_SECONDS):
            await objects.delete(self._store, name)

    async def names(self) -> AsyncIterator[Entry]:
        """Yield each file with the Unix time of its last change, and its size."""
        async with understood(_SECONDS):
            files = await in_thread(self._files)
        for file in files:
            yield file

    async def tidy(self, now: float) -> None:
        """Remove what a dead process left half written."""
        async with understood(_SECONDS):
            for name, since, _ in await in_thread(self._files):
                if _HALF.fullmatch(name) and now - since > HALF_SECONDS:
                    (self.path / name).unlink(missing_ok=True)

    def _files(self) -> list[Entry]:
        found = []
        with os.scandir(self.path) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):  # another process was first
                    if entry.is_file(follow_symlinks=False):
                        stat = entry.stat(follow_symlinks=False)
                        found.append((entry.name, stat.st_mtime, stat.st_size))
        return found
