"""Locks of files, which the system drops when their process dies (flock)."""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Self

import attrs

_PRIVATE = 0o600


@attrs.define(eq=False)
class Lock:
    """A lock that is held."""

    path: Path
    _descriptor: int

    @classmethod
    def take(cls, path: Path, *, shared: bool = False) -> Self | None:
        """Lock a file, which is made if it is missing; None if another holder is in the way.

        Raises OSError, also where the file system has no locks.
        """
        how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)
            try:
                fcntl.flock(descriptor, how | fcntl.LOCK_NB)
                if _is_at(path, descriptor):
                    return cls(path, descriptor)
            except BlockingIOError:
                os.close(descriptor)
                return None
            except OSError:
                os.close(descriptor)
                raise
            os.close(descriptor)  # its last holder has removed it meanwhile

    def drop(self, *, remove: bool = False) -> None:
        """Unlock the file, and remove it if that is wanted."""
        if remove:
            with contextlib.suppress(OSError):
                self.path.unlink()
        os.close(self._descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether a path still leads to the file that is open."""
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
