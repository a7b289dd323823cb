"""A file with the number of a running process, and a lock that proves that it runs.

The number alone proves nothing: the process may have died, and another may have its number. So the
process locks the file for as long as it lives; the kernel lets go of the lock, whatever it dies of.
A file without a lock is left over, and the next process takes it.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

import attrs

_MODE = 0o644
_POLL = 0.05


class Taken(Exception):
    """Another process has the file; ``pid`` is its number, None while it writes it."""

    def __init__(self, pid: int | None) -> None:
        super().__init__(pid)
        self.pid = pid


@attrs.frozen
class PidFile:
    """The file at ``path``."""

    path: Path

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Have the file say the number of this process while entered. Raises Taken, OSError."""
        file = self._locked()
        if file is None:
            raise Taken(self._pid())
        try:
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            with contextlib.suppress(FileNotFoundError):
                self.path.unlink()
            os.close(file)

    def running(self) -> int | None:
        """Return the number of the process that has the file, None if there is none.

        Raises OSError for a file that cannot be read.
        """
        try:
            file = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        try:
            return None if _lock(file, fcntl.LOCK_SH) else self._pid()
        finally:
            os.close(file)

    def is_gone(self, pid: int, seconds: float) -> bool:
        """Wait until the process has let go of the file; return whether it did so in time."""
        deadline = time.monotonic() + seconds
        while self.running() == pid:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL)
        return True

    def _locked(self) -> int | None:
        """Return the open file with our lock on it, None if another has one."""
        while True:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
            file = os.open(self.path, flags, _MODE)
            if not _lock(file, fcntl.LOCK_EX):
                os.close(file)
                return None
            if self._is_at_path(file):
                return file
            os.close(file)  # the process before us has removed it in this moment

    def _is_at_path(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), self.path.stat())
        except FileNotFoundError:
            return False

    def _pid(self) -> int | None:
        try:
            return int(self.path.read_text("ascii"))
        except (OSError, ValueError):
            return None


def _lock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
